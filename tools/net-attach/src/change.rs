//! A container that is put on a network, or taken off one, after it was made; running or not.
//!
//! The interface is there only while the record names it, the address as long as either: who is killed between leaves a record
//! that `--repair` makes true, or an address that the record does not name, which gc takes.

use crate::{
    attach::{self, mapping},
    dns,
    end::{self, End},
    host, hosts,
    word::Wanted,
};
use ctr_core::{Code, Document, Error, Failures, Lock as StoreLock, Result, Rollback, Step, container, json, trace};
use ctr_net::{Lock, Net, Network, address, names, netns, network, port, proxy, resolver, withdraw};
use ctr_netlink::{Netlink, forget};

/// A container whose networks change. Nobody starts it meanwhile.
struct Changed {
    id: String,
    doc: Document,
    net: Net,
    _held: StoreLock,
}

impl Changed {
    fn of(id: &str) -> Result<Self> {
        let held = container::hold_limits(id)?;
        let doc = container::recorded(id)?;
        let bad = |why: &str| Error::new(Code::Invalid, format!("container {} {why}", address::name_of(id)));
        if doc.is_partial() || !container::is_complete(&doc) {
            return Err(bad("was never made whole"));
        }
        let Some(net) = doc.section::<Net>("net")? else {
            return Err(bad("has no network of its own: it was made with none, host or another's"));
        };
        if let Some(attachment) = net.networks.iter().find(|attachment| attachment.by_plugins()) {
            let message =
                format!("container {} is on network {}, of CNI's plugins", address::name_of(id), attachment.name);
            return Err(Error::new(Code::Unsupported, format!("{message}: its networks stay as they are")));
        }
        Ok(Self { id: id.to_owned(), doc, net, _held: held })
    }

    /// The section with these ends instead.
    fn section(&self, ends: &[End]) -> Result<Net> {
        let net = end::section(&self.id, ends, dns::moved(&self.net, ends)?, self.net.ports.clone());
        Ok(Net { exposed: self.net.exposed.clone(), publish_mode: self.net.publish_mode, ..net })
    }

    /// Writes section and step into the record as it is now: others may have changed the rest.
    fn record(id: &str, net: &Net, ends: &[End]) -> Result<()> {
        let _lock = StoreLock::store()?;
        let mut record = container::recorded(id)?;
        let mut steps: Vec<Step> = record.steps()?;
        for step in steps.iter_mut().filter(|step| step.tool == "net-attach") {
            step.undo["addresses"] = json!(attach::addresses(ends));
        }
        record.set("net", net)?;
        record.set_steps(&steps)?;
        container::save(&record)
    }

    /// Closes the container's ports, whatever they lead to.
    fn close_ports(&self, lock: &Lock) -> Result<()> {
        ctr_net::unpublish(&self.id, lock)?;
        proxy::retire(&self.id)
    }

    /// Moves the container's ports to the way out that it has now, where they were led to another.
    fn move_ports(&self, netlink: &Netlink, ends: &[End], lock: &Lock) -> Result<()> {
        let claims = port::claims_of(&self.id)?;
        let out = end::way_in(ends);
        let Some((out, target)) = out.and_then(|out| Some((out, out.target()?))) else {
            return self.close_ports(lock);
        };
        if self.net.ports.is_empty() || claims.iter().any(|claim| claim.leads_to(target)) {
            return Ok(());
        }
        if !attach::runs(&self.id)? {
            // It holds none until it starts.
            return self.close_ports(lock);
        }
        let mappings = self.net.ports.iter().map(mapping).collect::<Result<Vec<_>>>()?;
        let published = port::publish(&mappings, &self.id, target, self.net.publish_mode)?;
        if !attach::runs(&self.id)? {
            return withdraw(&published.claims);
        }
        attach::publish(&published)?;
        forget(&attach::datagrams(&published.claims))?;
        proxy::carry(&self.id)?;
        if !published.are_led() {
            return Ok(());
        }
        host::route_localnet(&out.network.bridge())?;
        if netns::is_held(&self.id) {
            netlink.set_port(&names::veth(&self.id, out.place), true, !out.network.icc())?;
        }
        Ok(())
    }
}

/// What does not stop a change that is made.
fn warn(e: &Error) {
    trace::warn(&e.to_string());
}

