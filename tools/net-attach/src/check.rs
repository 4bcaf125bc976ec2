//! Compares what the kernel has with the section `net`.

use crate::{attach, host};
use ctr_core::{Code, Document, Error, Result, container};
use ctr_net::{Net, address, firewall, names, netns, network, port, resolver};
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
    let gone = |what: String| Error::new(Code::NotFound, what);
    let netlink = Netlink::open()?;
    let mut findings = Vec::new();
    let Some(network) = network::find(&net.name)? else {
        return Ok(vec![gone(format!("no network {}", net.name))]);
    };
    let own = net.address();
    if !address::of_network(&net.name)?.iter().any(|(address, holder)| Some(*address) == own && holder == id) {
        findings.push(gone(format!("the claim of the address on network {} is gone", net.name)));
    }
    let bridge = netlink.link(&network.bridge())?;
    match &bridge {
        None => findings.push(gone(format!("no bridge {}", network.bridge()))),
        Some(link) if !link.up => findings.push(Error::new(Code::Invalid, format!("bridge {} is down", link.name))),
        Some(_) => {}
    }
    let veth = names::veth(id);
    match netlink.link(&veth)? {
        None => findings.push(gone(format!("no interface {veth}"))),
        Some(link) if !link.up || link.bridge != bridge.as_ref().map(|b| b.index) => {
            let message = format!("interface {veth} is down, or no port of {}", network.bridge());
            findings.push(Error::new(Code::Invalid, message));
        }
        Some(_) => {}
    }
    if netns::is_held(id) {
        let found = attach::look(id)?;
        if let Some(address) = own.filter(|address| !found.addresses.contains(address)) {
            findings.push(gone(format!("{} of the container has no address {address}", attach::INTERFACE)));
        }
        for route in net.routes.iter().filter(|route| !found.gateways.contains(&route.gw)) {
            findings.push(gone(format!("the container has no route to {} by {}", route.dst, route.gw)));
        }
    } else {
        findings.push(gone(format!("no network namespace at {}", netns::path(id).display())));
    }
    findings.extend(resolver::missing(&network, bridge.as_ref().map(|b| b.index))?);
    findings.extend(rules(id, &net, &network)?);
    if !host::is_forwarding() {
        findings.push(Error::new(Code::Invalid, "the host does not forward: net.ipv4.ip_forward is 0"));
    }
    Ok(findings)
}

fn rules(id: &str, net: &Net, network: &ctr_net::Network) -> Result<Vec<Error>> {
    let mut findings = Vec::new();
    let claims: Vec<_> = port::claims()?.into_iter().filter(|claim| claim.id == id).collect();
    for port in net.ports.iter().filter(|port| !claims.iter().any(|claim| claim.mapping() == **port)) {
        let port = format!("{}:{}/{}", port.host_ip, port.host_port, port.protocol);
        findings.push(Error::new(Code::NotFound, format!("port {port} is no longer the container's")));
    }
    let Some(present) = firewall::present()? else {
        let message = format!("no firewall table inet {}: neither masquerade nor published ports", names::table());
        findings.push(Error::new(Code::NotFound, message));
        return Ok(findings);
    };
    let wanted = firewall::of_network(network)?.into_iter().chain(claims.iter().map(firewall::of_claim));
    for element in wanted.filter(|element| !present.contains(element)) {
        let message = format!("no element {element} in the firewall table inet {}", names::table());
        findings.push(Error::new(Code::NotFound, message));
    }
    Ok(findings)
}
