//! A container's end of one network: its place in the section `net`, and what the kernel has of it.

use crate::{
    host,
    word::{self, Wanted},
};
use ctr_core::{Cannot, Code, Error, Result, trace};
use ctr_net::{
    Attachment, CNI_VERSION, Dns, Interface, Ip, Link as Linked, Net, Network, PortMap, PublishMode, Route, Target,
    address, link, names, netns, network,
};
use ctr_netlink::{Link, Netlink, Over, Veth};
use std::{
    cmp::Reverse,
    fs::File,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
};

/// The container's end.
#[derive(Debug)]
pub struct End {
    /// The network.
    pub network: Network,
    /// The number of its interface, and its place among the container's names on the host.
    pub place: usize,
    /// Its interface's name inside.
    pub interface: String,
    /// Its addresses, one of each subnet.
    pub addresses: Vec<IpAddr>,
    /// Its hardware address; none where it is the parent's.
    pub mac: Option<[u8; 6]>,
    /// Most bytes of a packet.
    pub mtu: u32,
    /// Names on the network.
    pub aliases: Vec<String>,
    /// Others by its own names for them.
    pub links: Vec<Linked>,
    /// How much it wants to be the way out.
    pub priority: i32,
}

impl End {
    /// Claims addresses of the network. Hold the lock.
    ///
    /// # Errors
    /// Those of [`address::claim`].
    pub fn claim(netlink: &Netlink, network: Network, id: &str, place: usize, wanted: &Wanted) -> Result<Self> {
        if network.driver == network::CNI {
            let message =
                format!("network {} is its plugins' of CNI: a container comes on it when it is made", network.name);
            return Err(Error::new(Code::Unsupported, message));
        }
        let shared = network.driver == "ipvlan";
        if shared && wanted.mac.is_some() {
            let message = format!("network {}: a container on ipvlan has its parent's hardware address", network.name);
            return Err(Error::new(Code::Invalid, message));
        }
        if network.name == network::DEFAULT && !wanted.aliases.is_empty() {
            let message = "the default network has no names: aliases are of networks that ctr network create makes";
            return Err(Error::new(Code::Usage, message));
        }
        if network.parent().is_some() && !wanted.aliases.is_empty() {
            let message =
                format!("network {}: networks of {} have no names, and no aliases", network.name, network.driver);
            return Err(Error::new(Code::Unsupported, message));
        }
        let links = link::settle(&network, &wanted.links)?;
        // Those of the host are its neighbours' there.
        let host = if network.parent().is_some() { netlink.addresses(None)? } else { Vec::new() };
        let host: Vec<IpAddr> = host.into_iter().map(|(address, _)| address).collect();
        let addresses = address::claim(&network, id, &wanted.addresses(), &host)?;
        let mac = wanted.mac.or_else(|| Some(mac_of(&addresses)).filter(|_| !shared));
        let (aliases, priority) = (wanted.aliases.clone(), wanted.priority);
        Ok(Self { network, place, interface: names::inside(place), addresses, mac, mtu: 0, aliases, links, priority })
    }

    /// What the section says of an attachment.
    ///
    /// # Errors
    /// `not-found` for a network that was removed; `invalid` for a section that does not hold together.
    pub fn read(net: &Net, attachment: &Attachment) -> Result<Self> {
        let place = names::place_of(&attachment.interface).ok_or_else(|| no_interface(attachment))?;
        Self::read_at(net, attachment, place)
    }

    /// The same of one whose place its interface's name does not tell.
    ///
    /// # Errors
    /// As [`End::read`].
    pub fn read_at(net: &Net, attachment: &Attachment, place: usize) -> Result<Self> {
        let Attachment { name, interface, aliases, links, gw_priority, driver: _ } = attachment;
        let (_, said) = net.inside(interface).ok_or_else(|| no_interface(attachment))?;
        let addresses = net.addresses(interface);
        if addresses.is_empty() {
            return Err(Error::new(Code::Invalid, format!("document: net has no address on {name}")));
        }
        let mac = said.mac.as_deref().map(word::mac).transpose()?;
        let mtu = said.mtu.unwrap_or_default();
        let network = network::load(name)?;
        Ok(Self {
            network,
            place,
            interface: interface.clone(),
            addresses,
            mac,
            mtu,
            aliases: aliases.clone(),
            links: links.clone(),
            priority: gw_priority.unwrap_or_default(),
        })
    }

