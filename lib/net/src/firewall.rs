//! The firewall's table of this instance, a table of its own beside everybody else's: masquerade, published ports, what
//! networks keep from each other. Its chains never change; what does are the elements of its sets and maps, and those
//! derive from the records.

use crate::{
    Claim, Network, PublishMode, Subnet, address,
    elements::{self, Port},
    names,
    network::{self, Pool},
    port, resolver,
};
use ctr_core::{Cannot, Code, Error, Result, Value, json, trace};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{ErrorKind, Write},
    net::{IpAddr, Ipv4Addr},
    process::{Command, Output, Stdio},
};

/// The table's chains. Priorities are numbers, for the names of some are not taken in every hook by nft 1.0.
///
/// What comes from a container for 127/8, or as from there, is dropped: with `route_localnet`, by which the host's own
/// loopback reaches published ports, it would reach what listens on the host's loopback. So is what comes with a source that
/// is not behind its bridge: neither the kernel's `rp_filter` nor masquerade keeps such from others. To look up the route of
/// each costs a bulk transfer two of a hundred; what comes from the bridge's own subnet is known by one key, where that and
/// its gateway are of the usual form (a route that leads into such a subnet later is not asked for). What a neighbour sends
/// for 127/8 is not led on, for that would be before the kernel finds it martian; the host's own is led on in the hook output.
/// What is for ::1 is not led on: the kernel lets nothing from there out by another interface, whatever becomes of its address.
/// Containers of one bridge that talk by a port of the host are masqueraded, for else the answer would go past the host;
/// that is told by their addresses, for where bridges hand frames to netfilter the hook knows no incoming interface. What
/// belongs to no connection is not masqueraded by the kernel, and would go out with a container's address. What a container
/// asks the resolver of its network goes to that one's own port, before any published one.
const CHAINS: &str = "\
	set bridges { type ifname; }
	set homes { type ifname . ipv4_addr; }
	set within { type ifname . ifname; }
	set open { type ifname; }
	set internal { type ifname; }
	set secluded { type ifname; }
	set resolvers { type ipv4_addr; }
	set near { type ipv4_addr . ipv4_addr; flags interval; }
	set outward { type ipv4_addr; flags interval; }
	set near6 { type ipv6_addr . ipv6_addr; flags interval; }
	set outward6 { type ipv6_addr; flags interval; }
	map ports { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
	map ports6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
	map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; }
	map ports_any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
	chain spoofed {
		type filter hook prerouting priority -300;
		ip daddr 127.0.0.0/8 iifname @bridges drop
		ip saddr & HOST_BITS != 0.0.0.1 iifname . ip saddr & SUBNET_BITS @homes accept
		iifname != @bridges accept
		ip saddr 127.0.0.0/8 drop
		meta nfproto ipv4 fib saddr . iif oif missing drop
		ip6 saddr != { ::, fe80::/10 } fib saddr . iif oif missing drop
	}
	chain publish {
		meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . ip daddr . th dport map @ports
		meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @ports_any
		ip6 daddr ::1 return
		meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6
		meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . th dport map @ports_any6
	}
	chain prerouting {
		type nat hook prerouting priority -100;
		ip daddr @resolvers th dport 53 meta l4proto { tcp, udp } fib daddr . iif type local redirect to :RESOLVER
		ip daddr 127.0.0.0/8 return
		fib daddr type local jump publish
	}
	chain output {
		type nat hook output priority -100;
		fib daddr type local jump publish
	}
	chain postrouting {
		type nat hook postrouting priority 100;
		ip saddr . ip daddr @near ct status dnat masquerade
		ip saddr 127.0.0.0/8 oifname @bridges masquerade
		ip saddr @outward oifname != @bridges masquerade
		ip6 saddr . ip6 daddr @near6 ct status dnat masquerade
		ip6 saddr @outward6 oifname != @bridges masquerade
	}
	chain forward {
		type filter hook forward priority 0;
		ct state established,related accept
		iifname @secluded oifname @secluded ct status dnat accept
		iifname @secluded oifname @secluded drop
		iifname . oifname @within accept
		iifname @bridges ct state invalid drop
		iifname @internal drop
		oifname @internal drop
		ct status dnat accept
		iifname @open oifname @open accept
		oifname @bridges drop
	}
";

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    set: String,
    key: String,
    value: Option<String>,
}

impl Element {
    fn new(set: &str, key: impl Into<String>) -> Self {
        Self { set: set.to_owned(), key: key.into(), value: None }
    }

