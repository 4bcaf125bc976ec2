//! What leads a container to its networks: made, or made again.

use crate::{
    dns,
    end::{self, End},
    host, hosts, plugins,
    word::Wanted,
};
use ctr_core::{Code, Error, Map, Result, Rollback, Value, container, json, trace};
use ctr_net::{
    Claim, Dns, Lock, Mapping, Net, PortMap, PublishMode, Target, cni, firewall, link, netns, network, port, proxy,
    resolver, withdraw,
};
use ctr_netlink::{Connections, Link, Netlink, forget};
use std::net::{IpAddr, Ipv4Addr};

/// What is asked for.
pub struct Attach {
    /// The container.
    pub id: String,
    /// The networks, the first of them first.
    pub networks: Vec<Wanted>,
    /// The ports.
    pub mappings: Vec<Mapping>,
    /// How what comes for them gets to the container.
    pub mode: PublishMode,
    /// What it is said to listen on, `80/tcp`.
    pub exposed: Vec<String>,
    /// Who resolves names.
    pub dns: Dns,
    /// Those of them that were asked for.
    pub upstreams: Vec<String>,
}

impl Attach {
    /// Does it; gives the section `net`, and the addresses for the step. What it did is taken back by `rollback`.
    ///
    /// # Errors
    /// `exists` for an address or a port that is taken, `limit` where no address is free, the kernel's.
    pub fn run(&self, rollback: &mut Rollback) -> Result<(Net, Map<String, Value>)> {
        let netlink = Netlink::open()?;
        let lock = Lock::take()?;
        let mut ends = self.claim(&netlink, rollback)?;
        // Where a network of ours is beside them the ports are its.
        let (ours, theirs) = if ends.is_empty() { (&[][..], &*self.mappings) } else { (&*self.mappings, &[][..]) };
        let mut by_plugins = plugins::plan(&self.id, &self.networks, theirs)?;
        let published = port::publish(ours, &self.id, target(&ends, ours)?, self.mode)?;
        let proxied = proxy::ports(&published.claims);
        let sockets = proxy::bind(&proxied)?;
        let bridges = host::ready_all(&netlink, &mut ends)?;
        // Of a gc that came between the table would be as it read the claims before.
        publish(&published)?;
        drop(lock);
        resolvers(&ends, &bridges)?;
        forget(&connections(&ends, &published.claims))?;
        let led = published.are_led();
        // The host's end in the network that ports lead to needs them on its way back (`hairpin`).
        let way_in = end::way_in(&ends).filter(|_| led).map(|end| &*end.network.name);
        namespace(&self.id)?;
        for (end, bridge) in ends.iter().zip(&bridges) {
            end.link(&netlink, &self.id, bridge, way_in == Some(&end.network.name))?;
        }
        end::configure(&self.id, &ends.iter().collect::<Vec<_>>(), &ends)?;
        proxy::start(&self.id, &proxied, sockets)?;
        if led {
            localnet(&ends)?;
        }
        for record in &mut by_plugins {
            cni::list::attach(record)?;
        }
        let dns = dns::on(ends.iter().map(|end| &end.network), &self.dns, &self.upstreams);
        let mut net = end::section(&self.id, &ends, dns, published.ports);
        for record in &by_plugins {
            plugins::enter(&mut net, record)?;
        }
        Ok((Net { exposed: self.exposed.clone(), publish_mode: self.mode, ..net }, addresses(&ends)))
    }

    /// Claims addresses on each network, or on none.
    fn claim(&self, netlink: &Netlink, rollback: &mut Rollback) -> Result<Vec<End>> {
        let mut ends: Vec<End> = Vec::new();
        let claimed = self.networks.iter().enumerate().try_for_each(|(place, wanted)| {
            let network = host::network(netlink, &wanted.network)?;
            if network.driver == network::CNI {
                return Ok(());
            }
            if ends.iter().any(|end| end.network.name == network.name) {
                return Err(Error::new(Code::Invalid, format!("network {} is named twice", network.name)));
            }
            ends.push(End::claim(netlink, network, &self.id, place, wanted)?);
            Ok(())
        });
        let (id, addresses) = (self.id.clone(), addresses(&ends));
        rollback.push(move || ctr_net::detach(&id, &addresses));
        claimed.map(|()| ends)
    }
}

