//! Lists the ports that a container publishes, as its record has them; publishes others while it runs, and takes them back.

use clap::Args;
use ctr_core::{Code, Document, Error, Result, container, print_line};
use ctr_net::{Mapping, Net, PortMap, port};
use net_attach::live;
use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

/// The tool's name.
pub const NAME: &str = "ctr-port";
/// The first line of its help.
pub const ABOUT: &str = "List the ports that a container publishes, or change them";

/// The arguments of ctr-port(1).
#[derive(Args, Debug)]
pub struct CtrPort {
    /// Let a port of the host lead to a port of the container, which runs
    #[arg(long, value_name = "[IP:][PORT]:PORT[/PROTOCOL]", conflicts_with_all = ["rm", "port"])]
    add: Vec<String>,
    /// Let a port of the host lead there no more
    #[arg(long, value_name = "[IP:]PORT[-END][/PROTOCOL]", conflicts_with = "port")]
    rm: Vec<String>,
    /// The container: its name, its id or the beginning of an id that no other has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Only where this port of the container is found on the host
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

/// Prints a line a port, of those that are there or were added.
///
/// # Errors
/// `not-found` where there is no such container, it does not publish the port, or does not run; `invalid` for what is no
/// port; `exists`, naming the holder, for one that is taken.
pub fn run(args: CtrPort) -> Result<()> {
    let id = container::find(&args.container)?;
    if !args.add.is_empty() {
        return add(&id, &args.add);
    }
    let doc = container::recorded(&id)?;
    if !args.rm.is_empty() {
        return remove(&id, &args.container, &doc, &args.rm);
    }
    list(&doc, &args.container, args.port.as_deref())
}

fn list(doc: &Document, container: &str, port: Option<&str>) -> Result<()> {
    let ports = ctr_docker::ports(doc);
    let mut published = ports.iter().filter_map(|port| Some((port, port.host()?)));
    let Some(word) = port else {
        return published.try_for_each(|(port, host)| print_line(&line(port.private, &port.protocol, &host)));
    };
    let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let number: u16 = number.parse().map_err(|_| Error::new(Code::Invalid, format!("{word:?} is no port")))?;
    let mut found = false;
    for (_, host) in published.filter(|(port, _)| port.private == number && port.protocol == protocol) {
        found = true;
        print_line(&host)?;
    }
    if found {
        return Ok(());
    }
    Err(Error::new(Code::NotFound, format!("container {container} does not publish {number}/{protocol}")))
}

fn line(private: u16, protocol: &str, host: &str) -> String {
    format!("{private}/{protocol} -> {host}")
}

fn add(id: &str, words: &[String]) -> Result<()> {
    let mut mappings = Vec::new();
    for word in words {
        mappings.extend(Mapping::parse(word)?);
    }
    for claim in live::add(id, &mappings)? {
        print_line(&line(claim.target_port, claim.protocol, &SocketAddr::new(claim.ip, claim.port).to_string()))?;
    }
    Ok(())
}

fn remove(id: &str, container: &str, doc: &Document, words: &[String]) -> Result<()> {
    let published = doc.section::<Net>("net")?.map(|net| net.ports).unwrap_or_default();
    let meant = words.iter().map(|word| HostPort::parse(word)).collect::<Result<Vec<_>>>()?;
    for (word, one) in words.iter().zip(&meant) {
        if !published.iter().any(|port| one.is(port)) {
            let message = format!("container {container} does not publish port {word} of the host");
            return Err(Error::new(Code::NotFound, message).hint("ctr port lists those that it does"));
        }
    }
    live::remove(id, |port| meant.iter().any(|one| one.is(port)))
}

/// A port of the host, or several in a row.
struct HostPort {
    /// None: of whatever address.
    ip: Option<IpAddr>,
    ports: RangeInclusive<u16>,
    protocol: &'static str,
}

impl HostPort {
    fn parse(word: &str) -> Result<Self> {
        let bad = || Error::new(Code::Invalid, format!("{word:?} is no port")).hint("[IP:]PORT[-END][/PROTOCOL]");
        let (address, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let (ip, number) = address.rsplit_once(':').map_or((None, address), |(ip, port)| (Some(ip), port));
        let bare = |ip: &'_ str| ip.trim_start_matches('[').trim_end_matches(']').to_owned();
        let ip = ip.map(|ip| bare(ip).parse().map_err(|_| bad())).transpose()?;
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or_else(bad);
        let (first, last) = number.split_once('-').unwrap_or((number, number));
        let ports = port(first)?..=port(last)?;
        if ports.is_empty() {
            return Err(bad());
        }
        Ok(Self { ip, ports, protocol: port::protocol_of(protocol)? })
    }

    fn is(&self, port: &PortMap) -> bool {
        self.ip.is_none_or(|ip| port.is_at(ip))
            && self.ports.contains(&port.host_port)
            && self.protocol == port.protocol
    }
}
