//! Compares what the kernel has with the section `net`.

use crate::{
    attach,
    end::{self, End},
    foreign, host, plugins,
};
use ctr_core::{Code, Document, Error, Result, container};
use ctr_net::{Net, address, firewall, names, netns, port, proxy, resolver};
use ctr_netlink::Netlink;

/// One error for each thing that is gone or is otherwise.
pub fn check(doc: &Document) -> Result<Vec<Error>> {
    let Some(net) = doc.section::<Net>("net")? else {
        let steps = doc.steps()?;
        if steps.iter().any(|step| step.tool == "net-attach") {
            // A namespace that nothing is attached to: it is the process's, and ns-spawn's to compare.
            return Ok(Vec::new());
        }
        return Err(Error::new(Code::Invalid, "document has no net").hint("put net-attach before this tool"));
    };
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let mut findings = Vec::new();
    let mut ends = Vec::new();
    for attachment in net.networks.iter().filter(|attachment| !attachment.by_plugins()) {
        match End::read(&net, attachment) {
            Ok(end) => ends.push(end),
            Err(e) => findings.push(e),
        }
    }
    let is_held = netns::is_held(id);
    if is_held {
        let found = end::routes(id)?;
        let default = net.routes.iter().filter(|route| route.dst.ends_with("/0"));
        for route in default.filter(|route| !found.contains(&route.gw)) {
            findings.push(gone(format!("the container has no route to {} by {}", route.dst, route.gw)));
        }
    } else {
        findings.push(gone(format!("no network namespace at {}", netns::path(id).display())));
    }
    findings.extend(networks(id, &net, ends)?);
    findings.extend(plugins::check(id, &net)?);
    Ok(findings)
}

/// The same of what leads a container by these ends to its networks, but for the routes.
pub fn networks(id: &str, net: &Net, mut ends: Vec<End>) -> Result<Vec<Error>> {
    let netlink = Netlink::open()?;
    let mut findings = Vec::new();
    for end in &ends {
        findings.extend(one(id, end, &netlink, netns::is_held(id))?);
    }
    findings.extend(rules(id, net, &ends)?);
    ends.retain(|end| end.network.parent().is_none());
    if !ends.is_empty() {
        findings.extend(foreign::check()?);
    }
    if !ends.is_empty() && !host::is_forwarding() {
        findings.push(Error::new(Code::Invalid, "the host does not forward: net.ipv4.ip_forward is 0"));
    }
    if ends.iter().any(|end| end.network.six().is_some()) && !host::is_forwarding_six() {
        let message = "the host does not forward IPv6: net.ipv6.conf.all.forwarding is 0";
        findings.push(Error::new(Code::Invalid, message));
    }
    Ok(findings)
}

fn gone(what: String) -> Error {
    Error::new(Code::NotFound, what)
}

/// What differs on one network.
fn one(id: &str, end: &End, netlink: &Netlink, is_held: bool) -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    let network = &end.network;
    let claims = address::of_network(&network.name)?;
    for own in &end.addresses {
        if !claims.iter().any(|(address, holder)| address == own && holder == id) {
            findings.push(gone(format!("the claim of {own} on network {} is gone", network.name)));
        }
    }
    if let Some(parent) = network.parent() {
        if netlink.link(parent)?.is_none() {
            findings.push(gone(format!("no interface {parent}, the parent of network {}", network.name)));
        }
    } else {
        findings.extend(host_end(id, end, netlink)?);
    }
    if is_held {
        let found = end::look(id, &end.interface)?;
        for own in end.addresses.iter().filter(|own| !found.contains(own)) {
            findings.push(gone(format!("{} of the container has no address {own}", end.interface)));
        }
    }
    Ok(findings)
}

/// What differs of the bridge and the host's end of the veth.
fn host_end(id: &str, end: &End, netlink: &Netlink) -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    let name = end.network.bridge();
    let bridge = netlink.link(&name)?;
    match &bridge {
        None => findings.push(gone(format!("no bridge {name}"))),
        Some(link) if !link.up => findings.push(Error::new(Code::Invalid, format!("bridge {name} is down"))),
        Some(link) => {
            for pool in host::without_gateway(netlink, &end.network, link)? {
                findings.push(gone(format!("bridge {name} has no address {}", pool.gateway)));
            }
        }
    }
    findings.extend(resolver::missing(&end.network, bridge.as_ref().map(|b| b.index))?);
    let veth = names::veth(id, end.place);
    match netlink.link(&veth)? {
        None => findings.push(gone(format!("no interface {veth}"))),
        Some(link) if !link.up || link.bridge != bridge.as_ref().map(|b| b.index) => {
            findings.push(Error::new(Code::Invalid, format!("interface {veth} is down, or no port of {name}")));
        }
        Some(_) => {}
    }
    Ok(findings)
}

fn rules(id: &str, net: &Net, ends: &[End]) -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    if ends.iter().all(|end| end.network.parent().is_some()) {
        return Ok(findings);
    }
    let claims = port::claims_of(id)?;
    // One that does not run has none; but of one that nobody has completed yet they are published with its document.
    let has_ports = container::live_state(id)?.is_some() || !port::is_claimed_at_start(id);
    if let Some(target) = end::way_in(ends).and_then(End::target).filter(|_| has_ports) {
        for port in &net.ports {
            let needed = port::needed(&attach::mapping(port)?, port.host_port, id, target, net.publish_mode)?;
            for claim in needed.iter().filter(|claim| !claims.contains(claim)) {
                findings.push(gone(format!("port {claim} is no longer the container's")));
            }
        }
    }
    if has_ports {
        findings.extend(proxy::missing(id)?);
    }
    let Some(present) = firewall::present()? else {
        let message = format!(
            "no firewall table inet {}, or not its rules: neither masquerade nor published ports",
            names::table()
        );
        findings.push(gone(message));
        return Ok(findings);
    };
    let mut wanted = firewall::of_claims(&claims);
    for end in ends {
        wanted.extend(firewall::of_network(&end.network));
    }
    for element in wanted.iter().filter(|element| !present.contains(element)) {
        findings.push(gone(format!("no element {element} in the firewall table inet {}", names::table())));
    }
    Ok(findings)
}
