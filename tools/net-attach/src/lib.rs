//! Attaches a container to networks: a namespace that `ip netns` sees, a veth to each network's bridge, addresses, routes,
//! published ports.

mod attach;
mod change;
mod check;
pub mod cni;
mod dns;
mod end;
mod foreign;
mod gc;
mod host;
mod hosts;
pub mod live;
mod plugins;
mod repair;
mod word;

use attach::Attach;
pub use change::{connect, disconnect};
use clap::Args;
use ctr_core::{Code, Common, Document, Done, Error, Result, Rollback, State, Tool, Value, container, json};
use ctr_net::{Mapping, Net, PublishMode, mode::Mode, names, network, port};
pub use host::{forget_parents, no_parent};
pub use word::{Wanted, alias, ip, link};

/// The environment variable that says what `--network` would, where it is not given.
const DEFAULT: &str = "CTR_NETWORK";
/// That which says what `--publish-mode` would.
const PUBLISH_MODE: &str = "CTR_PUBLISH_MODE";

/// The arguments of net-attach(1).
#[derive(Args, Debug)]
pub struct NetAttach {
    /// A network: a name, or with settings name=NAME,alias=…,ip=…,ip6=…,mac-address=…,gw-priority=…; alone: none, host,
    /// container:NAME or ns:PATH [default: bridge]
    #[arg(long, value_name = "NETWORK")]
    network: Vec<String>,
    /// Call the container so too on the first network
    #[arg(long, value_name = "NAME")]
    network_alias: Vec<String>,
    /// Give another container a name for this one alone, on the first network
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    link: Vec<String>,
    /// Give the container this address of the first network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Give it this address of IPv6 of the first network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Give its interface on the first network this hardware address
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Let a port of the host lead to a port of the container
    #[arg(short = 'p', long, value_name = "[IP:][PORT]:PORT[/PROTOCOL]")]
    publish: Vec<String>,
    /// Say that the container listens on a port, beside those that its image exposes
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    expose: Vec<String>,
    /// The same as --publish for every port that is exposed, from any port of the host
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// How what comes for them gets to the container: dnat, led on by the firewall, or proxy, by a process [default: dnat]
    #[arg(long, value_name = "MODE")]
    publish_mode: Option<String>,
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
    const ABOUT: &'static str = "Attach a container to networks";
    const JOINS: bool = true;

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        if let Some(net) = doc.get("net") {
            let name = net.get("name").and_then(Value::as_str).unwrap_or("one");
            return Err(Error::new(Code::Exists, format!("document has a network already, {name}"))
                .hint("net-attach --undo takes it away"));
        }
        let before = doc.get("spec").and_then(|s| s.get("linux")).and_then(|l| l.get("namespaces")).cloned();
        let mut networks = self.words()?;
        if let Some(mode) = bare(&mut networks)? {
            self.refuse_settings(&networks[0])?;
            set_namespace(doc, mode.entry())?;
            doc.push_step(Self::NAME, json!({"before": before}));
            return Ok(Done::Print);
        }
        self.settle(&mut networks[0])?;
        let mut six = false;
        for wanted in &networks {
            let network = match network::load(&wanted.network) {
                // It is made when it is first needed.
                Err(e) if e.code == Code::NotFound && wanted.network == network::DEFAULT => continue,
                other => other?,
            };
            six |= network.six().is_some();
        }
        let dns = dns::Dns { servers: &self.dns, search: &self.dns_search, options: &self.dns_option, six }.read()?;
        let mut attach = Attach {
            id: String::new(),
            networks,
            mappings: self.mappings(doc)?,
            exposed: self.exposed()?.into_iter().map(|(port, protocol)| format!("{port}/{protocol}")).collect(),
            upstreams: if self.dns.is_empty() { Vec::new() } else { dns.nameservers.clone() },
            dns,
            mode: self.mode()?,
        };
        let claimed = container::claim_unless_there(doc, self.name.as_deref(), &self.labels)?;
        container::checked_id(doc.str("id").unwrap_or_default())?.clone_into(&mut attach.id);
        let mut rollback = Rollback::new();
        if claimed {
            let id = attach.id.clone();
            rollback.push(move || container::remove(&id));
        }
        let (net, addresses) = attach.run(&mut rollback)?;
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
        let is_to_run = doc.section::<State>("state")?.is_some_and(|state| state.is_live());
        let net = repair::repair(id, net, is_to_run)?;
        doc.set("net", &net)
    }

    fn gc() -> Result<Vec<Value>> {
        gc::gc()
    }
}

