//! Networks of driver `cni`: what their plugins are asked for, and what they give in the section `net`.

use crate::{end, word::Wanted};
use ctr_core::{Code, Error, Map, Result, Value, json, trace};
use ctr_net::{
    Attachment, Interface, Ip, Mapping, Net, PortMap, Route,
    cni::{self, Key, Record, list},
    names, netns,
    network::{self, Network},
};
use std::net::IpAddr;

/// The attachments of container `id` to the networks of `wanted` that are plugins'; the ports are asked of the first.
pub fn plan(id: &str, wanted: &[Wanted], mappings: &[Mapping]) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    for (place, wanted) in wanted.iter().enumerate() {
        if wanted.network == network::DEFAULT {
            // Never plugins', and in a dry run not made.
            continue;
        }
        let network = network::load(&wanted.network)?;
        let Some(conf) = &network.cni else { continue };
        if records.iter().any(|record| record.key.network == network.name) {
            return Err(Error::new(Code::Invalid, format!("network {} is named twice", network.name)));
        }
        if !wanted.aliases.is_empty() || !wanted.links.is_empty() || wanted.priority != 0 {
            let message = format!("network {}: its plugins know no names and no priority", network.name);
            return Err(Error::new(Code::Unsupported, message));
        }
        let runtime = runtime(wanted, if records.is_empty() { mappings } else { &[] })?;
        let plugins = list::plugins(conf, &runtime).map_err(|e| of(&network, e))?;
        let key = Key { network: network.name, container_id: id.to_owned(), ifname: names::inside(place) };
        let netns = netns::path(id).to_string_lossy().into_owned();
        let disable_check = conf["disableCheck"] == true;
        records.push(Record { plugins, path: list::path(), disable_check, ..Record::of_runtime(&key, &netns) });
    }
    Ok(records)
}

fn of(network: &Network, e: Error) -> Error {
    Error { message: format!("network {}: {}", network.name, e.message), ..e }
}

/// `runtimeConfig` (CONVENTIONS.md).
fn runtime(wanted: &Wanted, mappings: &[Mapping]) -> Result<Map<String, Value>> {
    let mut runtime = Map::new();
    let ips: Vec<_> = wanted.addresses().iter().map(ToString::to_string).collect();
    if !ips.is_empty() {
        runtime.insert("ips".to_owned(), json!(ips));
    }
    if let Some(mac) = wanted.mac {
        runtime.insert("mac".to_owned(), json!(crate::word::mac_text(mac)));
    }
    let port = |mapping: &Mapping| {
        let host = mapping.host.as_ref().filter(|host| host.start() == host.end()).ok_or_else(|| {
            let message = format!("cannot publish {}: plugins of CNI choose no port of the host", mapping.container);
            Error::new(Code::Unsupported, message).hint("name it: HOSTPORT:CONTAINERPORT")
        })?;
        Ok(PortMap {
            host_ip: mapping.ip,
            host_port: *host.start(),
            container_port: mapping.container,
            protocol: mapping.protocol.to_owned(),
        })
    };
    if !mappings.is_empty() {
        let ports = mappings.iter().map(port).collect::<Result<Vec<_>>>()?;
        runtime.insert("portMappings".to_owned(), json!(ports));
    }
    Ok(runtime)
}

