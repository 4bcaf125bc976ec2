//! Ports of a container that runs: published and taken back, in the kernel and in its record.

use crate::{
    attach::{bound, datagrams, localnet, publish, runs, target},
    end::{self, End},
};
use ctr_core::{Code, Error, Lock as Store, Result, Rollback, Value, container, json};
use ctr_net::{Claim, Lock, Mapping, Net, PortMap, PublishMode, address, names, port, proxy};
use ctr_netlink::{Netlink, forget};

/// Publishes ports of container `id`: all of them or none. Gives them.
///
/// # Errors
/// `not-found` where it does not run; `exists`, naming the holder, for a port that is taken; those of net-attach.
pub fn add(id: &str, mappings: &[Mapping]) -> Result<Vec<Claim>> {
    // A start reads the record too, and writes it back.
    let _change = container::hold_limits(id)?;
    let net = running(id)?;
    let ends = End::all(&net)?;
    if net.networks.is_empty() {
        let message = format!("cannot publish ports of container {}: it is on no network", address::name_of(id));
        return Err(Error::new(Code::Invalid, message).hint("ctr network connect puts it on one"));
    }
    let netlink = Netlink::open()?;
    // Before the lock, which it takes: it is dropped after that.
    let mut rollback = Rollback::new();
    let lock = Lock::take()?;
    let published = port::publish(&bound(&ends, mappings), id, target(&ends, mappings)?, net.publish_mode)?;
    let (new, own) = (published.new.clone(), id.to_owned());
    rollback.push(move || withdraw(&own, &new));
    // What one that was killed has claimed is the container's, and not yet in the record.
    let is_there = |claim: &&Claim| net.ports.iter().any(|port| claim.is_of(port));
    if let Some(claim) = published.claims.iter().find(is_there) {
        return Err(Error::new(Code::Exists, format!("cannot publish {claim}: the container does so already")));
    }
    // It may have ended since, and its ports with it: now that these are claimed, its end would close them.
    if let Err(e) = running(id) {
        ctr_net::withdraw(&published.claims)?;
        return Err(e);
    }
    publish(&published)?;
    drop(lock);
    forget(&datagrams(&published.new))?;
    proxy::carry(id)?;
    if let Some(end) = end::way_in(&ends).filter(|_| published.are_led()) {
        netlink.set_port(&names::veth(id, end.place), true, !end.network.icc())?;
        localnet(&ends)?;
    }
    record(id, |ports| ports.extend(published.ports.iter().map(|port| json!(port))))?;
    rollback.disarm();
    Ok(published.claims)
}

/// Takes back the published ports of container `id` that `which` picks. Connections that go on go on.
///
/// # Errors
/// `not-found` where it does not run.
pub fn remove(id: &str, which: impl Fn(&PortMap) -> bool) -> Result<()> {
    let _change = container::hold_limits(id)?;
    let gone: Vec<_> = running(id)?.ports.into_iter().filter(|port| which(port)).collect();
    let is_meant = |port: &Value| PortMap::read(port).is_some_and(|port| which(&port));
    // The record first: what is killed then is finished by a repair.
    record(id, |ports| ports.retain(|port| !is_meant(port)))?;
    let claims: Vec<_> =
        port::claims_of(id)?.into_iter().filter(|claim| gone.iter().any(|port| claim.is_of(port))).collect();
    withdraw(id, &claims)?;
    forget(&datagrams(&claims))
}

/// The networks of a container that runs and has some.
fn running(id: &str) -> Result<Net> {
    let doc = container::recorded(id)?;
    let name = doc.str("name").unwrap_or(id).to_owned();
    if !runs(id)? {
        let message = format!("cannot change the ports of container {name}: it is not running");
        return Err(Error::new(Code::NotFound, message));
    }
    doc.section::<Net>("net")?.ok_or_else(|| {
        Error::new(Code::Invalid, format!("cannot change the ports of container {name}: it is on no network"))
    })
}

fn withdraw(id: &str, claims: &[Claim]) -> Result<()> {
    let _lock = Lock::take()?;
    // What was this container's may be another's by now.
    let own: Vec<_> = port::claims_of(id)?.into_iter().filter(|claim| claims.contains(claim)).collect();
    ctr_net::withdraw(&own)?;
    if own.iter().any(|claim| claim.mode == PublishMode::Proxy) { proxy::carry(id) } else { Ok(()) }
}

/// Changes `net.ports` of the record, and what others write there meanwhile is still there.
fn record(id: &str, change: impl FnOnce(&mut Vec<Value>)) -> Result<()> {
    let _lock = Store::store()?;
    let mut doc = container::recorded(id)?;
    let ports = doc.object("net")?.entry("ports").or_insert_with(|| json!([]));
    let ports = ports.as_array_mut().ok_or_else(|| Error::new(Code::Invalid, "document: net.ports is no list"))?;
    change(ports);
    container::save(&doc)
}
