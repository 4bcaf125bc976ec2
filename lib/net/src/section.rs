//! Section `net` of the document: a CNI 1.1 result (CNI specification, "ADD Success"), with the network's name, the
//! namespace and the ports.

use ctr_core::{Code, Error, Result, Value};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Net {
    /// Of the result's form.
    pub cni_version: String,
    /// The first network.
    pub name: String,
    /// The bridge, the host's end and the container's end, of each network.
    pub interfaces: Vec<Interface>,
    /// The addresses.
    pub ips: Vec<Ip>,
    /// The routes of the container.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// What /etc/resolv.conf says.
    #[serde(default)]
    pub dns: Dns,
    /// Whom the network's resolver asks for what is no container's name; none: the host's servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<String>,
    /// The network namespace.
    pub netns: String,
    /// What is published.
    #[serde(default)]
    pub ports: Vec<PortMap>,
    /// How what comes for them gets to the container.
    #[serde(default, skip_serializing_if = "PublishMode::is_usual")]
    pub publish_mode: PublishMode,
    /// What it was said to listen on beside what its image says, `80/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// The networks that it is on, the first of them first.
    #[serde(default)]
    pub networks: Vec<Attachment>,
    /// Others by name, for /etc/hosts: those that it is linked to where no resolver knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
}

/// How what comes for a published port gets to the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// The firewall leads it on, before the host's own filters for what is for itself.
    #[default]
    Dnat,
    /// A process of the host takes it and passes it on.
    Proxy,
}

impl PublishMode {
    /// Reads `dnat` or `proxy`.
    ///
    /// # Errors
    /// `invalid`.
    pub fn parse(word: &str) -> Result<Self> {
        match word {
            "dnat" => Ok(Self::Dnat),
            "proxy" => Ok(Self::Proxy),
            _ => Err(Error::new(Code::Invalid, format!("no publish mode {word:?}")).hint("dnat or proxy")),
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
    fn is_usual(&self) -> bool {
        *self == Self::Dnat
    }
}

/// A container's place on one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The network.
    pub name: String,
    /// The container's interface on it, by its name inside.
    pub interface: String,
    /// What it is called there beside its name and the first digits of its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Others by names that it alone has for them there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// The default route goes by the network that has most of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw_priority: Option<i32>,
    /// `cni` where plugins made it; none: a driver of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

impl Attachment {
    /// Whether plugins of CNI made it.
    pub fn by_plugins(&self) -> bool {
        self.driver.as_deref() == Some(crate::network::CNI)
    }
}

/// Another container, by a name that this one alone has for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The other: its id on the default network, elsewhere any of its names there.
    pub container: String,
    /// The name.
    pub alias: String,
}

/// A line of hosts(5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Where it is.
    pub address: IpAddr,
    /// What it is called, the alias of the link first.
    pub names: Vec<String>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name where it is.
    pub name: String,
    /// Its hardware address, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Most bytes of a packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The network namespace of one that is not the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ip {
    /// With the bits of its subnet, `10.90.0.2/16`.
    pub address: String,
    /// The next hop; none on an internal network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Its interface, by its place in the list.
    pub interface: usize,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub dst: String,
    /// By whom.
    pub gw: IpAddr,
}

/// Who resolves names (resolv.conf(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Servers.
    #[serde(default)]
    pub nameservers: Vec<String>,
    /// Domains that short names are looked for in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Options of the resolver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A published port, as CNI's capability `portMappings` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortMap {
    /// The address of the host; none: every one, of IPv6 too where the container has that. `0.0.0.0` and `::` are every one
    /// of a family.
    #[serde(rename = "hostIP", default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// The host's port.
    pub host_port: u16,
    /// The container's port.
    pub container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl fmt::Display for PortMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host_ip, host_port, protocol, .. } = self;
        match host_ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:{host_port}/{protocol}"),
            Some(ip) => write!(f, "{ip}:{host_port}/{protocol}"),
            None => write!(f, "{host_port}/{protocol}"),
        }
    }
}

impl PortMap {
    /// Whether it is on this address of the host, or on all of that family.
    pub fn is_at(&self, ip: IpAddr) -> bool {
        self.host_ip.map_or(ip.is_unspecified(), |own| own == ip)
    }

    /// An element of `net.ports`; `None` for what has not its form.
    pub fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

impl Net {
    /// The container's interface of that name, and its place in the list.
    pub fn inside(&self, name: &str) -> Option<(usize, &Interface)> {
        self.interfaces.iter().enumerate().find(|(_, interface)| interface.sandbox.is_some() && interface.name == name)
    }

    /// The addresses of the container's interface of that name, without their prefixes.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let Some((place, _)) = self.inside(name) else { return Vec::new() };
        let ips = self.ips.iter().filter(|ip| ip.interface == place);
        ips.filter_map(|ip| ip.address.split('/').next()?.parse().ok()).collect()
    }
}
