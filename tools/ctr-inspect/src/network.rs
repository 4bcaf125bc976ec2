//! `NetworkSettings` of docker's shape.

use ctr_core::{Document, Map, Value, ident, json};
use ctr_docker::{Attachment, Port, Status, attachments, namespace, ports};
use ctr_net::{network, resolver};
use std::path::Path;

/// What docker shows of the default network beside the list; it is the first one's here.
const BESIDE: [&str; 8] = [
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
];

/// The section; a container that does not run has neither addresses nor ports.
pub fn settings(doc: &Document, status: &Status) -> Value {
    let networks: Vec<_> =
        attachments(doc).into_iter().map(|on| (endpoint(doc, &on, status.lives()), on.network)).collect();
    let sandbox = sandbox(doc, status);
    let name = Path::new(&sandbox).file_name().filter(|_| !sandbox.starts_with("/proc/"));
    let ports = if status.lives() { published(&ports(doc)) } else { Map::new() };
    let mut settings = json!({
        "SandboxID": name.unwrap_or_default().to_string_lossy(),
        "SandboxKey": sandbox,
        "Ports": ports,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
    });
    if let Some((first, _)) = networks.first() {
        for key in BESIDE {
            settings[key] = first[key].clone();
        }
    }
    settings["Networks"] = networks.into_iter().map(|(shape, name)| (name, shape)).collect();
    settings
}

/// The path of its network namespace: that by which it is kept, or one of its own while it has a process. Empty where it
/// shares another's.
fn sandbox(doc: &Document, status: &Status) -> String {
    if let Some(kept) = doc.get("net").and_then(|net| net.get("netns")).and_then(Value::as_str) {
        return kept.to_owned();
    }
    match status.state.pid {
        Some(pid) if status.lives() && namespace(doc, "network").as_deref() == Some("private") => {
            format!("/proc/{pid}/ns/net")
        }
        _ => String::new(),
    }
}

fn endpoint(doc: &Document, attachment: &Attachment, lives: bool) -> Value {
    let address = |six: bool| {
        let found = attachment.addresses.iter().find(|a| lives && a.contains(':') == six);
        let (ip, prefix) = found.and_then(|a| a.split_once('/')).unwrap_or_default();
        (ip, prefix.parse::<u8>().unwrap_or_default())
    };
    let gateway = |six: bool| attachment.gateways.iter().find(|g| lives && !g.is_empty() && g.contains(':') == six);
    let while_it_lives = |text: &'_ str| if lives { text.to_owned() } else { String::new() };
    let listed = |words: &[String]| if words.is_empty() { Value::Null } else { json!(words) };
    let (four, six) = (address(false), address(true));
    // One whose record is torn or gone is shown without.
    let network = network::find(&attachment.network).ok().flatten();
    let has_names = network.as_ref().is_some_and(|network| resolver::address(network).is_some());
    json!({
        "NetworkID": network.map(|network| network.id).unwrap_or_default(),
        "EndpointID": while_it_lives(&attachment.end),
        "IPAddress": four.0,
        "IPPrefixLen": four.1,
        "Gateway": gateway(false).map(String::as_str).unwrap_or_default(),
        "GlobalIPv6Address": six.0,
        "GlobalIPv6PrefixLen": six.1,
        "IPv6Gateway": gateway(true).map(String::as_str).unwrap_or_default(),
        "MacAddress": while_it_lives(&attachment.mac),
        "GwPriority": attachment.priority,
        "DriverOpts": null,
        "Aliases": listed(&attachment.aliases),
        "DNSNames": if has_names { json!(names(doc, attachment)) } else { Value::Null },
        // Of the default network they are in HostConfig.
        "Links": if attachment.network == network::DEFAULT { Value::Null } else { listed(&attachment.links) },
    })
}

/// What the network's resolver (`net-dns`) has it by, each once, in docker's order.
fn names<'a>(doc: &'a Document, attachment: &'a Attachment) -> Vec<&'a str> {
    let host = doc.get("spec").and_then(|spec| spec.get("hostname")).and_then(Value::as_str);
    let all = doc.str("name").into_iter().chain(attachment.aliases.iter().map(String::as_str));
    let mut names = Vec::new();
    for name in all.chain(doc.str("id").map(ident::short)).chain(host) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": null}`: null for a port that is only exposed.
pub fn published(ports: &[Port]) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let list = all.entry(format!("{}/{}", port.private, port.protocol)).or_insert(Value::Null);
        if let (Some(ip), Some(public)) = (&port.ip, port.public) {
            let binding = json!({"HostIp": ip, "HostPort": public.to_string()});
            match list {
                Value::Array(bindings) => bindings.push(binding),
                none => *none = json!([binding]),
            }
        }
    }
    all
}