/// The addresses as the step names them: a list for each network.
pub fn addresses(ends: &[End]) -> Map<String, Value> {
    ends.iter().map(|end| (end.network.name.clone(), json!(end.addresses))).collect()
}

/// Where published ports lead: to the address on the network of the default route.
pub fn target(ends: &[End], mappings: &[Mapping]) -> Result<Target> {
    match (end::way_in(ends).and_then(End::target), end::way_out(ends, false)) {
        (Some(address), _) => Ok(address),
        _ if mappings.is_empty() => Ok(Target { four: Ipv4Addr::UNSPECIFIED, six: None }),
        (None, Some(out)) => {
            let (name, driver) = (&out.network.name, &out.network.driver);
            let message = format!("network {name} is of driver {driver}: no port of the host leads to it");
            Err(Error::new(Code::Invalid, message))
        }
        (None, None) if ends.is_empty() => {
            let message = "it is on networks of CNI's plugins alone, which publish ports when it is made";
            Err(Error::new(Code::Unsupported, message))
        }
        (None, None) => {
            let names: Vec<_> = ends.iter().map(|end| end.network.name.as_str()).collect();
            let message = format!("network {} is internal: no port of it is reached from outside", names.join(", "));
            Err(Error::new(Code::Invalid, message))
        }
    }
}

/// Puts these claims into the firewall.
///
/// # Errors
/// Those of nft(8).
pub fn publish(published: &port::Published) -> Result<()> {
    firewall::add(&firewall::of_claims(&published.claims))
}

/// Whether the container's process runs.
///
/// # Errors
/// The file system's.
pub fn runs(id: &str) -> Result<bool> {
    Ok(container::live_state(id)?.is_some_and(|state| container::is_alive(&state)))
}

/// What the kernel remembers of who had the addresses, and the ports of UDP, before: it would be led to this container, or still
/// to the other.
pub fn connections(ends: &[End], claims: &[Claim]) -> Vec<Connections> {
    ends.iter().flat_map(|end| of_addresses(&end.addresses)).chain(datagrams(claims)).collect()
}

/// Those from these addresses and to them.
pub fn of_addresses(addresses: &[IpAddr]) -> Vec<Connections> {
    addresses.iter().flat_map(|address| [Connections::From(*address), Connections::To(*address)]).collect()
}

/// Those for the ports of UDP.
pub fn datagrams(claims: &[Claim]) -> Vec<Connections> {
    let udp = claims.iter().filter(|claim| claim.protocol == "udp");
    udp.map(|claim| Connections::Datagrams(claim.ip, claim.port)).collect()
}

/// Lets the host's own loopback reach published ports.
pub fn localnet(ends: &[End]) -> Result<()> {
    end::way_in(ends).map_or(Ok(()), |end| host::route_localnet(&end.network.bridge()))
}

/// Starts the resolvers of networks with names where they do not run.
fn resolvers(ends: &[End], bridges: &[Link]) -> Result<()> {
    ends.iter().zip(bridges).try_for_each(|(end, bridge)| resolver::start(&end.network, bridge.index))
}

/// Makes the namespace, with docker's parameters: ports below 1024 and ping are every user's; no address of IPv6 comes
/// by itself.
fn namespace(id: &str) -> Result<()> {
    netns::make(id, || {
        host::sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        host::sysctl("ipv4/ip_unprivileged_port_start", "0")?;
        host::sysctl("ipv4/ping_group_range", "0 2147483647")
    })
}

