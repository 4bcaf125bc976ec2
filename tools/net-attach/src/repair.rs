//! What leads a container to its networks, made again.

use crate::{
    attach,
    end::{self, End},
    host, hosts, plugins,
};
use ctr_core::{Document, Lock as Held, Result, container, trace};
use ctr_net::{Claim, Lock, Net, address, firewall, link, netns, port, port::Published, proxy, withdraw};
use ctr_netlink::{Link, Netlink, forget};

/// Makes again what a reboot or another program took away of what the section says; of the ports what [`Ports`] says.
///
/// The section is the record's, where it has one: `said` may be of before a change. Gives it.
///
/// # Errors
/// `exists` for an address or a port that another has by now; `not-found` for a network that was removed.
pub fn repair(id: &str, said: Net, is_to_run: bool) -> Result<Net> {
    let netlink = Netlink::open()?;
    let held = container::try_hold_limits(id)?;
    let lock = Lock::take()?;
    let record = container::recorded(id)?;
    let mut net = record.section::<Net>("net")?.unwrap_or(said);
    let mut ends = ends(id, &net, &netlink)?;
    let ports = Ports::of(id, &record, is_to_run, held.as_ref())?;
    let published = ports.publish(id, &net, &ends)?;
    let bridges = host::ready_all(&netlink, &mut ends)?;
    let wanted = firewall::wanted()?;
    if firewall::present()?.unwrap_or_default() != wanted {
        firewall::install(&wanted)?;
    }
    drop(lock);
    attach::resolvers(&ends, &bridges)?;
    forget(&attach::datagrams(&published.new))?;
    namespace(id)?;
    inside(id, &net, &netlink, &ends, &bridges)?;
    if ports != Ports::Others {
        proxy::carry(id)?;
    }
    if published.are_led() {
        attach::localnet(&ends)?;
    }
    plugins::repair(id, &net)?;
    // Others that were off the network meanwhile may have other addresses.
    let linked = link::hosts(&net);
    let before = std::mem::replace(&mut net.hosts, linked);
    // The container can keep the file from us.
    hosts::link(id, &before, &net.hosts).unwrap_or_else(|e| trace::warn(&e.to_string()));
    Ok(net)
}

/// What becomes of the container's ports: one that runs has them, and one that nobody has completed yet; at a start they are
/// claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    /// It runs.
    Running,
    /// It runs, and another changes it: what that one claims is not in the record yet.
    Changing,
    /// It is started, and this is that start's part.
    Starting,
    /// A pipe makes it, or its document was set aside: they are published before it is started, and not again then.
    Made,
    /// It does not run, and has none.
    Stopped,
    /// It does not run, and another starts, makes or changes it: they are that one's.
    Others,
}

impl Ports {
    /// `held`: what keeps others from starting or changing it; where another has that, it is a start, whose part this is if the
    /// document says that it `is_to_run`, or a change.
    fn of(id: &str, record: &Document, is_to_run: bool, held: Option<&Held>) -> Result<Self> {
        let runs = attach::runs(id)?;
        Ok(match held {
            Some(_) if runs => Self::Running,
            Some(_) if !container::is_complete(record) => Self::Made,
            Some(_) => Self::Stopped,
            None if runs => Self::Changing,
            // One whose end is just being recorded is not started yet.
            None if is_to_run && container::live_state(id)?.is_none() => Self::Starting,
            None => Self::Others,
        })
    }

    /// Claims them under the caller's lock, and gives back what else is claimed for the container, where nobody changes it.
    fn publish(self, id: &str, net: &Net, ends: &[End]) -> Result<Published> {
        if matches!(self, Self::Starting | Self::Stopped) {
            // One of a run before leaves, and may not have noticed yet.
            proxy::end(id)?;
        }
        // Off every network that has a way out it publishes nothing.
        let target = end::way_in(ends).and_then(End::target).filter(|_| !matches!(self, Self::Stopped | Self::Others));
        let mut published = match target {
            Some(target) => {
                let mappings = net.ports.iter().map(attach::mapping).collect::<Result<Vec<_>>>()?;
                port::publish(&mappings, id, target, net.publish_mode)?
            }
            None => Published::default(),
        };
        if matches!(self, Self::Running | Self::Changing) && !attach::runs(id)? {
            withdraw(&published.claims)?;
            published = Published::default();
        }
        if matches!(self, Self::Running | Self::Starting | Self::Stopped) {
            // What a ctr-port that was killed left behind is no longer in the record.
            let is_stale = |claim: &Claim| !published.claims.contains(claim);
            withdraw(&port::claims_of(id)?.into_iter().filter(is_stale).collect::<Vec<_>>())?;
        }
        Ok(published)
    }
}

/// The container's ends, whose networks and addresses are there.
fn ends(id: &str, net: &Net, netlink: &Netlink) -> Result<Vec<End>> {
    for attachment in net.networks.iter().filter(|attachment| !attachment.by_plugins()) {
        // The default one is made again.
        host::network(netlink, &attachment.name)?;
    }
    let ends = End::all(net)?;
    for end in &ends {
        address::claim(&end.network, id, &end.addresses, &[])?;
    }
    Ok(ends)
}

/// Holds the container's network namespace, or makes one for the next start.
fn namespace(id: &str) -> Result<()> {
    if netns::is_held(id) {
        return Ok(());
    }
    match container::live_state(id)?.and_then(|state| state.pid) {
        Some(pid) => netns::hold(id, &format!("/proc/{pid}/ns/net")),
        None => attach::namespace(id),
    }
}

/// Makes interfaces and routes again that are not whole; also of one that does not run: what is whole when it starts is left as it
/// is.
fn inside(id: &str, net: &Net, netlink: &Netlink, ends: &[End], bridges: &[Link]) -> Result<()> {
    let way_in = end::way_in(ends).map(|end| end.place).filter(|_| !net.ports.is_empty());
    let mut new = Vec::new();
    for (end, bridge) in ends.iter().zip(bridges) {
        if !end.is_whole(netlink, id, bridge)? {
            end.unlink(netlink, id)?;
            end.link(netlink, id, bridge, way_in == Some(end.place))?;
            new.push(end);
        }
    }
    let found = end::routes(id)?;
    if !new.is_empty() || end::gateways(ends).iter().any(|gateway| !found.contains(gateway)) {
        end::configure(id, &new, ends)?;
    }
    Ok(())
}