/// Puts container `id` on the network that is wanted; gives it.
///
/// # Errors
/// `exists` where it is on it, or an address is taken; `invalid` for a container without networks of its own; those of making
/// the interface: then the record is as before.
pub fn connect(id: &str, wanted: &Wanted) -> Result<Network> {
    let changed = Changed::of(id)?;
    let netlink = Netlink::open()?;
    let lock = Lock::take()?;
    let network = host::network(&netlink, &wanted.network)?;
    if changed.net.networks.iter().any(|attachment| attachment.name == network.name) {
        let message = format!("container {} is on network {} already", address::name_of(id), network.name);
        return Err(Error::new(Code::Exists, message));
    }
    let mut ends = End::all(&changed.net)?;
    let free = (0..names::PLACES).find(|place| !ends.iter().any(|end| end.place == *place));
    let place = free.ok_or_else(|| Error::new(Code::Limit, format!("more than {} networks", names::PLACES)))?;
    let mut rollback = Rollback::new();
    let end = End::claim(&netlink, network.clone(), id, place, wanted)?;
    let (name, addresses, own) = (network.name.clone(), end.addresses.clone(), id.to_owned());
    rollback.push(move || addresses.iter().try_for_each(|address| address::release(&name, *address, &own)));
    let bridge = host::ready(&netlink, &network)?;
    resolver::start(&network, bridge.index)?;
    ends.push(End { mtu: bridge.mtu, ..end });
    let net = changed.section(&ends)?;
    let (before, own) = (changed.net.clone(), id.to_owned());
    rollback.push(move || Changed::record(&own, &before, &End::all(&before)?));
    Changed::record(id, &net, &ends)?;
    let new = &ends[ends.len() - 1];
    let addresses = new.addresses.clone();
    // Of who had the addresses before.
    forget(&attach::of_addresses(&new.addresses))?;
    if netns::is_held(id) {
        let (own, inside) = (id.to_owned(), network.parent().is_some());
        rollback.push(move || end::unlink(&Netlink::open()?, &own, place, inside));
        new.link(&netlink, id, &bridge, false)?;
        end::configure(id, &[new], &ends)?;
    }
    // Where they half moved they lead to an address that is free in a moment: closed, a repair brings them back.
    changed
        .move_ports(&netlink, &ends, &lock)
        .inspect_err(|_| changed.close_ports(&lock).unwrap_or_else(|e| warn(&e)))?;
    rollback.disarm();
    // Nobody else waits for files that the container can keep from us.
    drop(lock);
    let linked = hosts::link(id, &changed.net.hosts, &net.hosts);
    for written in [hosts::add(id, &changed.doc, &addresses), linked, hosts::ask(id, &changed.net.dns, &net.dns)] {
        written.unwrap_or_else(|e| warn(&e));
    }
    Ok(network)
}

/// Takes container `id` off the network of that name; gives the network, where it is there. With `force` it need not be, nor its
/// record be whole.
///
/// # Errors
/// `not-found` where it is not on it, or there is no such network; the first failure of what is taken away, once all was
/// tried: the container is off it then.
pub fn disconnect(id: &str, word: &str, force: bool) -> Result<Option<Network>> {
    let changed = Changed::of(id)?;
    let netlink = Netlink::open()?;
    let lock = Lock::take()?;
    let network = match network::load(word) {
        Err(e) if matches!(e.code, Code::NotFound | Code::Corrupt) && force => None,
        other => Some(other?),
    };
    let name = network.as_ref().map_or(word, |network| &network.name);
    let Some(leaving) = changed.net.networks.iter().find(|attachment| attachment.name == name) else {
        let message = format!("container {} is not on network {name}", address::name_of(id));
        return Err(Error::new(Code::NotFound, message));
    };
    let staying = changed.net.networks.iter().filter(|attachment| attachment.name != name);
    let ends = staying.map(|attachment| End::read(&changed.net, attachment)).collect::<Result<Vec<_>>>()?;
    let net = changed.section(&ends)?;
    // What it leaves has a host's end in the section, or is inside alone.
    let inside = net_has_no_end(&changed.net, &leaving.interface);
    if let Some(place) = names::place_of(&leaving.interface) {
        end::unlink(&netlink, id, place, inside)?;
    }
    Changed::record(id, &net, &ends)?;

    let mut failures = Failures::default();
    let mut note = |result: Result<()>| {
        failures.note(result);
    };
    let addresses = changed.net.addresses(&leaving.interface);
    if netns::is_held(id) {
        note(end::configure(id, &[], &ends));
    }
    let moved = changed.move_ports(&netlink, &ends, &lock);
    // Ports that did not move lead to an address that is another's in a moment.
    let closed = if moved.is_err() { changed.close_ports(&lock) } else { Ok(()) };
    let is_free = closed.is_ok();
    note(moved);
    note(closed);
    if is_free {
        for address in &addresses {
            note(address::release(name, *address, id));
        }
    }
    // Nobody else waits for files that the container can keep from us.
    drop(lock);
    note(hosts::remove(id, &changed.doc, &addresses));
    note(hosts::link(id, &changed.net.hosts, &net.hosts));
    note(hosts::ask(id, &changed.net.dns, &net.dns));
    failures.end().map(|()| network)
}

/// Whether an interface has no end on the host: it is over a parent.
fn net_has_no_end(net: &Net, interface: &str) -> bool {
    let place = names::place_of(interface);
    let ends = net.interfaces.iter().filter_map(|end| names::id_of_veth(&end.name));
    !ends.map(|(_, at)| Some(at)).any(|at| at == place)
}
