//! Links, docker's `--link`: on a network with names the resolver answers them to one container alone; the default network has
//! none, so there they are lines of /etc/hosts.

use crate::{Host, Link, Net, Network, address, network};
use ctr_core::{Code, Error, Result, container, ident};
use serde::Deserialize;
use std::net::IpAddr;

/// What of the other's record is needed.
#[derive(Deserialize)]
struct Record {
    name: Option<String>,
    net: Option<Net>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    hostname: Option<String>,
}

impl Record {
    fn addresses(&self) -> Vec<IpAddr> {
        let Some(net) = &self.net else { return Vec::new() };
        let on = net.networks.iter().find(|on| on.name == network::DEFAULT);
        on.map(|on| net.addresses(&on.interface)).unwrap_or_default()
    }
}

/// The links as they are kept: on the default network the other is found now, and meant whatever it is called later; elsewhere it
/// need not be there yet, as docker has it.
///
/// # Errors
/// `not-found`; `invalid` for one that is not on the default network too.
pub fn settle(network: &Network, links: &[Link]) -> Result<Vec<Link>> {
    if network.name != network::DEFAULT {
        return Ok(links.to_vec());
    }
    let settled = |link: &Link| {
        let id = container::find(&link.container)?;
        if container::recorded_as::<Record>(&id)?.addresses().is_empty() {
            let message = format!("cannot link to container {}: it is not on network bridge", address::name_of(&id));
            return Err(Error::new(Code::Invalid, message).hint("networks of ctr network create have names"));
        }
        Ok(Link { container: id, alias: link.alias.clone() })
    };
    links.iter().map(settled).collect()
}

/// The lines of the links on the default network, as the others are now; of those that are gone there is none.
pub fn hosts(net: &Net) -> Vec<Host> {
    let mut hosts = Vec::new();
    for Link { container: id, alias } in
        net.networks.iter().filter(|on| on.name == network::DEFAULT).flat_map(|on| &on.links)
    {
        let Ok(record) = container::recorded_as::<Record>(id) else { continue };
        let addresses = record.addresses();
        let host = record.spec.and_then(|spec| spec.hostname).unwrap_or_else(|| ident::short(id).to_owned());
        let mut names = vec![alias.clone()];
        for name in [Some(host), record.name].into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        hosts.extend(addresses.into_iter().map(|address| Host { address, names: names.clone() }));
    }
    hosts
}
