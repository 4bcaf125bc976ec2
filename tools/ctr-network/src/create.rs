//! `create`: a record; what the kernel has of it comes with its first container.

use clap::Args;
use ctr_core::{Code, Error, Result, Value, events, json, print_line};
use ctr_net::{Lock, Network, Subnet, cni::list, names, network, network::Pool, subnet};
use ctr_netlink::Netlink;
use std::{net::IpAddr, path::Path};

/// The arguments of `create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
    /// Its addresses, as 10.1.0.0/16; with --ipv6 a second one, as fd00:1::/64 [default: one that is free]
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// The address of its bridge, in each subnet [default: the first]
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<String>,
    /// Give containers addresses of this part of a subnet
    #[arg(long, value_name = "SUBNET")]
    ip_range: Vec<String>,
    /// An address of a subnet that another has, and what that is called: no container gets it
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// Addresses of IPv6 beside those of IPv4
    #[arg(long)]
    ipv6: bool,
    /// Nothing outside is reached from it
    #[arg(long)]
    internal: bool,
    /// How it is made: bridge, macvlan, ipvlan, cni
    #[arg(short = 'd', long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// mtu=N, isolate=false (reach other such networks), icc=false (its containers do not reach each other), masquerade=false,
    /// host_binding=ADDRESS; of the others parent=INTERFACE, macvlan_mode=MODE, ipvlan_mode=MODE; of cni conflist=FILE
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
        let options = network::options(&self.driver, &self.options)?;
        let asked = Asked::read(&self)?;
        let list = options.get("conflist").map(|path| self.list(path)).transpose()?;
        if self.internal && matches!(&*self.driver, "macvlan" | "ipvlan") {
            let message =
                format!("--internal: a network of driver {} is its parent's, with all that is there", self.driver);
            return Err(Error::new(Code::Unsupported, message).hint("make it over an interface of type dummy"));
        }
        if self.ipv6 && !Path::new("/proc/sys/net/ipv6").exists() {
            return Err(Error::new(Code::Unsupported, "--ipv6: this kernel has no IPv6"));
        }
        if let Some(six) = asked.subnets.iter().find(|subnet| is_six(subnet) && !self.ipv6) {
            return Err(Error::new(Code::Invalid, format!("subnet {six} is of IPv6: give --ipv6 too")));
        }
        let label = |word: &String| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        };

        let netlink = Netlink::open()?;
        let routes = netlink.subnets()?;
        let _lock = Lock::take()?;
        // A torn record is one too.
        if let Some(other) = network::names()?.iter().find(|other| names::bridge(other) == names::bridge(&self.name)) {
            let what = if *other == self.name { "is there already" } else { "has the name of its bridge" };
            return Err(Error::new(Code::Exists, format!("cannot make network {}: {other} {what}", self.name)));
        }
        if list.is_some() {
            // Addresses and all else are the plugins'.
            let mut network = Network { cni: list, options, ..Network::of_plugins(&self.name) };
            network.labels = self.labels.iter().map(label).collect();
            return made(&network);
        }
        let four = match asked.subnet(false) {
            Some(subnet) => subnet,
            None => network::free_subnet(&routes)?,
        };
        let mut network = Network::new(&self.name, asked.pool(four)?);
        if self.ipv6 {
            let six = asked.subnet(true).unwrap_or_else(|| network::local_subnet(&network.id));
            network.subnets.push(asked.pool(six)?);
        }
        network.driver.clone_from(&self.driver);
        network.options = options;
        if let Some(parent) = network.parent()
            && let Some(e) = net_attach::no_parent(&netlink, parent)?
        {
            return Err(Error { message: format!("{}, to be the parent of {}", e.message, self.name), ..e });
        }
        for pool in &network.subnets {
            // With a parent it is the subnet of that one's network.
            network::check_free(&pool.subnet, if network.parent().is_none() { &routes } else { &[] })?;
        }
        let network = Network { internal: self.internal, labels: self.labels.iter().map(label).collect(), ..network };
        made(&network)
    }
}

/// Writes the record and says that it is there.
fn made(network: &Network) -> Result<()> {
    network.save()?;
    events::emit_of("network", "create", &network.id, &network.name, &json!({"type": network.driver}));
    print_line(&network.id)
}

