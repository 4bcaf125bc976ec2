//! The verbs that do something: `ADD`, `DEL`, `CHECK`, `GC`, `STATUS` (SPEC.md, section 2).

use super::{Failure, call::Call, result::result};
use crate::{attach, check as compare, dns, end, end::End, host};
use ctr_core::{Cannot, Code, Error, Failures, Map, Result, Rollback, Value, json};
use ctr_net::{Lock, Net, PublishMode, address, cni, cni::Record, firewall, names, netns, network, port, resolver};
use ctr_netlink::{Netlink, forget};
use std::{fs, os::unix::fs::MetadataExt, slice};

/// Attaches; gives the result.
pub(super) fn add(call: &Call) -> Result<Value, Failure> {
    let (wanted, mappings) = (call.wanted()?, call.mappings()?);
    let id = call.key.id();
    look_at(&call.netns)?;
    let netlink = Netlink::open()?;
    let mut rollback = Rollback::new();
    let lock = Lock::take()?;
    if cni::is_there(&id) {
        return Err(Failure::new(101, format!("{} was added already", said(call))));
    }
    let network = host::network(&netlink, &wanted.network)?;
    let mut record = Record::of_runtime(&call.key, &call.netns);
    // First of all: gc takes what has no record.
    record.save()?;
    let half_made = record.clone();
    rollback.push(move || take_away(&half_made));
    let mut end = End { interface: call.key.ifname.clone(), ..End::claim(&netlink, network, &id, 0, &wanted)? };
    let target = attach::target(slice::from_ref(&end), &mappings)?;
    let mappings = attach::bound(slice::from_ref(&end), &mappings);
    let published = port::publish(&mappings, &id, target, PublishMode::Dnat)?;
    if let Some(claim) = published.claims.iter().find(|claim| claim.mode == PublishMode::Proxy) {
        let message = format!("cannot publish {claim}: the firewall leads none there, and no process has ports here");
        return Err(Error::new(Code::Unsupported, message).into());
    }
    let bridge = host::ready(&netlink, &end.network)?;
    end.mtu = bridge.mtu;
    // Under the lock, as for a container of ours.
    attach::publish(&published)?;
    drop(lock);
    resolver::start(&end.network, bridge.index)?;
    forget(&attach::connections(slice::from_ref(&end), &published.claims))?;
    let ends = [end];
    let routed = within(&id, &call.netns, || {
        // One that another network has is not ours to change.
        let before = end::routes(&id)?;
        ends[0].link(&netlink, &id, &bridge, !published.claims.is_empty())?;
        end::configure(&id, &[&ends[0]], if before.is_empty() { &ends } else { &[] })?;
        Ok(before.is_empty())
    })?;
    if !published.claims.is_empty() {
        attach::localnet(&ends)?;
    }
    let servers = dns::on(ends.iter().map(|end| &end.network), &ctr_net::Dns::default(), &[]);
    let mut net = end::section(&id, &ends, servers, published.ports.clone());
    net.netns.clone_from(&call.netns);
    for interface in net.interfaces.iter_mut().filter(|interface| interface.sandbox.is_some()) {
        interface.sandbox = Some(call.netns.clone());
    }
    if !routed {
        net.routes.clear();
    }
    let result = result(call, &net);
    record.net = Some(net);
    record.save()?;
    rollback.disarm();
    Ok(result)
}

/// Takes an attachment away; it may be gone, and so may the namespace.
pub(super) fn del(call: &Call) -> Result<(), Failure> {
    let found = match cni::find(&call.key.id()) {
        Err(e) if e.code == Code::Corrupt => None,
        other => other?,
    };
    let mut record = found.unwrap_or_else(|| Record::of_runtime(&call.key, ""));
    if !call.netns.is_empty() {
        record.netns.clone_from(&call.netns);
    }
    Ok(take_away(&record)?)
}

