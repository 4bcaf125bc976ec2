//! What leads a container to its networks: made.

use crate::{
    dns,
    end::{self, End},
    host, plugins,
    word::Wanted,
};
use ctr_core::{Code, Error, Map, Result, Rollback, Value, container, json};
use ctr_net::{
    Claim, Dns, Lock, Mapping, Net, PortMap, PublishMode, Target, cni, firewall, netns, network, port, proxy, resolver,
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
        let published = port::publish(&bound(&ends, ours), &self.id, target(&ends, ours)?, self.mode)?;
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

/// The same with the address that the network which they lead to has for those that name none.
pub fn bound(ends: &[End], mappings: &[Mapping]) -> Vec<Mapping> {
    let ip = end::way_in(ends).and_then(|end| end.network.host_binding());
    mappings.iter().map(|mapping| Mapping { ip: mapping.ip.or(ip), ..mapping.clone() }).collect()
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
pub fn resolvers(ends: &[End], bridges: &[Link]) -> Result<()> {
    ends.iter().zip(bridges).try_for_each(|(end, bridge)| resolver::start(&end.network, bridge.index))
}

/// Makes the namespace, with docker's parameters: ports below 1024 and ping are every user's; no address of IPv6 comes
/// by itself.
pub fn namespace(id: &str) -> Result<()> {
    netns::make(id, || {
        host::sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        host::sysctl("ipv4/ip_unprivileged_port_start", "0")?;
        host::sysctl("ipv4/ping_group_range", "0 2147483647")
    })
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
