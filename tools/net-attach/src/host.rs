//! The host's side of a network: its record, its bridge, its rules, forwarding.

use crate::{end::End, foreign};
use ctr_core::{
    Cannot, Code, Error, Result,
    instance::{digest, instance},
    json, trace,
};
use ctr_net::{Network, address, firewall, names, network, network::Pool};
use ctr_netlink::{Link, Netlink, has_table};
use std::{collections::BTreeSet, fs};

/// Of a way out whose MTU is not known.
const MTU: u32 = 1500;

/// The network of that name; the default one is made where it is not there. Hold the lock.
///
/// # Errors
/// `not-found`; `limit` where every subnet is taken.
pub fn network(netlink: &Netlink, name: &str) -> Result<Network> {
    if name != network::DEFAULT {
        return network::load(name);
    }
    if let Some(network) = network::find(name)? {
        return Ok(network);
    }
    let subnet = network::free_subnet(&netlink.subnets()?)?;
    let network = Network::new(name, Pool::new(subnet, None, None)?);
    network.save()?;
    Ok(network)
}

/// The same as [`ready`] for each; every end learns how long its packets may be.
///
/// # Errors
/// Those of it.
pub fn ready_all(netlink: &Netlink, ends: &mut [End]) -> Result<Vec<Link>> {
    let ready = |end: &mut End| ready(netlink, &end.network).inspect(|bridge| end.mtu = bridge.mtu);
    ends.iter_mut().map(ready).collect()
}

/// Makes what the network has on the host and what is not there yet; gives its bridge, or the parent of one that has none.
/// Hold the lock.
///
/// Its rules come before its bridge, and the bridge is up last: one that is up is whole, but for addresses that others took
/// away. That the table is there says that all that belongs in it is, for it is only ever made whole.
///
/// # Errors
/// The kernel's; `unsupported` without nftables.
pub fn ready(netlink: &Netlink, network: &Network) -> Result<Link> {
    if let Some(parent) = network.parent() {
        let link = match netlink.link(parent)? {
            Some(link) => link,
            None => make_parent(netlink, network, parent)?,
        };
        return Ok(Link { mtu: network.mtu().unwrap_or(link.mtu), ..link });
    }
    let name = network.bridge();
    let found = netlink.link(&name)?;
    let whole = found.as_ref().is_some_and(|link| link.up);
    if !has_table(&names::table())? {
        firewall::install(&firewall::wanted()?)?;
    } else if !whole {
        firewall::add(&firewall::of_network(network))?;
    }
    forward()?;
    foreign::let_through();
    if network.six().is_some() {
        forward_six()?;
    }
    if let Some(link) = found.filter(|link| link.up) {
        gateways(netlink, network, &link)?;
        return Ok(link);
    }
    if netlink.link(&name)?.is_none() {
        let mtu = match network.mtu() {
            Some(mtu) => mtu,
            None => netlink.way_out_mtu()?.unwrap_or(MTU),
        };
        let [a, b, c, d] = digest(name.as_bytes()).to_be_bytes();
        netlink.add_bridge(&name, [0x02, 0x43, a, b, c, d], mtu)?;
    }
    // No container of it is the host's router.
    sysctl(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
    if network.six().is_some() {
        // Its addresses are given out here alone: nobody waits a second until the kernel has found that out (ip-sysctl.rst).
        sysctl(&format!("ipv6/conf/{name}/accept_dad"), "0")?;
    }
    if network.six().is_none() {
        sysctl(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    }
    let link = there(netlink, &name)?;
    gateways(netlink, network, &link)?;
    netlink.set_up(link.index, &name)?;
    Ok(link)
}

/// That the parent of networks is not there and cannot be made, for it is no VLAN of an interface that is; `None`: it is, or can.
///
/// # Errors
/// The kernel's.
pub fn no_parent(netlink: &Netlink, parent: &str) -> Result<Option<Error>> {
    let base = network::vlan(parent).map(|(base, _)| base);
    for name in [Some(parent), base].into_iter().flatten() {
        if netlink.link(name)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(Error::new(Code::NotFound, format!("no interface {parent}"))))
}

/// Makes the parent of a network that is the VLAN of an interface; what it says of itself tells that it is ours to take away.
fn make_parent(netlink: &Netlink, network: &Network, parent: &str) -> Result<Link> {
    let gone = || Error::new(Code::NotFound, format!("no interface {parent}, the parent of network {}", network.name));
    let (base, id) = network::vlan(parent).ok_or_else(gone)?;
    let base = netlink.link(base)?.ok_or_else(gone)?;
    netlink.add_vlan(parent, base.index, id, &instance())?;
    // The host itself is nobody on that network.
    sysctl(&format!("ipv6/conf/{parent}/disable_ipv6"), "1")?;
    there(netlink, parent)
}

/// Takes away the VLANs that were made for networks and that no container is on; gives their names. Hold the lock.
///
/// # Errors
/// The kernel's.
pub fn forget_parents(netlink: &Netlink) -> Result<Vec<String>> {
    let (networks, unread) = network::all_and_unread()?;
    for name in unread {
        // Nobody knows over which it is.
        if !address::of_network(&name)?.is_empty() {
            return Ok(Vec::new());
        }
    }
    let mut used = BTreeSet::new();
    for network in &networks {
        if let Some(parent) = network.parent()
            && !address::of_network(&network.name)?.is_empty()
        {
            used.insert(parent);
        }
    }
    let own =
        netlink.links()?.into_iter().filter(|link| link.alias == instance() && network::vlan(&link.name).is_some());
    let mut forgotten = Vec::new();
    for link in own.filter(|link| !used.contains(&*link.name)) {
        if netlink.delete(&link.name)? {
            forgotten.push(link.name);
        }
    }
    Ok(forgotten)
}

/// Gives the bridge the addresses of the network that it has not got.
fn gateways(netlink: &Netlink, network: &Network, bridge: &Link) -> Result<()> {
    for pool in without_gateway(netlink, network, bridge)? {
        if pool.gateway.is_ipv6() {
            sysctl(&format!("ipv6/conf/{}/disable_ipv6", bridge.name), "0")?;
        }
        netlink.add_address(bridge.index, pool.gateway, pool.subnet.prefix_len())?;
    }
    Ok(())
}

/// The subnets whose gateway the bridge has not got.
///
/// # Errors
/// The kernel's.
pub fn without_gateway<'a>(netlink: &Netlink, network: &'a Network, bridge: &Link) -> Result<Vec<&'a Pool>> {
    let found = if bridge.index == 0 { Vec::new() } else { netlink.addresses(Some(bridge.index))? };
    let has = |pool: &Pool| found.contains(&(pool.gateway, pool.subnet.prefix_len()));
    Ok(network.subnets.iter().filter(|pool| !has(pool)).collect())
}