/// Compares an attachment with its record, `prevResult` and the kernel.
pub(super) fn check(call: &Call) -> Result<(), Failure> {
    let before = &call.config["prevResult"];
    if !before.is_object() {
        return Err(Failure::new(7, "configuration: CHECK needs prevResult"));
    }
    let id = call.key.id();
    let net = cni::find(&id)?.and_then(|record| record.net);
    let net = net.ok_or_else(|| Failure::new(3, format!("{} was not added", said(call))))?;
    let interfaces = before["interfaces"].as_array().map(Vec::as_slice).unwrap_or_default();
    for own in &net.interfaces {
        let same = |other: &&Value| other["name"] == own.name && (own.sandbox.is_some() == is_inside(other));
        let listed = interfaces.iter().find(same);
        // A plugin behind this one may have changed the hardware address.
        if listed.is_none() {
            return Err(Failure::new(100, format!("prevResult has no interface {}", own.name)));
        }
    }
    for own in &net.ips {
        let ips = before["ips"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !ips.iter().any(|ip| ip["address"] == own.address) {
            return Err(Failure::new(100, format!("prevResult has no address {}", own.address)));
        }
    }
    look_at(&call.netns)?;
    let findings = within(&id, &call.netns, || {
        let ends =
            net.networks.iter().map(|attachment| End::read_at(&net, attachment, 0)).collect::<Result<Vec<_>>>()?;
        let found = end::routes(&id)?;
        let lost = net.routes.iter().filter(|route| !found.contains(&route.gw));
        let mut findings: Vec<_> = lost
            .map(|route| {
                Error::new(Code::NotFound, format!("the container has no route to {} by {}", route.dst, route.gw))
            })
            .collect();
        findings.extend(compare::networks(&id, &net, ends)?);
        Ok(findings)
    })?;
    match findings.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let rest: Vec<_> = rest.iter().map(ToString::to_string).collect();
            let details = Some(rest.join("; ")).filter(|rest| !rest.is_empty());
            Err(Failure { details, ..Failure::from(first.clone()) })
        }
    }
}

/// Takes away every attachment of the network that the runtime does not name.
pub(super) fn gc(call: &Call) -> Result<(), Failure> {
    let valid: Vec<String> = call.valid()?.iter().map(cni::Key::id).collect();
    let mut failed = None;
    for id in cni::ids()?.into_iter().filter(|id| !valid.contains(id)) {
        let taken = cni::find(&id).and_then(|record| match record {
            Some(record) if record.key.network == call.key.network => take_away(&record),
            _ => Ok(()),
        });
        failed = taken.err().or(failed);
    }
    failed.map_or(Ok(()), |e| Err(e.into()))
}

/// Whether the next `ADD` would find what it needs (code 50: it would not).
pub(super) fn status(call: &Call) -> Result<(), Failure> {
    let unavailable = |e: Error| Failure { details: e.hint, ..Failure::new(50, e.message) };
    if call.network != network::DEFAULT {
        let network = network::load(&call.network).map_err(unavailable)?;
        if let Some(parent) = network.parent() {
            let missing = Netlink::open().and_then(|netlink| host::no_parent(&netlink, parent)).map_err(unavailable)?;
            if let Some(e) = missing {
                return Err(Failure::new(50, format!("{}, the parent of network {}", e.message, network.name)));
            }
        }
    }
    firewall::present().map(drop).map_err(unavailable)
}

/// All that an attachment has: its end on the host or inside, ports, addresses, its record.
fn take_away(record: &Record) -> Result<()> {
    let id = record.key.id();
    let netlink = Netlink::open()?;
    let mut failures = Failures::default();
    let mut note = |result: Result<()>| {
        failures.note(result);
    };
    note(netlink.delete(&names::veth(&id, 0)).map(drop));
    if record.net.as_ref().is_some_and(has_no_end) && look_at(&record.netns).is_ok() {
        let inside = || netns::enter(&id, || Netlink::open()?.delete(&record.key.ifname).map(drop));
        note(within(&id, &record.netns, inside));
    }
    let mut addresses = Map::new();
    for name in address::networks()? {
        let held = address::of_network(&name)?.into_iter().filter(|(_, holder)| *holder == id);
        let held: Vec<_> = held.map(|(address, _)| address).collect();
        addresses.insert(name, json!(held));
    }
    note(ctr_net::detach(&id, &addresses));
    // Where something failed the runtime asks again.
    failures.end()?;
    cni::remove(&id)
}

/// Whether its interface is over a parent, and has no end on the host.
fn has_no_end(net: &Net) -> bool {
    net.interfaces.iter().all(|interface| interface.sandbox.is_some())
}

/// Runs `f` while the namespace is held by the attachment's id, under which all that is done in one looks for it.
fn within<T>(id: &str, path: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a call left that was killed.
    netns::let_go(id)?;
    netns::hold(id, path)?;
    let done = f();
    netns::let_go(id)?;
    done
}

/// That there is a network namespace, and not the host's own.
fn look_at(path: &str) -> Result<(), Failure> {
    let look = |path: &str| fs::metadata(path).cannot(|| format!("look at the network namespace {path}"));
    let (there, own) = (look(path)?, look("/proc/thread-self/ns/net")?);
    if there.dev() != own.dev() {
        return Err(Failure::new(4, format!("CNI_NETNS: {path} is no network namespace")));
    }
    if there.ino() == own.ino() {
        return Err(Failure::new(4, format!("CNI_NETNS: {path} is the host's own network namespace")));
    }
    Ok(())
}

fn is_inside(interface: &Value) -> bool {
    interface["sandbox"].as_str().is_some_and(|sandbox| !sandbox.is_empty())
}

fn said(call: &Call) -> String {
    format!("container {} with {} on network {}", call.key.container_id, call.key.ifname, call.key.network)
}