    /// Every one of the section but for those that plugins of CNI made.
    ///
    /// # Errors
    /// As [`End::read`].
    pub fn all(net: &Net) -> Result<Vec<Self>> {
        net.networks.iter().filter(|a| !a.by_plugins()).map(|attachment| Self::read(net, attachment)).collect()
    }

    /// The gateways that it offers: on an internal network there is no way out.
    pub fn gateways(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.network.subnets.iter().filter(|_| !self.network.internal).map(|pool| pool.gateway)
    }

    fn offers(&self, six: bool) -> Option<IpAddr> {
        self.gateways().find(|gateway| gateway.is_ipv6() == six)
    }

    /// Where ports that are published on it lead.
    pub fn target(&self) -> Option<Target> {
        let four = self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let six = self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(*address),
        });
        four.map(|four| Target { four, six })
    }

    /// The bits of the subnet that an address of it is in.
    fn length(&self, address: IpAddr) -> u8 {
        let pool = self.network.subnets.iter().find(|pool| pool.is_of(address));
        pool.map_or(if address.is_ipv4() { 32 } else { 128 }, |pool| pool.subnet.prefix_len())
    }

    /// Makes the veth, whose host's end is a port of `bridge`; or the interface over that, where it is the network's parent.
    ///
    /// # Errors
    /// The kernel's.
    pub fn link(&self, netlink: &Netlink, id: &str, bridge: &Link, hairpin: bool) -> Result<()> {
        let netns = if trace::dry_run() { own_netns()? } else { netns::open(id)? };
        if self.network.parent().is_some() {
            return netlink.add_over(&Over {
                kind: &self.network.driver,
                mode: self.network.mode(),
                parent: bridge.index,
                name: &self.interface,
                mac: self.mac,
                netns: netns.as_fd(),
                mtu: bridge.mtu,
            });
        }
        let name = names::veth(id, self.place);
        let veth = Veth {
            name: &name,
            bridge: bridge.index,
            peer: &self.interface,
            mac: self.mac.unwrap_or_else(|| mac_of(&self.addresses)),
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

    /// Takes the interface away; it may be gone.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unlink(&self, netlink: &Netlink, id: &str) -> Result<()> {
        unlink(netlink, id, self.place, self.network.parent().is_some())
    }

    /// Gives the interface its addresses and sets it up; inside.
    fn address(&self, netlink: &Netlink) -> Result<()> {
        let name = &self.interface;
        let index = match netlink.link(name)? {
            Some(link) => link.index,
            None if trace::dry_run() => 0,
            None => return Err(Error::new(Code::NotFound, format!("interface {name} was taken away"))),
        };
        if self.addresses.iter().any(IpAddr::is_ipv6) {
            if self.network.parent().is_none() {
                // As of the bridge's: not even the address of the link is anybody else's.
                host::sysctl(&format!("ipv6/conf/{name}/accept_dad"), "0")?;
            }
            // No neighbour is its router but the bridge.
            host::sysctl(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
            host::sysctl(&format!("ipv6/conf/{name}/disable_ipv6"), "0")?;
        }
        for address in &self.addresses {
            netlink.add_address(index, *address, self.length(*address))?;
        }
        netlink.set_up(index, name)
    }

    /// Whether all of it is there, but for the routes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_whole(&self, netlink: &Netlink, id: &str, bridge: &Link) -> Result<bool> {
        if self.network.parent().is_none() {
            let link = netlink.link(&names::veth(id, self.place))?;
            if !link.is_some_and(|link| link.up && link.bridge == Some(bridge.index)) {
                return Ok(false);
            }
        }
        let found = look(id, &self.interface)?;
        Ok(self.addresses.iter().all(|address| found.contains(address)))
    }
}

/// Takes away the interface at a place: by the host's end, or inside where it has none.
///
/// # Errors
/// The kernel's.
pub fn unlink(netlink: &Netlink, id: &str, place: usize, inside: bool) -> Result<()> {
    if !inside {
        return netlink.delete(&names::veth(id, place)).map(drop);
    }
    if !netns::is_held(id) {
        return Ok(());
    }
    netns::enter(id, || Netlink::open()?.delete(&names::inside(place)).map(drop))
}

/// `02:42` and the address of IPv4, as docker makes them: the same address has the same neighbour.
fn mac_of(addresses: &[IpAddr]) -> [u8; 6] {
    let four = addresses.iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    });
    let [a, b, c, d] = four.unwrap_or_default();
    [0x02, 0x42, a, b, c, d]
}

fn no_interface(Attachment { name, interface, .. }: &Attachment) -> Error {
    Error::new(Code::Invalid, format!("document: net has no interface {interface} for {name}"))
}

