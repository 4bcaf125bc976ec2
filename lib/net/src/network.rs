//! A network: its record `networks/<name>.json`.

use crate::{Subnet, address, cni, names, port, subnet, withdraw};
use ctr_core::{Cannot, Code, Error, Result, Value, container, files, ident, json, paths, trace};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Once,
};

/// The network of a container that names none; made when it is first needed.
pub const DEFAULT: &str = "bridge";

/// The driver of networks that plugins of CNI make.
pub const CNI: &str = "cni";

/// Names that mean no network of ours, each with what it means.
const RESERVED: [(&str, &str); 5] = [
    ("none", "loopback alone"),
    ("private", "loopback alone"),
    ("host", "the host's own interfaces"),
    ("default", "the network bridge"),
    ("container", "another container's interfaces"),
];

/// Most bytes of a name.
const MAX_NAME: usize = 128;

/// The drivers, each with the options that a network of it may have.
const DRIVERS: [(&str, &[&str]); 4] = [
    ("bridge", &["mtu", "isolate", "icc", "masquerade", "host_binding"]),
    ("macvlan", &["mtu", "parent", "macvlan_mode"]),
    ("ipvlan", &["mtu", "parent", "ipvlan_mode"]),
    (CNI, &["conflist"]),
];

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its name.
    pub name: String,
    /// 64 hex digits, as docker shows them; nothing derives from it.
    pub id: String,
    /// RFC 3339.
    pub created: String,
    /// `bridge`; `cni`, whose plugins do all; `macvlan` and `ipvlan`, whose containers are on the network of an interface of the host.
    pub driver: String,
    /// Its subnets: one of IPv4, and one of IPv6 if it has that.
    pub subnets: Vec<Pool>,
    /// The configuration list of its plugins, of driver `cni`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<Value>,
    /// Nothing outside is reached from it, nor reaches it.
    #[serde(default)]
    pub internal: bool,
    /// What the driver has of them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// For people.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Where addresses come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// All addresses.
    pub subnet: Subnet,
    /// The bridge's own.
    pub gateway: IpAddr,
    /// Those that containers get which name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<Subnet>,
    /// Those that others have, by what they are called: none of them is given out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aux: BTreeMap<String, IpAddr>,
}

impl Pool {
    /// Checks that its parts fit together; without a gateway the first address is it.
    ///
    /// # Errors
    /// `invalid`, naming the part.
    pub fn new(subnet: Subnet, gateway: Option<IpAddr>, ip_range: Option<Subnet>) -> Result<Self> {
        let bad = |why: String| Err(Error::new(Code::Invalid, why));
        let (least, most) = if subnet.max_prefix_len() == 32 { (8, 30) } else { (16, 126) };
        if !(least..=most).contains(&subnet.prefix_len()) {
            return bad(format!("subnet {subnet}: between {least} and {most} bits, to have two hosts"));
        }
        let first = subnet.network();
        let is_nobodys = match first {
            IpAddr::V4(first) => first.octets()[0] == 0,
            IpAddr::V6(first) => first.is_unicast_link_local() || first.segments()[0] == 0,
        };
        if is_nobodys || first.is_loopback() || first.is_multicast() {
            return bad(format!("subnet {subnet}: its addresses are no hosts'"));
        }
        let Some(gateway) = gateway.or_else(|| subnet::addresses(&subnet).nth(1)) else {
            return bad(format!("subnet {subnet} has no host"));
        };
        if !subnet::is_host(&subnet, gateway) {
            return bad(format!("gateway {gateway} is no host of subnet {subnet}"));
        }
        if let Some(range) = ip_range.filter(|range| !subnet.contains(range)) {
            return bad(format!("range {range} is not within subnet {subnet}"));
        }
        Ok(Self { subnet, gateway, ip_range, aux: BTreeMap::new() })
    }

    /// Whether the address is of its family.
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.gateway.is_ipv4() == address.is_ipv4()
    }
}