impl NetAttach {
    /// The flags, or else what this machine's configuration says; at least one.
    fn words(&self) -> Result<Vec<Wanted>> {
        if self.network.is_empty() {
            return Wanted::parse(&std::env::var(DEFAULT).unwrap_or_default()).map(|wanted| vec![wanted]);
        }
        if self.network.len() > names::PLACES {
            return Err(Error::new(Code::Limit, format!("more than {} networks", names::PLACES)));
        }
        self.network.iter().map(|word| Wanted::parse(word)).collect()
    }

    /// The flag, or else what this machine's configuration says.
    fn mode(&self) -> Result<PublishMode> {
        match (&self.publish_mode, std::env::var(PUBLISH_MODE)) {
            (Some(word), _) => PublishMode::parse(word),
            (None, Ok(word)) if !word.is_empty() => {
                PublishMode::parse(&word).map_err(|e| Error { message: format!("{PUBLISH_MODE}: {}", e.message), ..e })
            }
            (None, _) => Ok(PublishMode::Dnat),
        }
    }

    /// Adds what flags of their own say of the first network.
    fn settle(&self, first: &mut Wanted) -> Result<()> {
        let twice = |what: &str| Err(Error::new(Code::Invalid, format!("{what} of the first network is given twice")));
        if let Some(word) = &self.ip
            && first.ip.replace(word::ip(word)?).is_some()
        {
            return twice("--ip");
        }
        if let Some(word) = &self.ip6
            && first.ip6.replace(word::ip(word)?).is_some()
        {
            return twice("--ip6");
        }
        if let Some(word) = &self.mac_address
            && first.mac.replace(word::mac(word)?).is_some()
        {
            return twice("--mac-address");
        }
        if !self.network_alias.is_empty() && !first.aliases.is_empty() {
            return twice("--network-alias");
        }
        for word in &self.network_alias {
            first.aliases.push(word::alias(word)?);
        }
        for word in &self.link {
            first.links.push(word::link(word)?);
        }
        Ok(())
    }

    /// What is said of a network that there is not.
    fn refuse_settings(&self, wanted: &Wanted) -> Result<()> {
        let given = [
            ("a setting", wanted.has_settings()),
            ("--network-alias", !self.network_alias.is_empty()),
            ("--link", !self.link.is_empty()),
            ("--ip", self.ip.is_some() || self.ip6.is_some()),
            ("--mac-address", self.mac_address.is_some()),
            ("--publish", !self.publish.is_empty()),
            ("--publish-mode", self.publish_mode.is_some()),
            ("--dns", !self.dns.is_empty() || !self.dns_search.is_empty() || !self.dns_option.is_empty()),
        ];
        // docker passes --publish-all over too: there is nothing that could be published.
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => {
                Err(Error::new(Code::Invalid, format!("{flag} needs a network, not {}", wanted.network)))
            }
        }
    }

    /// What `--expose` says: a port, or a range of them.
    fn exposed(&self) -> Result<Vec<(u16, &'static str)>> {
        let mut exposed = Vec::new();
        for word in &self.expose {
            let bad = |e: Option<Error>| {
                let why = e.map_or("it is one of the host".to_owned(), |e| e.message);
                Error::new(Code::Invalid, format!("cannot expose port {word:?}: {why}"))
            };
            if word.contains(':') {
                return Err(bad(None));
            }
            exposed.extend(Mapping::parse(word).map_err(|e| bad(Some(e)))?.iter().map(|m| (m.container, m.protocol)));
        }
        Ok(exposed)
    }

    fn mappings(&self, doc: &Document) -> Result<Vec<Mapping>> {
        let mut mappings = Vec::new();
        for word in &self.publish {
            mappings.extend(Mapping::parse(word)?);
        }
        if self.publish_all {
            for (port, protocol) in exposed(doc)?.into_iter().chain(self.exposed()?) {
                if !mappings.iter().any(|m| m.container == port && m.protocol == protocol) {
                    mappings.push(Mapping::any(port, protocol)?);
                }
            }
        }
        Ok(mappings)
    }
}

/// The namespace that nothing is attached to, where that is what is named; of networks the names are settled.
fn bare(networks: &mut [Wanted]) -> Result<Option<Mode>> {
    let alone = networks.len() == 1;
    for wanted in networks {
        match Mode::parse(&wanted.network)? {
            Mode::Named(name) => wanted.network = name,
            mode if alone => return Ok(Some(mode)),
            _ => {
                let message = format!("network {} stands alone: there cannot be another beside it", wanted.network);
                return Err(Error::new(Code::Invalid, message));
            }
        }
    }
    Ok(None)
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
