//! Addresses in use: one symbolic link each, whose text is the container's id. Made under the [`Lock`](crate::Lock).

use crate::{Network, cni, network::Pool, subnet};
use ctr_core::{Cannot, Code, Error, Result, container, files, ident, json, paths, trace};
use std::{
    fs,
    io::ErrorKind,
    net::IpAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// The directory of all of them.
pub fn root() -> PathBuf {
    paths::root().join("addresses")
}

fn dir(network: &str) -> PathBuf {
    root().join(network)
}

/// The addresses of a network that are in use, each with the id of the container that has it.
///
/// # Errors
/// The file system's.
pub fn of_network(network: &str) -> Result<Vec<(IpAddr, String)>> {
    let dir = dir(network);
    let what = || format!("read {}", dir.display());
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(what)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.cannot(what)?;
        let Some(address) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match fs::read_link(entry.path()) {
            Ok(id) => found.push((address, id.to_string_lossy().into_owned())),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e).cannot(what),
        }
    }
    found.sort();
    Ok(found)
}

/// The names of networks on which an address is, or was, in use.
///
/// # Errors
/// The file system's.
pub fn networks() -> Result<Vec<String>> {
    let entries = match fs::read_dir(root()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(|| format!("read {}", root().display()))?,
    };
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Who has an address, as messages say it.
pub fn held(address: IpAddr, id: &str) -> String {
    format!("container {} has {address}", name_of(id))
}

/// Whether who has it is gone: no container, and no attachment by CNI. Where that cannot be told it is not.
pub fn is_lost(id: &str) -> bool {
    container::checked_id(id).is_err() || (container::is_gone(id) && !cni::is_there(id))
}

/// A container as messages call it: its name, and the first digits of its id.
pub fn name_of(id: &str) -> String {
    let name = container::recorded_name(id);
    let name = name.or_else(|| cni::find(id).ok().flatten().map(|record| record.key.container_id));
    ident::called(id, name.as_deref())
}

/// Makes an address of each of the network's subnets the container's: that of `wanted`, or the lowest of the range that is
/// free; none of `host`'s.
///
/// # Errors
/// `invalid` for one that is no host of the subnet, `exists`, naming the holder, for one that is taken; `limit`
/// where none is free. Then nothing is claimed that was not before.
pub fn claim(network: &Network, id: &str, wanted: &[IpAddr], host: &[IpAddr]) -> Result<Vec<IpAddr>> {
    let taken = of_network(&network.name)?;
    let holder = |address: IpAddr| {
        let at = taken.binary_search_by_key(&address, |(other, _)| *other).ok()?;
        Some(taken[at].1.as_str())
    };
    if let Some(stray) = wanted.iter().find(|a| !network.subnets.iter().any(|pool| pool.is_of(**a))) {
        let message = format!("address {stray}: network {} has no subnet of IPv6", network.name);
        return Err(Error::new(Code::Invalid, message));
    }
    let mut chosen = Vec::new();
    for pool in &network.subnets {
        let wanted = wanted.iter().copied().find(|address| pool.is_of(*address));
        if let Some(address) = wanted.filter(|address| host.contains(address)) {
            return Err(Error::new(Code::Exists, format!("cannot give address {address}: the host has it")));
        }
        chosen.push(choose(network, pool, id, wanted, host, holder)?);
    }
    let new = |address: &&IpAddr| holder(**address) != Some(id);
    for address in chosen.iter().filter(new) {
        if let Err(e) = make(network, *address, id) {
            for address in chosen.iter().filter(new) {
                let _ = release(&network.name, *address, id);
            }
            return Err(e);
        }
    }
    Ok(chosen)
}

fn choose<'a>(
    network: &Network,
    pool: &Pool,
    id: &str,
    wanted: Option<IpAddr>,
    host: &[IpAddr],
    holder: impl Fn(IpAddr) -> Option<&'a str>,
) -> Result<IpAddr> {
    let Pool { subnet, gateway, .. } = pool;
    let aux = |address: IpAddr| pool.aux.iter().find(|(_, other)| **other == address).map(|(name, _)| name);
    let Some(address) = wanted else {
        let range = pool.ip_range.unwrap_or(*subnet);
        let is_free = |a: &IpAddr| {
            subnet::is_host(subnet, *a)
                && a != gateway
                && !host.contains(a)
                && aux(*a).is_none()
                && holder(*a).is_none()
        };
        let mut free = subnet::addresses(&range).filter(is_free);
        let none = || Error::new(Code::Limit, format!("network {} has no free address in {range}", network.name));
        return free.next().ok_or_else(none);
    };
    if !subnet::is_host(subnet, address) {
        let message = format!("address {address} is no host of {subnet}, the subnet of network {}", network.name);
        return Err(Error::new(Code::Invalid, message));
    }
    if address == *gateway {
        return Err(Error::new(Code::Exists, format!("address {address} is the gateway of {}", network.name)));
    }
    if let Some(name) = aux(address) {
        return Err(Error::new(Code::Exists, format!("address {address} is kept for {name}")));
    }
    match holder(address).filter(|other| *other != id) {
        Some(other) => {
            let message = format!("cannot give address {address}: {}", held(address, other));
            Err(Error::new(Code::Exists, message))
        }
        None => Ok(address),
    }
}

fn make(network: &Network, address: IpAddr, id: &str) -> Result<()> {
    trace::act(
        "claim",
        || json!({"address": address, "network": network.name}),
        || {
            let dir = dir(&network.name);
            files::make_dir(&dir)?;
            symlink(id, dir.join(address.to_string())).cannot(|| format!("claim address {address}"))
        },
    )
}

/// Frees the address if it is the container's.
///
/// # Errors
/// The file system's.
pub fn release(network: &str, address: IpAddr, id: &str) -> Result<()> {
    let link = dir(network).join(address.to_string());
    if fs::read_link(&link).is_ok_and(|holder| holder == Path::new(id)) {
        trace::act("release", || json!({"address": address, "network": network}), || files::remove_file(&link))?;
    }
    Ok(())
}