impl Network {
    /// A new one; it has no record yet.
    pub fn new(name: &str, pool: Pool) -> Self {
        Self {
            name: name.to_owned(),
            id: ident::new_id(),
            created: Timestamp::now().to_string(),
            driver: "bridge".to_owned(),
            subnets: vec![pool],
            cni: None,
            internal: false,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// A new one whose addresses are its plugins'.
    pub fn of_plugins(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: ident::new_id(),
            created: Timestamp::now().to_string(),
            driver: CNI.to_owned(),
            subnets: Vec::new(),
            cni: None,
            internal: false,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Its first subnet, that of IPv4.
    ///
    /// # Errors
    /// `corrupt` for a record without.
    pub fn pool(&self) -> Result<&Pool> {
        self.subnets.first().ok_or_else(|| Error::new(Code::Corrupt, format!("network {} has no subnet", self.name)))
    }

    /// Its subnet of IPv6, where it has that.
    pub fn six(&self) -> Option<&Pool> {
        self.subnets.iter().find(|pool| pool.gateway.is_ipv6())
    }

    /// Its bridge.
    pub fn bridge(&self) -> String {
        names::bridge(&self.name)
    }

    /// The interface that its containers' are over, where it has no bridge.
    pub fn parent(&self) -> Option<&str> {
        (self.driver != "bridge").then(|| self.options.get("parent").map(String::as_str).unwrap_or_default())
    }

    /// How those that are over one parent reach each other: docker's default where it is not said.
    pub fn mode(&self) -> &str {
        let default = if self.driver == "ipvlan" { "l2" } else { "bridge" };
        self.options.get(&format!("{}_mode", self.driver)).map_or(default, String::as_str)
    }

    /// The option `mtu`.
    pub fn mtu(&self) -> Option<u32> {
        self.options.get("mtu")?.parse().ok()
    }

    /// The option `isolate`: networks that have it off reach each other. On unless it is said.
    pub fn isolated(&self) -> bool {
        self.options.get("isolate").is_none_or(|word| word != "false")
    }

    /// The option `icc`: whether its containers reach each other. On unless it is said.
    pub fn icc(&self) -> bool {
        self.options.get("icc").is_none_or(|word| word != "false")
    }

    /// The option `masquerade`: whether what leaves it has the host's address, where nobody else routes to its own. On unless it
    /// is said.
    pub fn masquerades(&self) -> bool {
        self.options.get("masquerade").is_none_or(|word| word != "false")
    }

    /// The option `host_binding`: the address of the host whose ports lead to its containers where none is named.
    pub fn host_binding(&self) -> Option<IpAddr> {
        self.options.get("host_binding")?.parse().ok()
    }

    /// Writes the record; hold the [`Lock`](crate::Lock).
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_string(self).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        trace::act(
            "save",
            || json!({"network": self.name}),
            || {
                files::make_dir(&dir())?;
                files::replace(&record_file(&self.name), text.as_bytes(), true)
            },
        )
    }
}

/// Reads options of a network, `KEY=VALUE` each.
///
/// # Errors
/// `unsupported` for a driver, or a key of it, that is not there; `invalid` for a value that is none, or where one is missing.
pub fn options(driver: &str, words: &[String]) -> Result<BTreeMap<String, String>> {
    let Some((_, known)) = DRIVERS.iter().find(|(name, _)| *name == driver) else {
        let hint = DRIVERS.map(|(name, _)| name).join(", ");
        return Err(Error::new(Code::Unsupported, format!("driver {driver:?} of a network: not there")).hint(hint));
    };
    let mut options = BTreeMap::new();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        // docker's names of the same.
        let key = match key {
            "com.docker.network.driver.mtu" => "mtu",
            "com.docker.network.bridge.enable_icc" => "icc",
            "com.docker.network.bridge.enable_ip_masquerade" => "masquerade",
            "com.docker.network.bridge.host_binding_ipv4" => "host_binding",
            other => other,
        };
        if !known.contains(&key) {
            let message = format!("option {key:?} of a network of driver {driver}: not there");
            return Err(Error::new(Code::Unsupported, message).hint(known.join(", ")));
        }
        let good = match key {
            "mtu" => value.parse::<u32>().is_ok_and(|mtu| (68..=65535).contains(&mtu)),
            "conflist" => !value.is_empty(),
            "host_binding" => value.parse::<Ipv4Addr>().is_ok(),
            "isolate" | "icc" | "masquerade" => matches!(value, "true" | "false"),
            "macvlan_mode" => matches!(value, "bridge" | "private" | "vepa" | "passthru"),
            "ipvlan_mode" => matches!(value, "l2" | "l3" | "l3s"),
            _ => (1..=names::MAX_INTERFACE).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic()),
        };
        if !good {
            return Err(Error::new(Code::Invalid, format!("option {key}: not {value:?}")));
        }
        options.insert(key.to_owned(), value.to_owned());
    }
    if known.contains(&"parent") && !options.contains_key("parent") {
        return Err(Error::new(Code::Invalid, format!("driver {driver} needs an interface of the host"))
            .hint("-o parent=INTERFACE"));
    }
    if driver == CNI && !options.contains_key("conflist") {
        return Err(Error::new(Code::Invalid, "driver cni needs a configuration list").hint("-o conflist=FILE"));
    }
    Ok(options)
}

