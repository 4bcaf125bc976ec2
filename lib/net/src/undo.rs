//! Takes a container off its networks, by its id: without netlink, so that whoever ends a container can do it itself.

use crate::{Claim, Lock, Net, PublishMode, address, cni, down, firewall, names, netns, network, port, proxy};
use ctr_core::{Document, Failures, Map, Result, Value, container, json};
use std::{collections::BTreeSet, net::IpAddr};

/// Takes away all that a container has of networks: proxy, ports, namespace, and the addresses that the step names, a list for each
/// network, if they are its.
///
/// # Errors
/// The last failure, once all was tried; the others are printed.
pub fn detach(id: &str, addresses: &Map<String, Value>) -> Result<()> {
    detach_recorded(id, container::recorded(id).ok().as_ref(), addresses)
}

fn detach_recorded(id: &str, record: Option<&Document>, addresses: &Map<String, Value>) -> Result<()> {
    let mut failures = Failures::default();
    let mut note = |result: Result<()>| {
        failures.note(result);
    };
    note(proxy::end(id));
    // While the namespace is there: plugins may look into it.
    match cni::by_plugins() {
        Ok(made) => {
            for record in made.iter().filter(|record| record.key.container_id == id) {
                note(cni::list::detach(record));
            }
        }
        Err(e) => note(Err(e)),
    }
    // From here on: an address or a port that is freed may be another's before the next look.
    let lock = Lock::take()?;
    let closed = unpublish(id, &lock);
    let is_free = closed.is_ok();
    note(closed);
    note(close(id, record, addresses.len()));
    note(netns::let_go(id).map(drop));
    // While ports lead to them they are not to be another's: gc frees them later.
    for (name, list) in addresses.iter().filter(|(name, _)| is_free && network::check_name(name).is_ok()) {
        let list = list.as_array().into_iter().flatten();
        for address in list.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok()) {
            note(address::release(name, address, id));
        }
    }
    failures.end()
}

/// Takes the ports of a container away. Under the lock: a gc at the same time would bring the rules back, of claims that it
/// has read before they went.
///
/// # Errors
/// Those of nft(8), the file system's.
pub fn unpublish(id: &str, _lock: &Lock) -> Result<()> {
    withdraw(&port::claims_of(id)?)
}

/// Takes away what leads to the ports of a container that has ended, before its end is recorded: until then nobody starts it
/// again. What comes for them is the host's own now, docker's way; a proxy sees by itself that nobody is left.
///
/// # Errors
/// Those of [`unpublish`].
pub fn close_ports(id: &str) -> Result<()> {
    let led = || -> Result<Vec<Claim>> {
        Ok(port::claims_of(id)?.into_iter().filter(|claim| claim.mode == PublishMode::Dnat).collect())
    };
    if led()?.is_empty() {
        return Ok(());
    }
    let _lock = Lock::take()?;
    withdraw(&led()?)
}

/// Takes all ports of a container that could not be started, or is not to run yet: its proxy has not seen it run, and would wait
/// for that.
///
/// # Errors
/// Those of [`unpublish`], the kernel's.
pub fn free_ports(id: &str) -> Result<()> {
    proxy::end(id)?;
    if port::claims_of(id)?.is_empty() {
        return Ok(());
    }
    unpublish(id, &Lock::take()?)
}

/// Takes claims away, each after its rule: while it is there nobody else's rule can have its place, and a rule that nobody
/// claims would lead to whoever gets the address next. Hold the [`Lock`].
///
/// # Errors
/// Those of nft(8), the file system's.
pub fn withdraw(claims: &[Claim]) -> Result<()> {
    firewall::remove(&firewall::of_claims(claims))?;
    claims.iter().try_for_each(Claim::release)
}

