//! Addresses in use: one symbolic link each, whose text is the container's id. Made under the [`Lock`](crate::Lock).

use crate::Network;
use ctr_core::{Cannot, Code, Error, Result, container, files, ident, json, paths, trace};
use std::{
    fs,
    io::ErrorKind,
    net::Ipv4Addr,
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
pub fn of_network(network: &str) -> Result<Vec<(Ipv4Addr, String)>> {
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
pub fn held(address: Ipv4Addr, id: &str) -> String {
    format!("container {} has {address}", name_of(id))
}

/// A container as messages call it: its name, and the first digits of its id.
pub fn name_of(id: &str) -> String {
    let name = container::recorded(id).ok().and_then(|doc| doc.str("name").map(str::to_owned));
    name.map_or_else(|| ident::short(id).to_owned(), |name| format!("{name} ({})", ident::short(id)))
}

/// Makes an address the container's: `wanted`, or the lowest of the network's range that is free.
///
/// # Errors
/// `invalid` for one that is no host of the subnet, `exists`, naming the holder, for one that is taken; `limit`
/// where none is free.
pub fn claim(network: &Network, id: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr> {
    let pool = network.pool()?;
    let subnet = pool.subnet;
    let taken = of_network(&network.name)?;
    let holder = |address: Ipv4Addr| {
        let at = taken.binary_search_by_key(&address, |(other, _)| *other).ok()?;
        Some(taken[at].1.as_str())
    };
    let address = if let Some(address) = wanted {
        if !subnet.contains(address) || address == subnet.first() || address == subnet.last() {
            let message = format!("address {address} is no host of {subnet}, the subnet of network {}", network.name);
            return Err(Error::new(Code::Invalid, message));
        }
        if address == pool.gateway {
            return Err(Error::new(Code::Exists, format!("address {address} is the gateway of {}", network.name)));
        }
        match holder(address) {
            Some(other) if other == id => return Ok(address),
            Some(other) => {
                let message = format!("cannot give address {address}: {}", held(address, other));
                return Err(Error::new(Code::Exists, message));
            }
            None => address,
        }
    } else {
        let range = pool.ip_range.unwrap_or(subnet);
        // Of a range within the subnet every address is a host's, but for the subnet's own two.
        let candidates = (u32::from(range.first())..=u32::from(range.last())).map(Ipv4Addr::from);
        let mut free = candidates
            .filter(|a| *a != subnet.first() && *a != subnet.last() && *a != pool.gateway && holder(*a).is_none());
        free.next().ok_or_else(|| {
            let message = format!("network {} has no free address in {range}", network.name);
            Error::new(Code::Limit, message)
        })?
    };
    let link = dir(&network.name).join(address.to_string());
    trace::act(
        "claim",
        || json!({"address": address, "network": network.name}),
        || {
            files::make_dir(&dir(&network.name))?;
            symlink(id, &link).cannot(|| format!("claim address {address}"))
        },
    )?;
    Ok(address)
}

/// Frees the address if it is the container's.
///
/// # Errors
/// The file system's.
pub fn release(network: &str, address: Ipv4Addr, id: &str) -> Result<()> {
    let link = dir(network).join(address.to_string());
    if fs::read_link(&link).is_ok_and(|holder| holder == Path::new(id)) {
        trace::act("release", || json!({"address": address, "network": network}), || files::remove_file(&link))?;
    }
    Ok(())
}
