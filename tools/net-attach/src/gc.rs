//! Finds what crashes left of networks, by its names, and takes it away.

use crate::{foreign, host};
use ctr_core::{Result, Value, container, json, paths, trace};
use ctr_net::{Lock, Net, address, cni, firewall, names, netns, network, port, proxy, withdraw};
use ctr_netlink::{Netlink, has_table};
use std::{collections::BTreeSet, fs, net::IpAddr, slice};

/// Removes namespaces, veths, addresses and ports of containers that are gone, ports of those that do not run; bridges that no
/// container is on; and makes the firewall's table what the records say.
///
/// A container is claimed before anything of it is made here, and goes after it: what is listed before the containers are
/// and has none is nobody's.
pub fn gc() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    if fs::read_dir(paths::containers()).is_err() {
        // A root that is not mounted yet has not lost its containers.
        return Ok(removed);
    }
    let netlink = Netlink::open()?;
    let held = netns::all();
    let links = netlink.links()?;
    let mut containers = container::directories()?;
    // What CNI's runtimes attach is theirs to end, by DEL and GC.
    containers.extend(cni::ids()?);
    // First, while the namespaces are there.
    for record in cni::by_plugins()?.iter().filter(|record| container::is_gone(&record.key.container_id)) {
        if note(cni::list::detach(record)).is_some() {
            let cni::Key { network, ifname, .. } = &record.key;
            removed.push(json!({"removed": "attachment", "network": network, "interface": ifname}));
        }
    }
    note(cni::list::gc(&network::all()?));
    let gone = |digits: &str| !containers.iter().any(|id| id.starts_with(digits));
    for digits in held.iter().filter(|digits| gone(digits)) {
        let path = netns::path(digits);
        if note(netns::let_go(digits)) == Some(true) {
            removed.push(json!({"removed": "netns", "path": path}));
        }
    }
    for link in links.iter().filter(|link| names::id_of_veth(&link.name).is_some_and(|(digits, _)| gone(digits))) {
        if note(netlink.delete(&link.name)) == Some(true) {
            removed.push(json!({"removed": "link", "name": link.name}));
        }
    }
    let _lock = Lock::take()?;
    removed.extend(strays(&containers)?);
    removed.extend(claims()?);
    let mut bridges = BTreeSet::new();
    for network in network::names()? {
        if !address::of_network(&network)?.is_empty() {
            bridges.insert(names::bridge(&network));
        }
    }
    for link in links.iter().filter(|link| names::is_bridge(&link.name) && !bridges.contains(&link.name)) {
        if note(netlink.delete(&link.name)) == Some(true) {
            removed.push(json!({"removed": "link", "name": link.name}));
        }
    }
    let parents = note(host::forget_parents(&netlink)).unwrap_or_default();
    removed.extend(parents.into_iter().map(|name| json!({"removed": "link", "name": name})));
    removed.extend(rules()?);
    Ok(removed)
}

/// What fails is printed, and the rest is gone on with.
fn note<T>(result: Result<T>) -> Option<T> {
    result.map_err(|e| trace::warn(&e.to_string())).ok()
}

