//! Attaches a container to a network: a namespace that `ip netns` sees, a veth to the network's bridge, an address,
//! routes, published ports.

mod attach;
mod check;
mod dns;
mod gc;
mod host;

use attach::Attach;
use clap::Args;
use ctr_core::{Code, Common, Document, Done, Error, Map, Result, Rollback, Tool, Value, container, json};
use ctr_net::{Mapping, Net, mode::Mode, network, port};
use std::net::Ipv4Addr;

/// The environment variable that says what `--network` would, where it is not given.
const DEFAULT: &str = "CTR_NETWORK";

/// The arguments of net-attach(1).
#[derive(Args, Debug)]
pub struct NetAttach {
    /// The network: a name, none, host, container:NAME or ns:PATH [default: bridge]
    #[arg(long, value_name = "NETWORK")]
    network: Vec<String>,
    /// Give the container this address of the network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Give its interface this hardware address
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Let a port of the host lead to a port of the container
    #[arg(short = 'p', long, value_name = "[IP:][PORT]:PORT[/PROTOCOL]")]
    publish: Vec<String>,
    /// The same for every port that the image exposes, from any port of the host
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Ask this server for names [default: the host's]
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Look for short names in this domain; a dot: in none
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// An option of the resolver
    #[arg(long, value_name = "OPTION")]
    dns_option: Vec<String>,
    /// Give the container this name, if its document has none yet
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Give the container a label, if its document has no id yet
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
}

impl Tool for NetAttach {
    const NAME: &'static str = "net-attach";
    const ABOUT: &'static str = "Attach a container to a network";

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        if let Some(net) = doc.get("net") {
            let name = net.get("name").and_then(Value::as_str).unwrap_or("one");
            return Err(Error::new(Code::Exists, format!("document has a network already, {name}"))
                .hint("net-attach --undo takes it away"));
        }
        let before = doc.get("spec").and_then(|s| s.get("linux")).and_then(|l| l.get("namespaces")).cloned();
        let name = match self.mode()? {
            Mode::Named(name) => name,
            mode => {
                self.refuse_settings()?;
                set_namespace(doc, mode.entry())?;
                doc.push_step(Self::NAME, json!({"before": before}));
                return Ok(Done::Print);
            }
        };
        if name != network::DEFAULT {
            network::load(&name)?;
        }
        let dns = dns::Dns { servers: &self.dns, search: &self.dns_search, options: &self.dns_option }.read()?;
        let mut attach = Attach {
            id: String::new(),
            network: name,
            ip: self.ip.as_deref().map(ip).transpose()?,
            mac: self.mac_address.as_deref().map(mac).transpose()?,
            mappings: self.mappings(doc)?,
            upstreams: if self.dns.is_empty() { Vec::new() } else { dns.nameservers.clone() },
            dns,
        };
        let claimed = container::claim_unless_there(doc, self.name.as_deref(), &self.labels)?;
        container::checked_id(doc.str("id").unwrap_or_default())?.clone_into(&mut attach.id);
        let mut rollback = Rollback::new();
        if claimed {
            let id = attach.id.clone();
            rollback.push(move || container::remove(&id));
        }
        let net = attach.run(&mut rollback)?;
        let addresses = Map::from_iter([(net.name.clone(), json!(net.address()))]);
        set_namespace(doc, json!({"type": "network", "path": net.netns}))?;
        doc.set("net", &net)?;
        let step = json!({"id": attach.id, "addresses": addresses, "claimed": claimed, "before": before});
        doc.push_step(Self::NAME, step);
        rollback.disarm();
        Ok(Done::Print)
    }

    fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
        ctr_net::undo(doc, undo)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check::check(doc)
    }

    fn repair(doc: &mut Document) -> Result<()> {
        let Some(net) = doc.section::<Net>("net")? else { return Ok(()) };
        let id = container::checked_id(doc.str("id").unwrap_or_default())?;
        // One that was removed is not there to be repaired.
        container::recorded(id)?;
        attach::repair(id, &net)
    }

    fn gc() -> Result<Vec<Value>> {
        gc::gc()
    }
}