impl Create {
    /// The configuration list at `path`, of a network whose addresses are its plugins'.
    fn list(&self, path: &str) -> Result<Value> {
        if self.ipv6
            || self.internal
            || !(self.subnet.is_empty()
                && self.gateway.is_empty()
                && self.ip_range.is_empty()
                && self.aux_address.is_empty())
        {
            let message =
                "of driver cni the configuration list says --subnet, --gateway, --ip-range, --ipv6 and --internal";
            return Err(Error::new(Code::Invalid, message));
        }
        list::read(Path::new(path))
    }
}

/// What is said of addresses, of either family.
struct Asked {
    subnets: Vec<Subnet>,
    gateways: Vec<IpAddr>,
    ranges: Vec<Subnet>,
    aux: Vec<(String, IpAddr)>,
}

impl Asked {
    /// Reads the words: of each kind one a family, gateways and ranges within a subnet that is said too.
    fn read(args: &Create) -> Result<Self> {
        let parse = |text: &String| subnet::parse(text);
        let gateway = |text: &String| {
            let bad = || Error::new(Code::Invalid, format!("invalid gateway {text:?}: no address"));
            text.parse::<IpAddr>().map_err(|_| bad())
        };
        let aux = |word: &String| {
            let pair = word.split_once('=').filter(|(name, _)| !name.is_empty());
            let address = pair.and_then(|(name, address)| Some((name.to_owned(), address.parse::<IpAddr>().ok()?)));
            address
                .ok_or_else(|| Error::new(Code::Invalid, format!("invalid --aux-address {word:?}: not NAME=ADDRESS")))
        };
        let asked = Self {
            subnets: args.subnet.iter().map(parse).collect::<Result<_>>()?,
            gateways: args.gateway.iter().map(gateway).collect::<Result<_>>()?,
            ranges: args.ip_range.iter().map(parse).collect::<Result<_>>()?,
            aux: args.aux_address.iter().map(aux).collect::<Result<_>>()?,
        };
        if let Some(name) = asked
            .aux
            .iter()
            .enumerate()
            .find_map(|(at, (name, _))| asked.aux[..at].iter().any(|(other, _)| other == name).then_some(name))
        {
            return Err(Error::new(Code::Invalid, format!("--aux-address {name} is given twice")));
        }
        if let Some((name, address)) = asked.aux.iter().find(|(_, a)| !asked.subnets.iter().any(|s| s.contains(a))) {
            let message = format!("--aux-address {name}={address} is in no --subnet of the network");
            return Err(Error::new(Code::Invalid, message));
        }
        for six in [false, true] {
            let of = |list: &[Subnet]| list.iter().filter(|subnet| is_six(subnet) == six).count();
            let gateways = asked.gateways.iter().filter(|gateway| gateway.is_ipv6() == six).count();
            let (subnets, ranges) = (of(&asked.subnets), of(&asked.ranges));
            if subnets.max(ranges).max(gateways) > 1 {
                let family = if six { "IPv6" } else { "IPv4" };
                return Err(Error::new(Code::Unsupported, format!("more than one subnet of {family}: not there")));
            }
            if subnets == 0 && (gateways > 0 || ranges > 0) {
                let message = "--gateway and --ip-range are parts of a --subnet: give it too";
                return Err(Error::new(Code::Invalid, message));
            }
        }
        Ok(asked)
    }

    fn subnet(&self, six: bool) -> Option<Subnet> {
        self.subnets.iter().copied().find(|subnet| is_six(subnet) == six)
    }

    /// The subnet with what else is said of it.
    fn pool(&self, subnet: Subnet) -> Result<Pool> {
        let six = is_six(&subnet);
        let gateway = self.gateways.iter().copied().find(|gateway| gateway.is_ipv6() == six);
        let range = self.ranges.iter().copied().find(|range| is_six(range) == six);
        let aux = self.aux.iter().filter(|(_, address)| address.is_ipv6() == six).cloned().collect();
        let pool = Pool { aux, ..Pool::new(subnet, gateway, range)? };
        match pool.aux.iter().find(|(_, address)| **address == pool.gateway) {
            Some((name, address)) => {
                Err(Error::new(Code::Invalid, format!("--aux-address {name}={address} is the gateway of {subnet}")))
            }
            None => Ok(pool),
        }
    }
}

fn is_six(subnet: &Subnet) -> bool {
    matches!(subnet, Subnet::V6(_))
}