/// What a change of networks that was killed left of containers that are there: addresses on networks that their records do not
/// name, and ports that lead to such, by a proxy too: who gets the address next would be reached by them. One that is being
/// changed, or has no networks in its record yet, is let be.
fn strays(containers: &[String]) -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    let mut held = Vec::new();
    for name in address::networks()? {
        held.extend(address::of_network(&name)?.into_iter().map(|(address, id)| (name.clone(), address, id)));
    }
    let claims = port::claims()?;
    for id in containers {
        let lost = |net: &Net| {
            let own: Vec<_> = net.networks.iter().flat_map(|on| net.addresses(&on.interface)).collect();
            claims.iter().filter(|c| c.id == *id && !own.contains(&c.target)).collect::<Vec<_>>()
        };
        let stray = |net: &Net| {
            let has = |name: &str, address: &IpAddr| {
                let mut own = net.networks.iter().filter(|attachment| attachment.name == name);
                own.any(|attachment| net.addresses(&attachment.interface).contains(address))
            };
            held.iter().filter(|(name, address, own)| own == id && !has(name, address)).collect::<Vec<_>>()
        };
        if recorded(id).is_none_or(|net| stray(&net).is_empty() && lost(&net).is_empty()) {
            continue;
        }
        let Some(_held) = container::try_hold_limits(id)? else { continue };
        // Once more, now that nobody changes it.
        let Some(net) = recorded(id) else { continue };
        for claim in lost(&net) {
            if note(withdraw(slice::from_ref(claim))).is_some() {
                removed.push(json!({"removed": "port", "port": claim.to_string()}));
            }
        }
        let addresses = stray(&net);
        if addresses.iter().any(|(_, address, _)| is_led_to(id, *address)) {
            // It closes its ports, and has those that are claimed yet.
            note(proxy::carry(id));
        }
        for (name, address, _) in addresses {
            if !is_led_to(id, *address) && note(address::release(name, *address, id)).is_some() {
                removed.push(json!({"removed": "address", "address": address, "network": name}));
            }
        }
    }
    Ok(removed)
}

/// Whether the container has a port that leads to the address, by the firewall or a proxy; it has where that cannot be told.
fn is_led_to(id: &str, address: IpAddr) -> bool {
    port::claims_of(id).map_or(true, |claims| claims.iter().any(|claim| claim.target == address))
        || proxy::running(id)
            .map_or(true, |note| note.is_some_and(|n| n.ports.iter().any(|port| port.to.ip() == address)))
}

/// The section of a container whose record has one.
fn recorded(id: &str) -> Option<Net> {
    container::recorded(id).ok().filter(|doc| !doc.is_partial())?.section("net").ok()?
}

/// Proxies and ports of containers that are gone, or do not run and claim theirs when they start; then addresses of those that are gone.
fn claims() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    let idle = |id: &str| address::is_lost(id) || (port::is_claimed_at_start(id) && !port::holds(id));
    for id in proxy::all().into_iter().filter(|id| idle(id)) {
        if note(proxy::end(&id)).is_some() {
            removed.push(json!({"removed": "proxy", "container": id}));
        }
    }
    for claim in port::claims()?.into_iter().filter(|claim| idle(&claim.id)) {
        if note(withdraw(slice::from_ref(&claim))).is_some() {
            removed.push(json!({"removed": "port", "port": claim.to_string()}));
        }
    }
    for name in address::networks()? {
        for (address, id) in address::of_network(&name)? {
            if address::is_lost(&id)
                && !is_led_to(&id, address)
                && note(address::release(&name, address, &id)).is_some()
            {
                removed.push(json!({"removed": "address", "address": address, "network": name}));
            }
        }
        if !trace::dry_run() {
            // Only where it is empty.
            let _ = fs::remove_dir(address::root().join(&name));
        }
    }
    Ok(removed)
}

fn rules() -> Result<Vec<Value>> {
    let table = names::table();
    let wanted = firewall::wanted()?;
    if wanted.is_empty() {
        let foreign = foreign::forget().into_iter().map(|name| json!({"removed": "chain", "name": table, "of": name}));
        let foreign: Vec<Value> = foreign.collect();
        if !has_table(&table)? {
            return Ok(foreign);
        }
        firewall::delete()?;
        return Ok([foreign, vec![json!({"removed": "table", "name": table})]].concat());
    }
    foreign::let_through();
    let present = firewall::present()?;
    if present.as_ref() == Some(&wanted) {
        return Ok(Vec::new());
    }
    firewall::install(&wanted)?;
    let extra = present.iter().flatten().filter(|element| !wanted.contains(element));
    Ok(extra.map(|element| json!({"removed": "rule", "element": element.to_string()})).collect())
}
