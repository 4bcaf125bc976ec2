//! `NetworkSettings` of docker's shape.

use ctr_core::{Document, Map, Value, json};
use ctr_docker::{Attachment, Port, Status, attachments, ports};

/// The section; a container that does not run has neither addresses nor ports.
pub fn settings(doc: &Document, status: &Status) -> Value {
    let attachments = attachments(doc);
    let networks: Map<String, Value> =
        attachments.iter().map(|a| (a.network.clone(), endpoint(a, status.lives()))).collect();
    let sandbox = doc.get("net").and_then(|net| net.get("netns")).and_then(Value::as_str);
    let ports = if status.lives() { published(&ports(doc)) } else { Map::new() };
    let mut settings = json!({"SandboxKey": sandbox.unwrap_or_default(), "Ports": ports});
    // The first one's are shown beside them, as docker does for its default network.
    if let (Some(first), Some(all)) = (attachments.first(), settings.as_object_mut())
        && let Value::Object(mut fields) = endpoint(first, status.lives())
    {
        fields.remove("Aliases");
        fields.remove("Links");
        all.extend(fields);
    }
    settings["Networks"] = Value::Object(networks);
    settings
}

fn endpoint(attachment: &Attachment, lives: bool) -> Value {
    let address = |six: bool| {
        let found = attachment.addresses.iter().find(|a| lives && a.contains(':') == six);
        let (ip, prefix) = found.and_then(|a| a.split_once('/')).unwrap_or_default();
        (ip, prefix.parse::<u8>().unwrap_or_default())
    };
    let gateway = |six: bool| attachment.gateways.iter().find(|g| lives && !g.is_empty() && g.contains(':') == six);
    let (four, six) = (address(false), address(true));
    json!({
        "IPAddress": four.0,
        "IPPrefixLen": four.1,
        "Gateway": gateway(false).map(String::as_str).unwrap_or_default(),
        "GlobalIPv6Address": six.0,
        "GlobalIPv6PrefixLen": six.1,
        "IPv6Gateway": gateway(true).map(String::as_str).unwrap_or_default(),
        "MacAddress": if lives { attachment.mac.as_str() } else { "" },
        "Aliases": attachment.aliases,
        // Of the default network they are in HostConfig.
        "Links": if attachment.links.is_empty() || attachment.network == "bridge" { Value::Null } else { json!(attachment.links) },
    })
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