/// Makes again what a reboot or another program took away of what the section says; ports where the container runs, or
/// somebody starts it, by a document that says so, or nobody claims them at its start. What another that starts it has claimed
/// is let be.
///
/// # Errors
/// `exists` for an address or a port that another has by now; `not-found` for a network that was removed.
///
/// The section is the record's, where it has one: `said` may be of before a change. Gives it.
pub fn repair(id: &str, said: Net, is_to_run: bool) -> Result<Net> {
    let netlink = Netlink::open()?;
    // Where another has it that is a start, whose part this is, or a change.
    let held = container::try_hold_limits(id)?;
    let lock = Lock::take()?;
    let record = container::recorded(id)?;
    let mut net = record.section::<Net>("net")?.unwrap_or(said);
    for attachment in net.networks.iter().filter(|attachment| !attachment.by_plugins()) {
        // The default one is made again.
        host::network(&netlink, &attachment.name)?;
    }
    let mut ends = End::all(&net)?;
    for end in &ends {
        ctr_net::address::claim(&end.network, id, &end.addresses, &[])?;
    }
    let running = runs(id)?;
    let starts = is_to_run && held.is_none();
    // One that a pipe makes, or whose document was set aside, is published before it is started, and not again then.
    let begun = held.is_some() && !container::is_complete(&record);
    // What else it has is not this call's: another starts it, or makes it.
    let is_ours = if held.is_some() { running || !begun } else { starts && container::live_state(id)?.is_none() };
    if is_ours && !running {
        // One of a run before leaves, and may not have noticed yet.
        proxy::end(id)?;
    }
    // Off every network that has a way out it publishes nothing.
    let mut published = match end::way_in(&ends).and_then(End::target).filter(|_| running || starts || begun) {
        Some(target) => {
            let mappings = net.ports.iter().map(mapping).collect::<Result<Vec<_>>>()?;
            port::publish(&mappings, id, target, net.publish_mode)?
        }
        None => port::Published::default(),
    };
    if running && !runs(id)? {
        // It had ended by then: had it ended later, its end would close them.
        withdraw(&published.claims)?;
        published = port::Published::default();
    }
    // What a ctr-port that was killed left behind is no longer in the record; what one claims that goes on is not in it yet.
    let is_stale = |claim: &Claim| is_ours && !published.claims.contains(claim);
    withdraw(&port::claims_of(id)?.into_iter().filter(is_stale).collect::<Vec<_>>())?;
    let bridges = host::ready_all(&netlink, &mut ends)?;
    let wanted = firewall::wanted()?;
    if firewall::present()?.unwrap_or_default() != wanted {
        firewall::install(&wanted)?;
    }
    drop(lock);
    resolvers(&ends, &bridges)?;
    forget(&datagrams(&published.new))?;

    if !netns::is_held(id) {
        match container::live_state(id)?.and_then(|state| state.pid) {
            Some(pid) => netns::hold(id, &format!("/proc/{pid}/ns/net"))?,
            None => namespace(id)?,
        }
    }
    // Also of one that does not run: what is whole when it starts is left as it is.
    let way_in = end::way_in(&ends).map(|end| end.place).filter(|_| !net.ports.is_empty());
    let mut new = Vec::new();
    for (end, bridge) in ends.iter().zip(&bridges) {
        if !end.is_whole(&netlink, id, bridge)? {
            end.unlink(&netlink, id)?;
            end.link(&netlink, id, bridge, way_in == Some(end.place))?;
            new.push(end);
        }
    }
    let found = end::routes(id)?;
    if !new.is_empty() || end::gateways(&ends).iter().any(|gateway| !found.contains(gateway)) {
        end::configure(id, &new, &ends)?;
    }
    if is_ours || running || begun {
        proxy::carry(id)?;
    }
    if published.are_led() {
        localnet(&ends)?;
    }
    plugins::repair(id, &net)?;
    // Others that were off the network meanwhile may have other addresses.
    let linked = link::hosts(&net);
    let before = std::mem::replace(&mut net.hosts, linked);
    // The container can keep the file from us.
    hosts::link(id, &before, &net.hosts).unwrap_or_else(|e| trace::warn(&e.to_string()));
    Ok(net)
}

/// A port of the section, as it was asked for.
///
/// # Errors
/// `invalid` for a protocol that is none.
pub fn mapping(port: &PortMap) -> Result<Mapping> {
    let host = Some(port.host_port..=port.host_port);
    let protocol = port::protocol_of(&port.protocol)?;
    Ok(Mapping { ip: port.host_ip, host, container: port.container_port, protocol })
}