    /// A command of nft(8) about it.
    fn command(&self, verb: &str) -> String {
        let value = self.value.iter().filter(|_| verb == "add").map(|value| format!(" : {value}"));
        format!("{verb} element inet {} {} {{ {}{} }}", names::table(), self.set, self.key, value.collect::<String>())
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.key, self.set)
    }
}

/// The elements of a network; one without a bridge has none.
pub fn of_network(network: &Network) -> Vec<Element> {
    if network.parent().is_some() {
        return Vec::new();
    }
    let bridge = format!("\"{}\"", network.bridge());
    let mut elements = vec![Element::new("bridges", &bridge), Element::new("within", format!("{bridge} . {bridge}"))];
    for Pool { subnet, gateway, .. } in &network.subnets {
        let six = if gateway.is_ipv6() { "6" } else { "" };
        elements.push(Element::new(&format!("near{six}"), format!("{subnet} . {subnet}")));
        if is_home(subnet, *gateway) {
            elements.push(Element::new("homes", format!("{bridge} . {}", subnet.network())));
        }
        if !network.internal && network.masquerades() && network::is_masqueraded(subnet) {
            elements.push(Element::new(&format!("outward{six}"), subnet.to_string()));
        }
    }
    if network.internal {
        elements.push(Element::new("internal", &bridge));
    }
    if !network.isolated() {
        elements.push(Element::new("open", &bridge));
    }
    elements.extend(resolver::address(network).map(|address| Element::new("resolvers", address.to_string())));
    if !network.icc() {
        // Its ports do not hand frames to each other; neither is this host the way round.
        elements.push(Element::new("secluded", &bridge));
    }
    elements
}

/// The elements of a bridge that nothing goes through.
fn closed(network: &str) -> [Element; 2] {
    ["bridges", "internal"].map(|set| Element::new(set, format!("\"{}\"", names::bridge(network))))
}

/// Whether what comes from there is known by one key: the size is the usual one, and so is the gateway, whose address no
/// container has.
fn is_home(subnet: &Subnet, gateway: IpAddr) -> bool {
    let (IpAddr::V4(first), IpAddr::V4(gateway)) = (subnet.network(), gateway) else { return false };
    subnet.prefix_len() == network::DEFAULT_LENGTH && gateway.to_bits() == first.to_bits() + 1
}

/// The elements of published ports; those that a proxy has need none.
pub fn of_claims(claims: &[Claim]) -> Vec<Element> {
    let led = claims.iter().filter(|claim| claim.mode == PublishMode::Dnat);
    led.map(of_claim).collect()
}

/// The element of a published port.
fn of_claim(claim: &Claim) -> Element {
    let Claim { protocol, ip, port, target, target_port, .. } = claim;
    let value = Some(format!("{target} . {target_port}"));
    let six = if ip.is_ipv6() { "6" } else { "" };
    if ip.is_unspecified() {
        Element { set: format!("ports_any{six}"), key: format!("{protocol} . {port}"), value }
    } else {
        Element { set: format!("ports{six}"), key: format!("{protocol} . {ip} . {port}"), value }
    }
}

/// What the records ask for: the claims of ports, and all networks, for a bridge may be up that no container is on; nothing
/// where no address is in use on any.
///
/// Of a network whose record does not read the kernel's elements stay, for nobody knows which are its; where the kernel has none
/// either, nothing is let through to it or from it.
///
/// # Errors
/// Those of reading them.
pub fn wanted() -> Result<BTreeSet<Element>> {
    let mut elements: BTreeSet<Element> = of_claims(&port::claims()?).into_iter().collect();
    let (mut networks, mut in_use) = (Vec::new(), false);
    let (all, unread) = network::all_and_unread()?;
    for network in &all {
        in_use |= !address::of_network(&network.name)?.is_empty();
        networks.extend(of_network(network));
    }
    if !unread.is_empty() {
        let kept: Vec<Element> = present()?.into_iter().flatten().filter(|e| !e.set.starts_with("ports")).collect();
        for name in &unread {
            in_use |= !address::of_network(name)?.is_empty();
            let [bridge, internal] = closed(name);
            if !kept.contains(&bridge) {
                networks.extend([bridge, internal]);
            }
        }
        networks.extend(kept);
    }
    elements.extend(networks.into_iter().filter(|_| in_use));
    Ok(elements)
}