/// Enters what the plugins gave into the section.
///
/// # Errors
/// `invalid` for a result that has not its form, or has not the address that was asked for.
pub fn enter(net: &mut Net, record: &Record) -> Result<()> {
    let Key { network, ifname, .. } = &record.key;
    let bad = |what: &str| Error::new(Code::Invalid, format!("network {network}: its plugins gave {what}"));
    let result = &record.result;
    let each = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    let offset = net.interfaces.len();
    for one in each("interfaces") {
        let text = |key: &str| one[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        net.interfaces.push(Interface {
            name: text("name").ok_or_else(|| bad("an interface without a name"))?,
            mac: text("mac"),
            mtu: one["mtu"].as_u64().map(|mtu| mtu as u32),
            sandbox: text("sandbox"),
        });
    }
    let (own, _) = net.inside(ifname).ok_or_else(|| bad(&format!("no interface {ifname}")))?;
    let first = net.ips.len();
    for ip in each("ips") {
        let address = ip["address"].as_str().filter(|address| {
            address.split_once('/').is_some_and(|(ip, bits)| ip.parse::<IpAddr>().is_ok() && bits.parse::<u8>().is_ok())
        });
        let gateway = ip["gateway"].as_str().and_then(|gateway| gateway.parse().ok());
        let interface = ip["interface"].as_u64().map_or(own, |place| place as usize + offset);
        net.ips.push(Ip {
            address: address.ok_or_else(|| bad(&format!("the address {}", ip["address"])))?.to_owned(),
            gateway,
            interface,
        });
    }
    for asked in record.plugins.iter().filter_map(|plugin| plugin["runtimeConfig"]["ips"].as_array()).flatten() {
        let asked = asked.as_str().and_then(|asked| asked.parse().ok());
        if asked.is_some_and(|asked: IpAddr| !net.addresses(ifname).contains(&asked)) {
            return Err(bad("another address than was asked for"));
        }
    }
    for route in each("routes") {
        let Some(dst) = route["dst"].as_str() else { continue };
        let said = route["gw"].as_str().and_then(|gw| gw.parse::<IpAddr>().ok());
        let of_family = |ip: &Ip| ip.gateway.filter(|gateway| gateway.is_ipv6() == dst.contains(':'));
        if let Some(gw) = said.or_else(|| net.ips[first..].iter().find_map(of_family)) {
            net.routes.push(Route { dst: dst.to_owned(), gw });
        }
    }
    for port in record.plugins.iter().filter_map(|plugin| plugin["runtimeConfig"]["portMappings"].as_array()).flatten()
    {
        let port = PortMap::read(port).filter(|port| !net.ports.contains(port));
        net.ports.extend(port);
    }
    let servers = result["dns"]["nameservers"].as_array().into_iter().flatten();
    let servers: Vec<_> =
        servers.filter_map(|server| Some(server.as_str()?.parse::<IpAddr>().ok()?.to_string())).collect();
    if !servers.is_empty() && net.networks.is_empty() && net.upstreams.is_empty() {
        net.dns.nameservers = servers;
    }
    if net.networks.is_empty() {
        net.name.clone_from(network);
    }
    net.networks.push(Attachment {
        name: network.clone(),
        interface: ifname.clone(),
        aliases: Vec::new(),
        links: Vec::new(),
        gw_priority: None,
        driver: Some(network::CNI.to_owned()),
    });
    Ok(())
}

/// The record of an attachment of the section.
fn record(id: &str, attachment: &Attachment) -> Result<Option<Record>> {
    let key =
        Key { network: attachment.name.clone(), container_id: id.to_owned(), ifname: attachment.interface.clone() };
    Ok(cni::find(&key.id())?.filter(|record| !record.plugins.is_empty()))
}

/// What differs of what plugins made.
pub fn check(id: &str, net: &Net) -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    for attachment in net.networks.iter().filter(|attachment| attachment.by_plugins()) {
        let Attachment { name, interface, .. } = attachment;
        let Some(record) = record(id, attachment)? else {
            findings.push(Error::new(Code::NotFound, format!("the container's place on network {name} has no record")));
            continue;
        };
        if netns::is_held(id) {
            let found = end::look(id, interface)?;
            for own in net.addresses(interface).iter().filter(|own| !found.contains(own)) {
                let message = format!("{interface} of the container has no address {own}");
                findings.push(Error::new(Code::NotFound, message));
            }
        }
        findings.extend(list::check(&record));
    }
    Ok(findings)
}

/// Lets plugins make again what is gone of what they made.
///
/// # Errors
/// `exists` where they give another address by now; theirs.
pub fn repair(id: &str, net: &Net) -> Result<()> {
    for attachment in net.networks.iter().filter(|attachment| attachment.by_plugins()) {
        let addresses = net.addresses(&attachment.interface);
        let found = end::look(id, &attachment.interface)?;
        let Some(mut record) = record(id, attachment)? else {
            let message = format!("the container's place on network {} has no record", attachment.name);
            return Err(Error::new(Code::NotFound, message));
        };
        if addresses.iter().all(|address| found.contains(address)) && list::check(&record).is_none() {
            continue;
        }
        // What is gone cannot be taken back.
        list::detach(&record).unwrap_or_else(|e| trace::warn(&e.to_string()));
        record.result = Value::Null;
        if !record.plugins.iter().any(|plugin| plugin["runtimeConfig"]["ips"].is_array())
            && let Some(address) = addresses.iter().find(|address| address.is_ipv4())
        {
            // host-local takes the next one otherwise (CONVENTIONS.md, CNI_ARGS).
            record.args = format!("IgnoreUnknown=1;IP={address}");
        }
        list::attach(&mut record)?;
        let given = record.result["ips"].as_array().cloned().unwrap_or_default();
        let given: Vec<IpAddr> =
            given.iter().filter_map(|ip| ip["address"].as_str()?.split('/').next()?.parse().ok()).collect();
        if let Some(lost) = addresses.iter().find(|address| !given.contains(address)) {
            let message = format!("network {}: its plugins no longer give the container {lost}", attachment.name);
            return Err(Error::new(Code::Exists, message));
        }
    }
    Ok(())
}
