//! `create`: a record; what the kernel has of it comes with its first container.

use clap::Args;
use ctr_core::{Code, Error, Result, print_line};
use ctr_net::{Lock, Network, names, network, network::Pool, subnet};
use ctr_netlink::Netlink;
use std::net::IpAddr;

/// The arguments of `create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
    /// Its addresses, as 10.1.0.0/16 [default: one that is free]
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,
    /// The address of its bridge [default: the first]
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<String>,
    /// Give containers addresses of this part of the subnet
    #[arg(long, value_name = "SUBNET")]
    ip_range: Option<String>,
    /// Nothing outside is reached from it
    #[arg(long)]
    internal: bool,
    /// How it is made: bridge
    #[arg(short = 'd', long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// mtu=N, isolate=false (reach other such networks), icc=false (its containers do not reach each other)
    #[arg(short = 'o', long = "opt", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Give it a label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
}

impl Create {
    /// Writes the record and prints the id.
    pub fn run(self) -> Result<()> {
        network::check_name(&self.name)?;
        if self.driver != "bridge" {
            return Err(Error::new(Code::Unsupported, format!("driver {}: not there yet, only bridge", self.driver)));
        }
        let parse = |text: &String| subnet::parse(text);
        let subnet = self.subnet.as_ref().map(parse).transpose()?;
        let range = self.ip_range.as_ref().map(parse).transpose()?;
        let gateway = |text: &String| {
            let bad = || Error::new(Code::Invalid, format!("invalid gateway {text:?}: no address"));
            text.parse::<IpAddr>().map_err(|_| bad())
        };
        let gateway = self.gateway.as_ref().map(gateway).transpose()?;
        if subnet.is_none() && (range.is_some() || gateway.is_some()) {
            return Err(Error::new(Code::Invalid, "--gateway and --ip-range are parts of a --subnet: give it too"));
        }
        let mut options = std::collections::BTreeMap::new();
        for word in &self.options {
            let (key, value) = network::option(word)?;
            options.insert(key, value);
        }
        let label = |word: &String| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        };

        let routes = Netlink::open()?.subnets()?;
        let _lock = Lock::take()?;
        if let Some(other) =
            network::all()?.iter().find(|other| names::bridge(&other.name) == names::bridge(&self.name))
        {
            let what = if other.name == self.name { "is there already" } else { "has the name of its bridge" };
            return Err(Error::new(Code::Exists, format!("cannot make network {}: {} {what}", self.name, other.name)));
        }
        let subnet = match subnet {
            Some(subnet) => {
                network::check_free(&subnet, &routes)?;
                subnet
            }
            None => network::free_subnet(&routes)?,
        };
        let network = Network {
            internal: self.internal,
            options,
            labels: self.labels.iter().map(label).collect(),
            ..Network::new(&self.name, Pool::new(subnet, gateway, range)?)
        };
        network.save()?;
        print_line(&network.id)
    }
}
