//! A container's end of a network, and what leads to it; made, or made again.

use crate::{dns, host, mac_text};
use ctr_core::{Code, Error, Map, Result, Rollback, container, json, trace};
use ctr_net::{
    Attachment, CNI_VERSION, Claim, Interface, Ip, Lock, Mapping, Net, Network, Route, address, firewall, names, netns,
    port, resolver,
};
use ctr_netlink::{Link, Netlink, Veth};
use std::{fs::File, net::Ipv4Addr, os::fd::AsFd, thread};

/// The container's interface, as docker calls it.
pub const INTERFACE: &str = "eth0";

/// What is asked for.
pub struct Attach {
    /// The container.
    pub id: String,
    /// The network, by name.
    pub network: String,
    /// An address; else any.
    pub ip: Option<Ipv4Addr>,
    /// A hardware address; else one made of the address.
    pub mac: Option<[u8; 6]>,
    /// The ports.
    pub mappings: Vec<Mapping>,
    /// Who resolves names.
    pub dns: ctr_net::Dns,
    /// Those of them that were asked for.
    pub upstreams: Vec<String>,
}

impl Attach {
    /// Does it; gives the section `net`. What it did is taken back by `rollback`.
    ///
    /// # Errors
    /// `exists` for an address or a port that is taken, `limit` where no address is free, the kernel's.
    pub fn run(&self, rollback: &mut Rollback) -> Result<Net> {
        let netlink = Netlink::open()?;
        let lock = Lock::take()?;
        let network = host::network(&netlink, &self.network)?;
        if network.internal && !self.mappings.is_empty() {
            let message = format!("network {} is internal: no port of it is reached from outside", network.name);
            return Err(Error::new(Code::Invalid, message));
        }
        let address = address::claim(&network, &self.id, self.ip)?;
        let addresses = Map::from_iter([(network.name.clone(), json!(address))]);
        let id = self.id.clone();
        rollback.push(move || ctr_net::detach(&id, &addresses));
        let published = port::publish(&self.mappings, &self.id, address)?;
        let bridge = host::ready(&netlink, &network)?;
        drop(lock);
        resolver::start(&network, bridge.index)?;

        let end = End { id: &self.id, network: &network, address, mac: self.mac.unwrap_or_else(|| mac_of(address)) };
        if published.claims.is_empty() {
            end.make(&netlink, &bridge, false)?;
        } else {
            // What nft does takes as long as all the rest. Its thread stays in the host's namespace.
            thread::scope(|scope| {
                let rules = scope.spawn(|| publish(&published));
                let made = end.make(&netlink, &bridge, true);
                let rules =
                    rules.join().unwrap_or_else(|_| Err(Error::new(Code::Internal, "the firewall was not changed")));
                made.and(rules)
            })?;
            host::route_localnet(&bridge.name)?;
        }
        Ok(self.section(&end, &bridge, &published.claims))
    }

    fn section(&self, end: &End<'_>, bridge: &Link, claims: &[Claim]) -> Net {
        let gateway = end.gateway();
        let netns = netns::path(&self.id).to_string_lossy().into_owned();
        let plain = |name: &str| Interface { name: name.to_owned(), mac: None, mtu: None, sandbox: None };
        let own = Interface {
            mac: Some(mac_text(end.mac)),
            mtu: Some(bridge.mtu),
            sandbox: Some(netns.clone()),
            ..plain(INTERFACE)
        };
        let (dns, upstreams) = dns::on(end.network, &self.dns, &self.upstreams);
        let length = end.network.pool().map_or(32, |pool| pool.subnet.length());
        Net {
            cni_version: CNI_VERSION.to_owned(),
            name: end.network.name.clone(),
            interfaces: vec![plain(&bridge.name), plain(&names::veth(&self.id)), own],
            ips: vec![Ip { address: format!("{}/{length}", end.address), gateway, interface: 2 }],
            routes: gateway.map(|gw| Route { dst: "0.0.0.0/0".to_owned(), gw }).into_iter().collect(),
            dns,
            upstreams,
            netns,
            ports: claims.iter().map(Claim::mapping).collect(),
            networks: vec![Attachment {
                name: end.network.name.clone(),
                interface: INTERFACE.to_owned(),
                aliases: Vec::new(),
            }],
        }
    }
}

fn publish(published: &port::Published) -> Result<()> {
    let elements = |claims: &[Claim]| claims.iter().map(firewall::of_claim).collect::<Vec<_>>();
    firewall::change(&elements(&published.ousted), &elements(&published.claims))
}

/// `02:42` and the address, as docker makes them: the same address has the same neighbour.
fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// The container's end.
struct End<'a> {
    id: &'a str,
    network: &'a Network,
    address: Ipv4Addr,
    mac: [u8; 6],
}

