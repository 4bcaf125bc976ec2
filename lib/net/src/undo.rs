//! Takes a container off its networks, by its id: without netlink, so that whoever ends a container can do it itself.

use crate::{Lock, address, firewall, netns, network, port};
use ctr_core::{Document, Error, Map, Result, Value, container, json, trace};
use std::net::IpAddr;

/// Takes away all that a container has of networks: ports, namespace, and the addresses that the step names, a list for each
/// network, if they are its.
///
/// # Errors
/// The first failure, once all was tried; the others are printed.
pub fn detach(id: &str, addresses: &Map<String, Value>) -> Result<()> {
    let mut failed: Option<Error> = None;
    let mut note = |result: Result<()>| {
        if let Err(e) = result
            && let Some(earlier) = failed.replace(e)
        {
            trace::warn(&earlier.to_string());
        }
    };
    note(unpublish(id));
    note(netns::let_go(id).map(drop));
    for (name, list) in addresses.iter().filter(|(name, _)| network::check_name(name).is_ok()) {
        let list = list.as_array().into_iter().flatten();
        for address in list.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok()) {
            note(address::release(name, address, id));
        }
    }
    failed.map_or(Ok(()), Err)
}

fn unpublish(id: &str) -> Result<()> {
    let own = || Ok(port::claims()?.into_iter().filter(|claim| claim.id == id).collect::<Vec<_>>());
    if own()?.is_empty() {
        return Ok(());
    }
    // A gc at the same time would bring the rules back, of claims that it has read before they went.
    let _lock = Lock::take()?;
    let claims = own()?;
    let elements: Vec<_> = claims.iter().map(firewall::of_claim).collect();
    // While the claim is there nobody else's rule can have its place.
    firewall::remove(&elements)?;
    claims.iter().try_for_each(port::Claim::release)
}

/// Undoes a step of net-attach.
///
/// # Errors
/// As [`detach`].
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    if undo.get("id").is_some() {
        let Some(id) = container::step_id(doc, undo)? else { return Ok(()) };
        let none = Map::new();
        detach(id, undo.get("addresses").and_then(Value::as_object).unwrap_or(&none))?;
    }
    doc.remove("net");
    restore(doc, undo.get("before").filter(|before| !before.is_null()))?;
    if undo.get("claimed") == Some(&json!(true)) {
        container::remove(container::checked_id(doc.str("id").unwrap_or_default())?)?;
        for key in ["id", "name", "created", "labels"] {
            doc.remove(key);
        }
    }
    Ok(())
}

/// Gives `spec.linux.namespaces` back as it was.
fn restore(doc: &mut Document, before: Option<&Value>) -> Result<()> {
    let spec = doc.object("spec")?;
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