/// Checks the name of a network.
///
/// # Errors
/// `invalid`.
pub fn check_name(name: &str) -> Result<()> {
    let bad = |why: String| Err(Error::new(Code::Invalid, format!("invalid name {name:?} of a network: {why}")));
    if name.len() > MAX_NAME {
        return bad(format!("it has {} bytes, and {MAX_NAME} is the most", name.len()));
    }
    ident::check_name(name)?;
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, meaning)) => bad(format!("--network {name} means {meaning}, and has no record")),
        None => Ok(()),
    }
}

fn dir() -> PathBuf {
    paths::root().join("networks")
}

/// Where the record of that name is.
pub fn record_file(name: &str) -> PathBuf {
    dir().join(format!("{name}.json"))
}

/// The record of that name; `None` where there is none.
///
/// # Errors
/// `invalid` for what is no name; `corrupt` for a record that does not read, whatever the reason: one that is torn, no file, on a
/// bad block.
pub fn find(name: &str) -> Result<Option<Network>> {
    check_name(name)?;
    let path = record_file(name);
    let hint = format!("ctr network rm {name} takes it away");
    let corrupt = |why: String| {
        let message = format!("the record of network {name} is torn: {}: {why}", path.display());
        Error::new(Code::Corrupt, message).hint(&hint)
    };
    let text = match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.cannot(|| format!("read the record of network {name}, {}", path.display())),
    };
    let text = text.map_err(|e| Error { code: Code::Corrupt, ..e }.hint(&hint))?;
    let network: Network = serde_json::from_slice(&text).map_err(|e| corrupt(e.to_string()))?;
    if network.name != name {
        return Err(corrupt(format!("it names {:?}", network.name)));
    }
    match (network.driver.as_str(), &network.cni) {
        (CNI, Some(_)) => {}
        (CNI, None) => return Err(corrupt("it has no list of plugins".to_owned())),
        _ if network.subnets.is_empty() => return Err(corrupt("it has no subnet".to_owned())),
        _ => {}
    }
    Ok(Some(network))
}

/// The interface and the number of a VLAN (802.1q) in the name of a parent that is one of these, `eth0.50`; `None` for another.
pub fn vlan(parent: &str) -> Option<(&str, u16)> {
    let (base, id) = parent.rsplit_once('.')?;
    let number = id.parse::<u16>().ok().filter(|id| (1..=4094).contains(id))?;
    (!base.is_empty() && id == number.to_string()).then_some((base, number))
}

/// The network of that name, or of a prefix of an id that no other has.
///
/// # Errors
/// `not-found`, as well as those of [`find`].
pub fn load(word: &str) -> Result<Network> {
    if let Some(network) = find(word)? {
        return Ok(network);
    }
    let mut by_id = all()?.into_iter().filter(|network| network.id.starts_with(word));
    if let (Some(network), None) = (by_id.next(), by_id.next()) {
        return Ok(network);
    }
    let hint = if word == DEFAULT { "it is made with its first container" } else { "ctr network create makes one" };
    Err(Error::new(Code::NotFound, format!("no network {word}")).hint(hint))
}