/// An interface that was just made.
fn there(netlink: &Netlink, name: &str) -> Result<Link> {
    match netlink.link(name)? {
        Some(link) => Ok(link),
        None if trace::dry_run() => Ok(Link { name: name.to_owned(), mtu: MTU, ..Link::default() }),
        None => Err(Error::new(Code::NotFound, format!("interface {name} was taken away"))),
    }
}

/// Lets the host send on what comes from containers.
fn forward() -> Result<()> {
    if is_forwarding() { Ok(()) } else { sysctl("ipv4/ip_forward", "1") }
}

/// Whether it does.
pub fn is_forwarding() -> bool {
    fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "1")
}

/// The same for IPv6. A kernel that sends on takes no router's advertisements, by which the host may have its own address and
/// way out (ip-sysctl.rst, accept_ra): interfaces that took them take them still, and those that come later do not.
fn forward_six() -> Result<()> {
    if is_forwarding_six() {
        return Ok(());
    }
    for entry in fs::read_dir("/proc/sys/net/ipv6/conf").cannot(|| "look at the host's parameters of IPv6")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let takes = fs::read_to_string(entry.path().join("accept_ra")).is_ok_and(|text| text.trim() == "1");
        if takes && name != "all" && name != "default" {
            sysctl(&format!("ipv6/conf/{name}/accept_ra"), "2")?;
        }
    }
    sysctl("ipv6/conf/all/forwarding", "1")
}

/// Whether it does.
pub fn is_forwarding_six() -> bool {
    fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding").is_ok_and(|text| text.trim() == "1")
}

/// Lets what comes from the host's loopback go out by the bridge: it is masqueraded there, and what comes in for loopback is
/// dropped.
pub fn route_localnet(bridge: &str) -> Result<()> {
    let name = format!("ipv4/conf/{bridge}/route_localnet");
    match fs::read_to_string(format!("/proc/sys/net/{name}")) {
        Ok(text) if text.trim() == "1" => Ok(()),
        _ => sysctl(&name, "1"),
    }
}

/// Sets a parameter of the network namespace that this thread is in; nothing where the kernel has not such a one.
pub fn sysctl(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{name}");
    trace::act(
        "write",
        || json!({"path": path, "value": value}),
        || match fs::write(&path, value) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.cannot(|| format!("write {value} to {path}")),
        },
    )
}
