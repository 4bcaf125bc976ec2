//! Which resolvers are missing, and what those left that are gone.

use ctr_core::{Error, Result, json, print_line, trace};
use ctr_net::{Lock, Network, address, network, resolver};
use std::fs;

/// The networks on which containers ask for names.
fn in_use() -> Result<Vec<Network>> {
    let mut networks = network::all()?;
    networks.retain(|network| resolver::address(network).is_some());
    let mut used = Vec::new();
    for network in networks {
        // Without a bridge no container of it runs: the next to start makes it.
        if !address::of_network(&network.name)?.is_empty() && resolver::bridge(&network)?.is_some() {
            used.push(network);
        }
    }
    Ok(used)
}

/// A line on stderr for each that is missing.
///
/// # Errors
/// `not-found`, the last of them.
pub fn check() -> Result<()> {
    let mut missing: Option<Error> = None;
    for network in in_use()? {
        if let Some(error) = resolver::missing(&network, resolver::bridge(&network)?)?
            && let Some(earlier) = missing.replace(error)
        {
            trace::warn(&earlier.to_string());
        }
    }
    missing.map_or(Ok(()), Err)
}

/// Starts what is missing; removes the files of those that are gone, and prints a line for each of both.
///
/// # Errors
/// Those of the start.
pub fn gc() -> Result<()> {
    for network in in_use()? {
        let Some(bridge) = resolver::bridge(&network)? else { continue };
        if resolver::missing(&network, Some(bridge))?.is_some() {
            resolver::start(&network, bridge)?;
            print_line(&json!({"tool": crate::NAME, "started": "resolver", "network": network.name}))?;
        }
    }
    let names = fs::read_dir(resolver::dir()).into_iter().flatten().flatten();
    let names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for name in names {
        let _lock = Lock::take()?;
        if network::check_name(&name).is_err() || !address::of_network(&name)?.is_empty() {
            continue;
        }
        if let Some(file) = resolver::lock(&name)? {
            resolver::forget(&name, &file)?;
            print_line(&json!({"tool": crate::NAME, "removed": "file", "network": name}))?;
        }
    }
    Ok(())
}