/// The names of all that have a record, one that reads or not, sorted.
///
/// # Errors
/// The file system's.
pub fn names() -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(|| format!("read {}", dir().display()))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.cannot(|| format!("read {}", dir().display()))?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".json").filter(|name| check_name(name).is_ok()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Every network that has a record, by name; of those that do not read a warning, once a process.
///
/// # Errors
/// The file system's.
pub fn all() -> Result<Vec<Network>> {
    all_and_unread().map(|(networks, _)| networks)
}

/// The same, and the names of those whose record does not read: one that says nothing keeps no other from its work.
///
/// # Errors
/// The file system's.
pub fn all_and_unread() -> Result<(Vec<Network>, Vec<String>)> {
    static WARNED: Once = Once::new();
    let (mut networks, mut unread) = (Vec::new(), Vec::new());
    for name in names()? {
        match find(&name) {
            Err(e) if e.code == Code::Corrupt => unread.push((name, e)),
            other => networks.extend(other?),
        }
    }
    if !unread.is_empty() {
        WARNED.call_once(|| unread.iter().for_each(|(_, e)| trace::warn(&e.to_string())));
    }
    Ok((networks, unread.into_iter().map(|(name, _)| name).collect()))
}

/// Bits of the prefix of a subnet that nobody asked for by its numbers, of IPv4.
pub const DEFAULT_LENGTH: u8 = 16;

/// A subnet that nobody has: of 10.90.0.0/16 to 10.254.0.0/16 the first that no network has and that no route of
/// `routes` leads into.
///
/// # Errors
/// `limit` where all are taken.
pub fn free_subnet(routes: &[Subnet]) -> Result<Subnet> {
    let networks = all()?;
    let taken: Vec<Subnet> = networks.iter().flat_map(|n| &n.subnets).map(|pool| pool.subnet).collect();
    for second in 90..255 {
        let subnet = Subnet::new_assert(Ipv4Addr::new(10, second, 0, 0).into(), DEFAULT_LENGTH);
        if !taken.iter().chain(routes).any(|other| subnet::overlaps(other, &subnet)) {
            return Ok(subnet);
        }
    }
    Err(Error::new(Code::Limit, "every subnet from 10.90.0.0/16 to 10.254.0.0/16 is taken").hint("give --subnet"))
}

/// A subnet of IPv6 for the network of that id, of those that anybody may use: the 40 bits that RFC 4193, 3.2, wants to be
/// random are the id's.
pub fn local_subnet(id: &str) -> Subnet {
    let bits = u128::from_str_radix(id.get(..10).unwrap_or_default(), 16).unwrap_or_default();
    Subnet::new_assert(Ipv6Addr::from((0xfd << 120) | (bits << 80)).into(), 64)
}

/// Whether a subnet is of those that nobody else routes to, so that what leaves it is masqueraded: all of IPv4, and the
/// unique local ones (RFC 4193).
pub fn is_masqueraded(subnet: &Subnet) -> bool {
    match subnet {
        Subnet::V4(_) => true,
        Subnet::V6(subnet) => subnet.network().is_unique_local(),
    }
}

/// Refuses a subnet that overlaps another network's, or that a route of the host leads into.
///
/// # Errors
/// `exists`, naming the other.
pub fn check_free(subnet: &Subnet, routes: &[Subnet]) -> Result<()> {
    for network in all()? {
        if let Some(pool) = network.subnets.iter().find(|pool| subnet::overlaps(&pool.subnet, subnet)) {
            let message = format!("subnet {subnet} overlaps {} of network {}", pool.subnet, network.name);
            return Err(Error::new(Code::Exists, message));
        }
    }
    match routes.iter().find(|route| subnet::overlaps(route, subnet)) {
        Some(route) => Err(Error::new(Code::Exists, format!("subnet {subnet} overlaps {route}, a route of the host"))),
        None => Ok(()),
    }
}

/// That network `name` is in use, by whom, and what takes that one off it; `None`: nobody is on it. Those that are gone, whose
/// address a kill left, are not.
///
/// # Errors
/// The file system's.
pub fn in_use(name: &str) -> Result<Option<Error>> {
    let busy = |holder: String| Error::new(Code::Busy, format!("network {name} is in use: {holder}"));
    if let Some((address, holder)) = address::of_network(name)?.into_iter().find(|(_, id)| !address::is_lost(id)) {
        let e = busy(address::held(address, &holder));
        return Ok(Some(match container::recorded_name(&holder) {
            // Off a network without a readable record one comes by force alone.
            Some(called) if find(name).is_ok() => e.hint(format!("ctr network disconnect {name} {called}")),
            Some(called) => e.hint(format!("ctr network disconnect -f {name} {called}")),
            None => e.hint("remove that container"),
        }));
    }
    let made = cni::by_plugins()?;
    let record = made.iter().find(|record| record.key.network == name);
    Ok(record.map(|record| {
        // Its plugins' networks a container keeps.
        busy(format!("container {} is on it", address::name_of(&record.key.container_id))).hint("remove that container")
    }))
}

/// Removes the record of network `name`, and what those that are gone had of it; hold the [`Lock`](crate::Lock).
///
/// # Errors
/// `busy` while a container has an address on it; the file system's, as of a directory in its place that is not empty.
pub fn remove(name: &str) -> Result<()> {
    if let Some(busy) = in_use(name)? {
        return Err(busy);
    }
    for (address, id) in address::of_network(name)? {
        withdraw(&port::claims_of(&id)?)?;
        address::release(name, address, &id)?;
    }
    trace::act(
        "remove",
        || json!({"network": name}),
        || {
            let record = record_file(name);
            if record.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                // What somebody has put into it is not ours to throw away.
                fs::remove_dir(&record).cannot(|| format!("remove {}", record.display()))?;
            } else {
                files::remove_file(&record)?;
            }
            // Where somebody put another file there it stays.
            let _ = fs::remove_dir(address::root().join(name));
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pools_hold_together() {
        let net = |text: &str| subnet::parse(text).unwrap();
        let gateway = |text: &str| Pool::new(net(text), None, None).unwrap().gateway.to_string();
        assert_eq!((gateway("10.9.0.0/24"), gateway("fd00:9::/64")), ("10.9.0.1".to_owned(), "fd00:9::1".to_owned()));
        for (subnet, gateway, range) in [
            ("10.9.0.0/31", None, None),
            ("10.0.0.0/7", None, None),
            ("127.0.0.0/16", None, None),
            ("224.0.0.0/16", None, None),
            ("10.9.0.0/24", Some("10.9.1.1"), None),
            ("10.9.0.0/24", Some("10.9.0.255"), None),
            ("10.9.0.0/24", None, Some("10.9.1.0/25")),
            ("10.9.0.0/24", None, Some("10.9.0.0/23")),
            ("10.9.0.0/24", Some("fd00::1"), None),
            ("fe80::/64", None, None),
            ("fd00::/127", None, None),
        ] {
            let gateway = gateway.map(|text| text.parse().unwrap());
            let made = Pool::new(net(subnet), gateway, range.map(net));
            assert_eq!(made.unwrap_err().code, Code::Invalid, "{subnet}");
        }
    }

    #[test]
    fn parents_that_are_vlans() {
        assert_eq!((vlan("eth0.50"), vlan("bond0.7.4094")), (Some(("eth0", 50)), Some(("bond0.7", 4094))));
        for other in ["eth0", "eth0.", ".50", "eth0.0", "eth0.4095", "eth0.050", "eth0.x"] {
            assert_eq!(vlan(other), None, "{other}");
        }
    }

    #[test]
    fn local_subnets() {
        let subnet = local_subnet(&"0123456789abcdef".repeat(4));
        assert_eq!(subnet.to_string(), "fd01:2345:6789::/64");
        assert!(is_masqueraded(&subnet) && !is_masqueraded(&subnet::parse("2001:db8::/64").unwrap()));
    }

    #[test]
    fn options_are_known() {
        let options = |driver: &str, words: &[&str]| {
            super::options(driver, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(options("bridge", &["mtu=1400"]).unwrap()["mtu"], "1400");
        assert_eq!(options("bridge", &["com.docker.network.bridge.enable_icc=false"]).unwrap()["icc"], "false");
        assert_eq!(options("macvlan", &["parent=eth0", "macvlan_mode=vepa"]).unwrap().len(), 2);
        assert_eq!(options("bridge", &["com.docker.network.driver.mtu=1400"]).unwrap()["mtu"], "1400");
        let bound = options("bridge", &["com.docker.network.bridge.host_binding_ipv4=127.0.0.1"]).unwrap();
        assert_eq!(bound["host_binding"], "127.0.0.1");
        for (driver, bad) in [
            ("bridge", "mtu=x"),
            ("bridge", "com.docker.network.bridge.enable_ip_masquerade=no"),
            ("bridge", "host_binding=::1"),
            ("bridge", "mtu"),
            ("bridge", "icc=no"),
            ("bridge", "mtu=1"),
            ("macvlan", "macvlan_mode=x"),
            ("macvlan", "mtu=1400"),
            ("ipvlan", "parent=a b"),
            ("ipvlan", "parent="),
        ] {
            assert_eq!(options(driver, &[bad]).unwrap_err().code, Code::Invalid, "{bad}");
        }
        for (driver, bad) in [
            ("bridge", "parent=eth0"),
            ("bridge", "com.docker.network.bridge.name=br7"),
            ("macvlan", "icc=false"),
            ("macvlan", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1"),
            ("overlay", "mtu=1400"),
        ] {
            assert_eq!(options(driver, &[bad]).unwrap_err().code, Code::Unsupported, "{bad}");
        }
    }
}
