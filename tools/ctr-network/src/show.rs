//! `ls` and `inspect`: what the records say, in docker's shapes.

use clap::Args;
use ctr_core::{Absent, Code, Error, Map, Result, Value, container, each, ident, json, print_line};
use ctr_docker::name_filter;
use ctr_net::{Net, Network, address, cni, network};

/// The arguments of `ls`.
#[derive(Args, Debug)]
pub struct Ls {
    /// Only these: name=, id=, driver=, label=, dangling=
    #[arg(short = 'f', long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Print whole ids
    #[arg(long)]
    no_trunc: bool,
}

impl Ls {
    /// Prints a line each.
    pub fn run(&self) -> Result<()> {
        let filters = self.filter.iter().map(|word| filter(word)).collect::<Result<Vec<_>>>()?;
        for network in network::all()? {
            let mut listed = true;
            for (key, value) in &filters {
                listed = listed && matches(&network, key, value)?;
            }
            if listed {
                let id = if self.no_trunc { &network.id } else { ident::short(&network.id) };
                let labels: Vec<_> = network.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                print_line(&json!({
                    "ID": id, "Name": network.name, "Driver": network.driver, "Scope": "local",
                    "Internal": network.internal.to_string(), "IPv6": network.six().is_some().to_string(), "Labels": labels.join(","),
                    "CreatedAt": network.created,
                }))?;
            }
        }
        Ok(())
    }
}

fn filter(word: &str) -> Result<(&str, &str)> {
    let (key, value) = word.split_once('=').unwrap_or_default();
    let known = match key {
        "name" | "id" | "driver" | "label" => true,
        "dangling" => matches!(value, "true" | "1" | "false" | "0"),
        _ => false,
    };
    if known {
        return Ok((key, value));
    }
    let hint = "name=, id=, driver=, label=, dangling=true or false";
    Err(Error::new(Code::Usage, format!("filter {word:?} is none")).hint(hint))
}

fn matches(network: &Network, key: &str, value: &str) -> Result<bool> {
    Ok(match key {
        // As docker has it: a regular expression of the name, the beginning of the id.
        "name" => name_filter(value)?.is_match(&network.name),
        "id" => network.id.starts_with(value),
        "driver" => network.driver == value,
        // What prune would remove.
        "dangling" => {
            let dangles = network.name != network::DEFAULT && network::in_use(&network.name)?.is_none();
            dangles == matches!(value, "true" | "1")
        }
        _ => {
            let (key, wanted) = value.split_once('=').map_or((value, None), |(key, wanted)| (key, Some(wanted)));
            network.labels.get(key).is_some_and(|has| wanted.is_none_or(|wanted| has == wanted))
        }
    })
}

/// The arguments of `inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// A name, or the beginning of an id
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
    /// Say nothing of a network that is not there; the status tells
    #[arg(long)]
    if_any: bool,
}

impl Inspect {
    /// Prints a line each.
    pub fn run(&self) -> Result<()> {
        // What can be no name is none.
        let mut absent = Absent::new(self.if_any, &[Code::NotFound, Code::Invalid]);
        let shown = each(&self.networks, |word| {
            let Some(network) = absent.pass(network::load(word))? else { return Ok(()) };
            print_line(&shape(&network)?)
        });
        absent.end(shown)
    }
}

/// docker's (Engine API, NetworkInspect).
fn shape(network: &Network) -> Result<Value> {
    let config = |pool: &network::Pool| {
        let mut config = json!({"Subnet": pool.subnet, "Gateway": pool.gateway});
        if let Some(range) = pool.ip_range {
            config["IPRange"] = json!(range);
        }
        if !pool.aux.is_empty() {
            config["AuxiliaryAddresses"] = json!(pool.aux);
        }
        config
    };
    let config: Vec<Value> = network.subnets.iter().map(config).collect();
    let mut containers = Map::new();
    let held = address::of_network(&network.name)?;
    for id in cni::by_plugins()?.iter().filter(|record| record.key.network == network.name).map(|r| &r.key.container_id)
    {
        let Ok(doc) = container::recorded(id) else { continue };
        let Some(net) = doc.section::<Net>("net")? else { continue };
        let Some(attachment) = net.networks.iter().find(|a| a.name == network.name) else { continue };
        let own = net.inside(&attachment.interface);
        let address = |six: bool| {
            let mut ips = net.ips.iter().filter(|ip| own.is_some_and(|(place, _)| place == ip.interface));
            ips.find(|ip| ip.address.contains(':') == six).map(|ip| ip.address.as_str()).unwrap_or_default()
        };
        let mac = own.and_then(|(_, interface)| interface.mac.as_deref()).unwrap_or_default();
        let shape = json!({
            "Name": doc.str("name"), "MacAddress": mac, "IPv4Address": address(false), "IPv6Address": address(true),
        });
        containers.insert(id.clone(), shape);
    }
    for id in held.iter().map(|(_, id)| id) {
        if containers.contains_key(id) {
            continue;
        }
        let doc = container::recorded(id).ok();
        let name = doc.as_ref().and_then(|doc| doc.str("name")).unwrap_or_default().to_owned();
        let net = doc.as_ref().and_then(|doc| doc.section::<Net>("net").ok().flatten());
        let attachment = net.as_ref().and_then(|net| net.networks.iter().find(|a| a.name == network.name));
        let own = net.as_ref().zip(attachment).and_then(|(net, a)| net.inside(&a.interface));
        let mac = own.and_then(|(_, interface)| interface.mac.clone()).unwrap_or_default();
        let address = |six: bool| {
            let (address, _) = held.iter().find(|(address, holder)| holder == id && address.is_ipv6() == six)?;
            let pool = network.subnets.iter().find(|pool| pool.is_of(*address))?;
            Some(format!("{address}/{}", pool.subnet.prefix_len()))
        };
        let shape = json!({
            "Name": name, "MacAddress": mac, "IPv4Address": address(false).unwrap_or_default(),
            "IPv6Address": address(true).unwrap_or_default(),
        });
        containers.insert(id.clone(), shape);
    }
    Ok(json!({
        "Name": network.name, "Id": network.id, "Created": network.created, "Scope": "local", "Driver": network.driver,
        "EnableIPv6": network.six().is_some(), "IPAM": {"Driver": "default", "Config": config}, "Internal": network.internal,
        "Interface": network.parent().map_or_else(|| network.bridge(), str::to_owned), "Containers": containers, "Options": network.options, "Labels": network.labels,
    }))
}