fn own_netns() -> Result<OwnedFd> {
    File::open("/proc/thread-self/ns/net").map(Into::into).cannot(|| "open the network namespace")
}

/// The end by which a container's default route goes, of IPv4 or of IPv6: of those with a way out that of the highest
/// priority; of equals, as docker has it, one with both families, and then the first by name.
pub fn way_out(ends: &[End], six: bool) -> Option<&End> {
    let both = |end: &End| end.offers(true).is_some() && end.offers(false).is_some();
    let order = |end: &&End| (Reverse(end.priority), Reverse(both(end)), end.network.name.clone());
    ends.iter().filter(|end| end.offers(six).is_some()).min_by_key(order)
}

/// The end that published ports lead to: that of the way out of IPv4, if the host is on its network.
pub fn way_in(ends: &[End]) -> Option<&End> {
    way_out(ends, false).filter(|end| end.network.parent().is_none())
}

/// The gateways of the default routes.
pub fn gateways(ends: &[End]) -> Vec<IpAddr> {
    [false, true].into_iter().filter_map(|six| way_out(ends, six)?.offers(six)).collect()
}

/// Sets up what is inside the namespace: loopback, the addresses of `new`, the way out of all.
///
/// # Errors
/// The kernel's.
pub fn configure(id: &str, new: &[&End], all: &[End]) -> Result<()> {
    netns::enter(id, || {
        let netlink = Netlink::open()?;
        // The first interface of every network namespace.
        netlink.set_up(1, "lo")?;
        new.iter().try_for_each(|end| end.address(&netlink))?;
        gateways(all).into_iter().try_for_each(|gateway| netlink.add_default_route(gateway))
    })
}

/// The addresses that an interface of a container has; none where it is not there, or down.
///
/// # Errors
/// `not-found` without the namespace.
pub fn look(id: &str, inside: &str) -> Result<Vec<IpAddr>> {
    netns::enter(id, || {
        let netlink = Netlink::open()?;
        let Some(link) = netlink.link(inside)?.filter(|link| link.up) else { return Ok(Vec::new()) };
        Ok(netlink.addresses(Some(link.index))?.into_iter().map(|(address, _)| address).collect())
    })
}

/// Where the default routes of a container lead.
///
/// # Errors
/// `not-found` without the namespace.
pub fn routes(id: &str) -> Result<Vec<IpAddr>> {
    netns::enter(id, || Netlink::open()?.default_gateways())
}

/// The section `net` of a container with these ends.
pub fn section(id: &str, ends: &[End], (dns, upstreams): (Dns, Vec<String>), ports: Vec<PortMap>) -> Net {
    let netns = netns::path(id).to_string_lossy().into_owned();
    let plain = |name: String| Interface { name, mac: None, mtu: None, sandbox: None };
    let mut net = Net {
        cni_version: CNI_VERSION.to_owned(),
        name: ends.first().map_or_else(|| "none".to_owned(), |end| end.network.name.clone()),
        interfaces: Vec::new(),
        ips: Vec::new(),
        routes: Vec::new(),
        dns,
        upstreams,
        netns,
        ports,
        publish_mode: PublishMode::default(),
        exposed: Vec::new(),
        networks: Vec::new(),
        hosts: Vec::new(),
    };
    for end in ends {
        let own = Interface {
            name: end.interface.clone(),
            mac: end.mac.map(word::mac_text),
            mtu: Some(end.mtu),
            sandbox: Some(net.netns.clone()),
        };
        if end.network.parent().is_none() {
            net.interfaces.extend([plain(end.network.bridge()), plain(names::veth(id, end.place))]);
        }
        net.interfaces.push(own);
        let interface = net.interfaces.len() - 1;
        net.ips.extend(end.addresses.iter().map(|address| Ip {
            address: format!("{address}/{}", end.length(*address)),
            gateway: end.offers(address.is_ipv6()),
            interface,
        }));
        net.networks.push(Attachment {
            name: end.network.name.clone(),
            interface: end.interface.clone(),
            aliases: end.aliases.clone(),
            links: end.links.clone(),
            gw_priority: Some(end.priority).filter(|priority| *priority != 0),
            driver: None,
        });
    }
    let route = |gw: IpAddr| Route { dst: if gw.is_ipv4() { "0.0.0.0/0" } else { "::/0" }.to_owned(), gw };
    net.routes = gateways(ends).into_iter().map(route).collect();
    net.hosts = link::hosts(&net);
    net
}