/// Sets the host's ends of its veths down. Who else has the namespace, a container that joined it or a descriptor, keeps them
/// there, and would have the addresses beside the next one that gets them. An interface over a parent has no end here, and is set
/// down inside: as long as a macvlan is up no other is of its hardware address, and who has the namespace may keep it, if only
/// for the moment that the kernel takes to end it.
fn close(id: &str, record: Option<&Document>, networks: usize) -> Result<()> {
    let net = record.and_then(|doc| doc.section::<Net>("net").ok()?);
    let said = net.iter().flat_map(|net| &net.interfaces).filter_map(|end| names::id_of_veth(&end.name));
    let places: BTreeSet<_> = (0..networks.min(names::PLACES)).chain(said.map(|(_, place)| place)).collect();
    let names: Vec<_> = places.into_iter().map(|place| names::veth(id, place)).collect();
    down::set_down(&names)?;
    let over = net.as_ref().map(over_parents).unwrap_or_default();
    if over.is_empty() || !netns::is_held(id) { Ok(()) } else { netns::enter(id, || down::set_down(&over)) }
}

/// The interfaces inside that no end on the host belongs to.
fn over_parents(net: &Net) -> Vec<String> {
    let ends: Vec<_> = net.interfaces.iter().filter_map(|end| names::id_of_veth(&end.name)).collect();
    let has_end = |interface: &str| ends.iter().any(|(_, place)| names::place_of(interface) == Some(*place));
    let own = net.networks.iter().filter(|attachment| !attachment.by_plugins()).map(|attachment| &attachment.interface);
    own.filter(|interface| !has_end(interface)).cloned().collect()
}

/// Undoes a step of net-attach.
///
/// # Errors
/// As [`detach`].
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let claimed = undo.get("claimed") == Some(&json!(true));
    let mut _held = None;
    if undo.get("id").is_some() {
        let Some(id) = container::step_id(doc, undo)? else { return Ok(()) };
        // Before anything is taken away: the container may not go while it runs.
        if claimed {
            _held = container::hold_to_remove(id)?;
        }
        let record = container::recorded(id).ok();
        detach_recorded(id, record.as_ref(), &addresses(record.as_ref(), undo))?;
    }
    doc.remove("net");
    restore(doc, undo.get("before").filter(|before| !before.is_null()))?;
    if claimed {
        let id = container::checked_id(doc.str("id").unwrap_or_default())?.to_owned();
        container::remove_begun(doc, &id)?;
    }
    Ok(())
}

/// Those of the step, and those that the record's step has by now: it may have been put on other networks.
fn addresses(record: Option<&Document>, undo: &Value) -> Map<String, Value> {
    let recorded = record.and_then(|record| record.steps().ok()).unwrap_or_default();
    let steps = recorded.iter().map(|step| &step.undo).filter(|step| step.get("id") == undo.get("id"));
    let mut all = Map::new();
    for (network, list) in steps.chain([undo]).filter_map(|step| step.get("addresses")?.as_object()).flatten() {
        let known = all.entry(network.clone()).or_insert_with(|| json!([]));
        if let (Some(known), Some(list)) = (known.as_array_mut(), list.as_array()) {
            known.extend(list.iter().cloned());
        }
    }
    all
}

/// Gives `spec.linux.namespaces` back as it was.
fn restore(doc: &mut Document, before: Option<&Value>) -> Result<()> {
    let spec = doc.object("spec")?;
    if spec.contains_key("process") {
        // ns-spawn has completed it since: of its list only the network's entry is given back, and none would mean the host's.
        let is_network = |entry: &&mut Value| entry["type"] == "network";
        let list = spec.get_mut("linux").and_then(|linux| linux["namespaces"].as_array_mut());
        if let Some(entry) = list.and_then(|list| list.iter_mut().find(is_network)) {
            let was = before.and_then(Value::as_array).into_iter().flatten().find(|entry| entry["type"] == "network");
            *entry = was.cloned().unwrap_or_else(|| json!({"type": "network"}));
        }
        return Ok(());
    }
    if let Some(linux) = spec.get_mut("linux").and_then(Value::as_object_mut) {
        match before {
            Some(before) => drop(linux.insert("namespaces".to_owned(), before.clone())),
            None => drop(linux.shift_remove("namespaces")),
        }
        if linux.is_empty() {
            spec.shift_remove("linux");
        }
    }
    if spec.is_empty() {
        doc.remove("spec");
    }
    Ok(())
}