impl NetAttach {
    fn mode(&self) -> Result<Mode> {
        match self.network.as_slice() {
            [] | [_] => Mode::parse(&self.word()),
            _ => Err(Error::new(Code::Unsupported, "more than one --network: not there yet")),
        }
    }

    /// The flag, or else what this machine's configuration says.
    fn word(&self) -> String {
        let configured = || std::env::var(DEFAULT).unwrap_or_default();
        self.network.first().cloned().unwrap_or_else(configured)
    }

    /// What is said of a network that there is not.
    fn refuse_settings(&self) -> Result<()> {
        let given = [
            ("--ip", self.ip.is_some()),
            ("--mac-address", self.mac_address.is_some()),
            ("--publish", !self.publish.is_empty()),
            ("--dns", !self.dns.is_empty() || !self.dns_search.is_empty() || !self.dns_option.is_empty()),
        ];
        // docker passes --publish-all over too: there is nothing that could be published.
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::new(Code::Invalid, format!("{flag} needs a network, not {}", self.word()))),
        }
    }

    fn mappings(&self, doc: &Document) -> Result<Vec<Mapping>> {
        let mut mappings = Vec::new();
        for word in &self.publish {
            mappings.extend(Mapping::parse(word)?);
        }
        if self.publish_all {
            for (port, protocol) in exposed(doc)? {
                if !mappings.iter().any(|m| m.container == port && m.protocol == protocol) {
                    mappings.push(Mapping::any(port, protocol));
                }
            }
        }
        Ok(mappings)
    }
}

/// `ExposedPorts` of the image: `{"80/tcp": {}}`.
fn exposed(doc: &Document) -> Result<Vec<(u16, &'static str)>> {
    let ports = doc.get("image").map(|image| &image["config"]["config"]["ExposedPorts"]).and_then(Value::as_object);
    let port = |word: &String| {
        let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let number = number.parse().ok().filter(|n| *n != 0);
        let number =
            number.ok_or_else(|| Error::new(Code::Invalid, format!("image: exposed port {word:?} is none")))?;
        Ok((number, port::protocol_of(protocol)?))
    };
    ports.into_iter().flat_map(|ports| ports.keys()).map(port).collect()
}

/// Puts the network's entry into `spec.linux.namespaces`, for one that may be there.
fn set_namespace(doc: &mut Document, entry: Value) -> Result<()> {
    let misshapen = || Error::new(Code::Invalid, "document: spec.linux.namespaces has not its form");
    let linux = doc.object("spec")?.entry("linux").or_insert_with(|| json!({}));
    let linux = linux.as_object_mut().ok_or_else(misshapen)?;
    let list = linux.entry("namespaces").or_insert_with(|| json!([]));
    let list = list.as_array_mut().ok_or_else(misshapen)?;
    list.retain(|other| other["type"] != "network");
    list.push(entry);
    Ok(())
}

fn ip(word: &str) -> Result<Ipv4Addr> {
    if word.contains(':') {
        return Err(Error::new(Code::Unsupported, format!("address {word}: IPv6 is not there yet")));
    }
    word.parse().map_err(|_| Error::new(Code::Invalid, format!("invalid address {word:?}")))
}

/// Six pairs of hex digits; not a group's.
fn mac(word: &str) -> Result<[u8; 6]> {
    let bad = || Error::new(Code::Invalid, format!("invalid hardware address {word:?}")).hint("as 02:42:ac:11:00:02");
    let pair = |pair: &str| {
        let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        u8::from_str_radix(pair, 16).ok().filter(|_| digits)
    };
    let bytes = word.split([':', '-']).map(pair).collect::<Option<Vec<u8>>>().ok_or_else(bad)?;
    let bytes: [u8; 6] = bytes.try_into().map_err(|_| bad())?;
    if bytes[0] & 1 == 1 || bytes == [0; 6] { Err(bad()) } else { Ok(bytes) }
}

/// Six pairs of hex digits.
fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hardware_addresses() {
        assert_eq!(mac_text(mac("02:42:AC-11-00-02").unwrap()), "02:42:ac:11:00:02");
        for bad in ["", "02:42:ac:11:00", "01:00:00:00:00:01", "00:00:00:00:00:00", "+2:42:ac:11:00:02", "0242ac110002"]
        {
            assert_eq!(mac(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