/// What the kernel has; `None` where the table is gone, or others have taken rules out of its chains or put some in.
///
/// # Errors
/// `unsupported` without nft(8).
pub fn present() -> Result<Option<BTreeSet<Element>>> {
    let out = nft(&["-j", "list", "table", "inet", &names::table()], "")?;
    if !out.status.success() {
        return if is_gone(&out) { Ok(None) } else { Err(failure("list the table", &out)) };
    }
    let listing: Value = serde_json::from_slice(&out.stdout)
        .map_err(|e| Error::new(Code::Internal, format!("cannot read what nft lists: {e}")))?;
    let objects = listing["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rules(objects) != rules_of_chains() {
        return Ok(None);
    }
    let mut elements = BTreeSet::new();
    for object in objects {
        let Some(set) = object.get("set").or(object.get("map")) else { continue };
        for element in set["elem"].as_array().into_iter().flatten() {
            let name = set["name"].as_str().unwrap_or_default().to_owned();
            let (key, value) = match element.as_array().map(Vec::as_slice) {
                Some([key, value]) => (key, Some(text(value, &Value::Null))),
                _ => (element, None),
            };
            elements.insert(Element { set: name, key: text(key, &set["type"]), value });
        }
    }
    Ok(Some(elements))
}

/// How many rules each chain has that nft(8) lists.
fn rules(objects: &[Value]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for object in objects {
        if let Some(chain) = object["chain"]["name"].as_str() {
            count.entry(chain).or_insert(0);
        }
        if let Some(chain) = object["rule"]["chain"].as_str() {
            *count.entry(chain).or_insert(0) += 1;
        }
    }
    count
}

/// The same of [`CHAINS`]: a rule is a line.
fn rules_of_chains() -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for chain in CHAINS.split("\tchain ").skip(1) {
        let rules = chain.lines().filter(|line| line.starts_with("\t\t") && !line.starts_with("\t\ttype "));
        count.insert(chain.split(' ').next().unwrap_or_default(), rules.count());
    }
    count
}

/// libnftables-json(5): a value, a prefix, a concatenation, of that type; an interface is written in quotation marks.
fn text(value: &Value, kind: &Value) -> String {
    if let Some(parts) = value["concat"].as_array() {
        let parts = parts.iter().enumerate().map(|(at, part)| text(part, &kind[at]));
        return parts.collect::<Vec<_>>().join(" . ");
    }
    if let Some(prefix) = value.get("prefix") {
        return format!("{}/{}", text(&prefix["addr"], kind), prefix["len"]);
    }
    match value.as_str() {
        Some(word) if kind == "ifname" => format!("\"{word}\""),
        Some(word) => word.to_owned(),
        None => value.to_string(),
    }
}

/// Makes the whole table anew, of `elements`, in one transaction: there is no moment without it.
///
/// # Errors
/// `unsupported` without nft(8) or nftables in the kernel; `denied`.
pub fn install(elements: &BTreeSet<Element>) -> Result<()> {
    let table = names::table();
    let adds: String = elements.iter().map(|element| element.command("add") + "\n").collect();
    let host = u32::MAX >> network::DEFAULT_LENGTH;
    let bits = |bits| Ipv4Addr::from_bits(bits).to_string();
    let chains = CHAINS.replace("RESOLVER", &resolver::PORT.to_string());
    let chains = chains.replace("HOST_BITS", &bits(host)).replace("SUBNET_BITS", &bits(!host));
    // The first line makes it, so that there is one to be deleted.
    let text = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{chains}}}\n{adds}");
    let shown: Vec<String> = elements.iter().map(ToString::to_string).collect();
    trace::act("nft", || json!({"install": table, "elements": shown}), || run(&text))
}

/// Adds elements, in one transaction; they may be there already. A table that is gone, that another release made without one of
/// these sets, or that has others in their place, which nobody claims, is made anew. What is added is claimed by now, as
/// [`wanted`] reads it.
///
/// # Errors
/// As [`install`].
pub fn add(elements: &[Element]) -> Result<()> {
    match apply(&[], elements) {
        Err(e) if matches!(e.code, Code::NotFound | Code::Exists) => {
            install(&wanted()?.into_iter().chain(elements.iter().cloned()).collect())
        }
        other => other,
    }
}

fn apply(away: &[Element], add: &[Element]) -> Result<()> {
    if away.is_empty() && add.is_empty() {
        return Ok(());
    }
    if let (Some(gone), Some(new)) = (ports(away), ports(add)) {
        let shown = |elements: &[Element]| elements.iter().map(ToString::to_string).collect::<Vec<_>>();
        let what = || json!({"delete": shown(away), "add": shown(add)});
        return trace::act("nft", what, || elements::change(&names::table(), &gone, &new));
    }
    // To delete what is not there would fail; so it is added first.
    let away = away.iter().flat_map(|element| [element.command("add"), element.command("delete")]);
    let commands: Vec<String> = away.chain(add.iter().map(|element| element.command("add"))).collect();
    trace::act("nft", || json!({"commands": commands}), || run(&(commands.join("\n") + "\n")))
}