impl End<'_> {
    /// On an internal network there is no way out.
    fn gateway(&self) -> Option<Ipv4Addr> {
        self.network.pool().ok().map(|pool| pool.gateway).filter(|_| !self.network.internal)
    }

    fn make(&self, netlink: &Netlink, bridge: &Link, hairpin: bool) -> Result<()> {
        self.namespace()?;
        self.link(netlink, bridge, hairpin)?;
        self.inside()
    }

    /// Makes the namespace, with docker's parameters: ports below 1024 and ping are every user's; no address of IPv6 comes
    /// by itself.
    fn namespace(&self) -> Result<()> {
        netns::make(self.id, || {
            host::sysctl("ipv6/conf/default/disable_ipv6", "1")?;
            host::sysctl("ipv4/ip_unprivileged_port_start", "0")?;
            host::sysctl("ipv4/ping_group_range", "0 2147483647")
        })
    }

    /// Makes the veth.
    fn link(&self, netlink: &Netlink, bridge: &Link, hairpin: bool) -> Result<()> {
        let name = names::veth(self.id);
        let netns = if trace::dry_run() { own_netns()? } else { netns::open(self.id)? };
        let veth = Veth {
            name: &name,
            bridge: bridge.index,
            peer: INTERFACE,
            mac: self.mac,
            netns: netns.as_fd(),
            mtu: bridge.mtu,
        };
        match netlink.add_veth(&veth) {
            // One of this container's from before, which the kernel has not taken away yet.
            Err(e) if e.code == Code::Exists => {
                netlink.delete(&name)?;
                netlink.add_veth(&veth)?;
            }
            other => other?,
        }
        // Where bridges hand frames to netfilter, a container reaches itself by a port of the host only so.
        if hairpin || !self.network.icc() {
            netlink.set_port(&name, hairpin, !self.network.icc())?;
        }
        Ok(())
    }

    /// Sets up what is inside: loopback, the address, the way out.
    fn inside(&self) -> Result<()> {
        netns::enter(self.id, || {
            let netlink = Netlink::open()?;
            // The first interface of every network namespace.
            netlink.set_up(1, "lo")?;
            let index = match netlink.link(INTERFACE)? {
                Some(link) => link.index,
                None if trace::dry_run() => 0,
                None => return Err(Error::new(Code::NotFound, format!("interface {INTERFACE} was taken away"))),
            };
            netlink.add_address(index, self.address, self.network.pool()?.subnet.length())?;
            netlink.set_up(index, INTERFACE)?;
            self.gateway().map_or(Ok(()), |gateway| netlink.add_default_route(gateway))
        })
    }

    /// Whether all of that is there.
    fn is_whole(&self, netlink: &Netlink, bridge: &Link) -> Result<bool> {
        let link = netlink.link(&names::veth(self.id))?;
        if !link.is_some_and(|link| link.up && link.bridge == Some(bridge.index)) {
            return Ok(false);
        }
        let found = look(self.id)?;
        let gateway = self.gateway().is_none_or(|gateway| found.gateways.contains(&gateway));
        Ok(found.addresses.contains(&self.address) && gateway)
    }
}

fn own_netns() -> Result<std::os::fd::OwnedFd> {
    use ctr_core::Cannot;
    File::open("/proc/thread-self/ns/net").map(Into::into).cannot(|| "open the network namespace")
}

/// What is inside a container's namespace.
#[derive(Default)]
pub struct Inside {
    /// The addresses of its interface.
    pub addresses: Vec<Ipv4Addr>,
    /// Where its default routes lead.
    pub gateways: Vec<Ipv4Addr>,
}

/// Looks.
///
/// # Errors
/// `not-found` without the namespace.
pub fn look(id: &str) -> Result<Inside> {
    netns::enter(id, || {
        let netlink = Netlink::open()?;
        let Some(link) = netlink.link(INTERFACE)?.filter(|link| link.up) else { return Ok(Inside::default()) };
        let addresses = netlink.addresses(link.index)?.into_iter().map(|(address, _)| address).collect();
        Ok(Inside { addresses, gateways: netlink.default_gateways()? })
    })
}

/// Makes again what a reboot or another program took away of what the section says.
///
/// # Errors
/// `exists` for an address or a port that another has by now; `not-found` for a network that was removed.
pub fn repair(id: &str, net: &Net) -> Result<()> {
    let netlink = Netlink::open()?;
    let lock = Lock::take()?;
    let network = host::network(&netlink, &net.name)?;
    let address = net.address().ok_or_else(|| Error::new(Code::Invalid, "document: net has no address"))?;
    let address = address::claim(&network, id, Some(address))?;
    let mapping = |port: &ctr_net::PortMap| {
        let host = Some(port.host_port..=port.host_port);
        let protocol = port::protocol_of(&port.protocol)?;
        Ok(Mapping { ip: port.host_ip, host, container: port.container_port, protocol })
    };
    let mappings = net.ports.iter().map(mapping).collect::<Result<Vec<_>>>()?;
    let published = port::publish(&mappings, id, address)?;
    let bridge = host::ready(&netlink, &network)?;
    let wanted = firewall::wanted()?;
    if firewall::present()?.as_ref() != Some(&wanted) {
        firewall::install(&wanted)?;
    }
    drop(lock);
    resolver::start(&network, bridge.index)?;

    let said = net.inside().and_then(|interface| interface.mac.as_deref());
    let mac = said.map_or_else(|| Ok(mac_of(address)), crate::mac)?;
    let end = End { id, network: &network, address, mac };
    if !netns::is_held(id) {
        match container::live_state(id)?.and_then(|state| state.pid) {
            Some(pid) => netns::hold(id, &format!("/proc/{pid}/ns/net"))?,
            None => end.namespace()?,
        }
    }
    let hairpin = !published.claims.is_empty();
    if !end.is_whole(&netlink, &bridge)? {
        netlink.delete(&names::veth(id))?;
        end.link(&netlink, &bridge, hairpin)?;
        end.inside()?;
    }
    if hairpin { host::route_localnet(&bridge.name) } else { Ok(()) }
}