/// Those elements, if all are of ports.
fn ports(elements: &[Element]) -> Option<Vec<Port<'_>>> {
    elements.iter().map(|e| Port::read(&e.set, &e.key, e.value.as_deref())).collect()
}

/// Takes elements away, which are claimed yet; succeeds where they, their sets or the table are gone. Where others have their
/// place, which nobody claims, the table is made anew.
///
/// # Errors
/// `unsupported` without nft(8).
pub fn remove(elements: &[Element]) -> Result<()> {
    match apply(elements, &[]) {
        Err(e) if e.code == Code::NotFound && elements.len() > 1 => {
            // The table may have the sets of some of them.
            elements.iter().try_for_each(|element| remove(std::slice::from_ref(element)))
        }
        Err(e) if e.code == Code::NotFound => Ok(()),
        Err(e) if e.code == Code::Exists => {
            install(&wanted()?.into_iter().filter(|element| !elements.contains(element)).collect())
        }
        other => other,
    }
}

/// Takes the whole table away.
///
/// # Errors
/// As [`remove`].
pub fn delete() -> Result<()> {
    let table = names::table();
    let text = format!("table inet {table}\ndelete table inet {table}\n");
    trace::act("nft", || json!({"delete": table}), || run(&text))
}

fn run(text: &str) -> Result<()> {
    let out = nft(&["-f", "-"], text)?;
    if out.status.success() { Ok(()) } else { Err(failure("change the firewall", &out)) }
}

/// nft(8), also where the caller's PATH has no place for administrators' programs.
fn nft(args: &[&str], input: &str) -> Result<Output> {
    let spawn = |program: &str| {
        let mut command = Command::new(program);
        // The messages are read.
        command.args(args).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn()
    };
    let spawned = match spawn("nft") {
        Err(e) if e.kind() == ErrorKind::NotFound => spawn("/usr/sbin/nft"),
        other => other,
    };
    let mut child = match spawned {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::new(Code::Unsupported, "no program nft: networks need it").hint("install nftables"));
        }
        other => other.cannot(|| "run nft")?,
    };
    if let Some(mut stdin) = child.stdin.take() {
        // One that fails before it reads says so itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().cannot(|| "wait for nft")
}

fn is_gone(out: &Output) -> bool {
    String::from_utf8_lossy(&out.stderr).contains("No such file or directory")
}

fn failure(what: &str, out: &Output) -> Error {
    let text = String::from_utf8_lossy(&out.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    let reason = line.rsplit("Error: ").next().unwrap_or(line);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let code = match () {
        () if has(&["Operation not permitted", "must be root"]) => Code::Denied,
        () if has(&["not supported", "Unable to initialize Netlink socket"]) => Code::Unsupported,
        () if is_gone(out) => Code::NotFound,
        () if has(&["File exists"]) => Code::Exists,
        () => Code::Io,
    };
    Error::new(code, format!("cannot {what}: nft: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn elements_of_networks_and_ports() {
        let pool = Pool::new(crate::subnet::parse("10.9.0.0/24").unwrap(), None, None).unwrap();
        let mut network = Network::new("web", pool);
        let keys = |network: &Network| of_network(network).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(keys(&network).contains(&"10.9.0.0/24 of outward".to_owned()));
        network.internal = true;
        network.options.insert("isolate".to_owned(), "false".to_owned());
        assert!(keys(&network).iter().any(|k| k.ends_with("of internal")));
        assert!(!keys(&network).iter().any(|k| k.ends_with("of outward")));
        assert!(keys(&network).iter().any(|k| k.ends_with("of open")));
    }

    #[test]
    fn what_nft_lists_is_what_was_added() {
        let pair = json!(["ifname", "ipv4_addr"]);
        assert_eq!(text(&json!({"concat": ["br0", "10.9.0.0"]}), &pair), "\"br0\" . 10.9.0.0");
        assert_eq!(text(&json!({"prefix": {"addr": "10.9.0.0", "len": 24}}), &Value::Null), "10.9.0.0/24");
        assert_eq!(text(&json!({"concat": ["tcp", "127.0.0.1", 80]}), &Value::Null), "tcp . 127.0.0.1 . 80");
    }
}
