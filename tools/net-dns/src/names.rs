//! Who is called what, as records and links have it at this moment: nothing registers here.
//!
//! Of what is read again and again a copy is kept, with the stamp of its file or directory. Whether a container runs is asked
//! anew for each answer.

use crate::stamp::Kept;
use ctr_core::{container, ident};
use ctr_net::{Attachment, Network, address, network};
use serde::Deserialize;
use std::{collections::HashMap, net::IpAddr, path::Path, sync::Arc};

/// Things of one kind of which a copy is kept, or twice as many as there are members. Those of containers that are gone are
/// among them, until it is full.
const MAX_KEPT: usize = 1024;

/// What of a record is needed.
#[derive(Deserialize)]
struct Record {
    name: Option<String>,
    net: Option<Net>,
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
struct Net {
    #[serde(default)]
    networks: Vec<Attachment>,
    #[serde(default)]
    upstreams: Vec<String>,
}

#[derive(Deserialize)]
struct Spec {
    hostname: Option<String>,
}

/// What a container is called.
#[derive(Debug, Default)]
struct Called {
    /// Its name as it is written.
    name: String,
    /// On every network, in lower case.
    everywhere: Vec<String>,
    /// Its networks.
    networks: Vec<On>,
    /// Whom it wants asked for other names.
    upstreams: Vec<IpAddr>,
}

/// A container on a network.
#[derive(Clone, Debug)]
struct On {
    network: String,
    /// What it is called there alone, in lower case.
    aliases: Vec<String>,
    /// What it alone calls others, and what they are called, in lower case.
    links: Vec<(String, String)>,
}

impl On {
    /// What the other is called whose link has this name; `None` where none has.
    fn linked(&self, name: &str) -> Option<&str> {
        let bare = name.strip_suffix(&self.network.to_ascii_lowercase()).and_then(|name| name.strip_suffix('.'));
        let link = self.links.iter().find(|(alias, _)| alias == name || Some(alias.as_str()) == bare);
        link.map(|(_, other)| other.as_str())
    }
}

impl Called {
    fn of(id: &str, record: Record) -> Self {
        let lower = |word: &String| word.to_ascii_lowercase();
        let net = record.net.unwrap_or_default();
        let name = record.name.unwrap_or_default();
        let host = record.spec.and_then(|spec| spec.hostname);
        let everywhere = [Some(name.clone()), Some(ident::short(id).to_owned()), host];
        let on = |there: Attachment| On {
            network: there.name,
            aliases: there.aliases.iter().map(lower).collect(),
            links: there.links.iter().map(|link| (lower(&link.alias), lower(&link.container))).collect(),
        };
        Self {
            everywhere: everywhere.iter().flatten().map(lower).filter(|word| !word.is_empty()).collect(),
            networks: net.networks.into_iter().map(on).collect(),
            upstreams: net.upstreams.iter().filter_map(|word| word.parse().ok()).collect(),
            name,
        }
    }

    /// Whether `word`, in lower case, is its own name, its id or the first digits of that.
    fn is(&self, id: &str, word: &str) -> bool {
        self.name.eq_ignore_ascii_case(word) || id == word || ident::short(id) == word
    }

    /// Whether `name`, in lower case, means it on the network: one of its names, or that and the network's.
    fn answers(&self, network: &str, name: &str) -> bool {
        let there = self.networks.iter().find(|on| on.network == network);
        let own = |word: &str| {
            let mut names = self.everywhere.iter().chain(there.iter().flat_map(|on| &on.aliases));
            names.any(|name| name == word)
        };
        let before = |suffix: String| name.strip_suffix(&suffix).is_some_and(own);
        own(name) || before(format!(".{}", network.to_ascii_lowercase()))
    }
}

/// The container that asks.
#[derive(Debug)]
pub struct Asker {
    /// The first digits of its id.
    pub id: String,
    /// The networks whose names it may know.
    networks: Vec<On>,
    /// Whom it wants asked for other names; none: the host's servers.
    pub upstreams: Vec<IpAddr>,
    /// Whether anything outside is reached from it: else nothing is asked there for it either.
    pub goes_out: bool,
}

/// Whose an address is.
#[derive(Debug, PartialEq, Eq)]
pub enum Owner {
    /// This container's.
    Called(String),
    /// Nobody's, in a network that the asker is on.
    Nobody,
    /// None of these networks'.
    Elsewhere,
}

type Members = Arc<Vec<(IpAddr, String)>>;

/// The names of a network's containers, and of those of the other networks that they are on.
pub struct Names {
    network: String,
    members: HashMap<String, Kept<Members>>,
    called: HashMap<String, Kept<Arc<Called>>>,
    networks: HashMap<String, Kept<Option<Arc<Network>>>>,
}

impl Names {
    /// For the resolver of this network.
    pub fn of(network: &str) -> Self {
        let network = network.to_owned();
        Self { network, members: HashMap::new(), called: HashMap::new(), networks: HashMap::new() }
    }

    /// The container that has this address on the resolver's network; `None` for an address that nobody has.
    pub fn asker(&mut self, from: IpAddr) -> Option<Asker> {
        let own = self.network.clone();
        let members = self.members(&own);
        let (_, id) = members.iter().find(|(address, _)| *address == from)?;
        let called = self.called(id);
        let mut all = called.networks.clone();
        if !all.iter().any(|on| on.network == own) {
            // Its record is not written yet.
            all.push(On { network: own, aliases: Vec::new(), links: Vec::new() });
        }
        let goes_out = all.iter().any(|on| self.network(&on.network).is_some_and(|network| !network.internal));
        // The default network has no names.
        let networks = all.into_iter().filter(|on| on.network != network::DEFAULT).collect();
        Some(Asker { id: ident::short(id).to_owned(), networks, upstreams: called.upstreams.clone(), goes_out })
    }

    /// Whether a container has this address on the resolver's network.
    pub fn knows(&mut self, from: IpAddr) -> bool {
        let own = self.network.clone();
        self.members(&own).iter().any(|(address, _)| *address == from)
    }

    /// The addresses of those who run and whom the name, in lower case, means to the asker; `None` where it means nobody. What
    /// a link of the asker's says is all that its name means, on its other networks too.
    pub fn addresses(&mut self, asker: &Asker, name: &str) -> Option<Vec<IpAddr>> {
        let mut found = Vec::new();
        let is_link = asker.networks.iter().any(|on| on.linked(name).is_some());
        for on @ On { network, .. } in &asker.networks {
            let link = on.linked(name);
            if is_link && link.is_none() {
                continue;
            }
            let members = self.members(network);
            // A link means the container of that name alone; where there is none, who is called so.
            let alone = link.filter(|other| members.iter().any(|(_, id)| self.called(id).is(id, other)));
            for (address, id) in members.iter() {
                let called = self.called(id);
                let is_meant =
                    alone.map_or_else(|| called.answers(network, link.unwrap_or(name)), |other| called.is(id, other));
                if is_meant && runs(id) && !found.contains(address) {
                    found.push(*address);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// Whose the address is.
    pub fn owner(&mut self, asker: &Asker, address: IpAddr) -> Owner {
        for On { network: name, .. } in &asker.networks {
            let members = self.members(name);
            if let Some((_, id)) = members.iter().find(|(other, id)| *other == address && runs(id)) {
                let called = self.called(id);
                return Owner::Called(format!("{}.{name}", called.name));
            }
            if self.network(name).is_some_and(|network| holds(&network, address)) {
                return Owner::Nobody;
            }
        }
        Owner::Elsewhere
    }

    fn members(&mut self, network: &str) -> Members {
        let read = || Arc::new(address::of_network(network).unwrap_or_default());
        kept(&mut self.members, network, &address::root().join(network), MAX_KEPT, read)
    }

    fn called(&mut self, id: &str) -> Arc<Called> {
        let read = || {
            let record = container::recorded_as::<Record>(id);
            Arc::new(record.map_or_else(|_| Called::default(), |record| Called::of(id, record)))
        };
        let members: usize = self.members.values().map(|kept| kept.value.len()).sum();
        kept(&mut self.called, id, &container::record_file(id), MAX_KEPT.max(2 * members), read)
    }

    fn network(&mut self, name: &str) -> Option<Arc<Network>> {
        let read = || network::find(name).ok().flatten().map(Arc::new);
        kept(&mut self.networks, name, &network::record_file(name), MAX_KEPT, read)
    }
}

fn kept<T: Clone>(
    all: &mut HashMap<String, Kept<T>>,
    key: &str,
    path: &Path,
    most: usize,
    read: impl FnOnce() -> T,
) -> T {
    let before = all.remove(key);
    if all.len() >= most {
        all.clear();
    }
    let now = Kept::or_read(before, path, read);
    let value = now.value.clone();
    all.insert(key.to_owned(), now);
    value
}

fn holds(network: &Network, address: IpAddr) -> bool {
    network.subnets.iter().any(|pool| pool.subnet.contains(&address))
}

/// Whether a process of the container is there.
fn runs(id: &str) -> bool {
    container::last_state(id).ok().flatten().is_some_and(|state| container::is_alive(&state))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    #[test]
    fn what_a_container_answers_to() {
        let id = "0123456789ab".to_owned() + &"0".repeat(52);
        let record = json!({
            "name": "Web", "spec": {"hostname": "www"}, "image": {},
            "net": {"name": "red", "upstreams": ["192.0.2.1", "x"], "networks": [
                {"name": "red", "interface": "eth0", "aliases": ["Front"]},
                {"name": "Blue", "interface": "eth1"},
            ]},
        });
        let called = Called::of(&id, Record::deserialize(record).unwrap());
        for (network, name, is) in [
            ("red", "web", true),
            ("red", "front", true),
            ("red", "0123456789ab", true),
            ("red", "www", true),
            ("red", "web.red", true),
            ("red", "front.red", true),
            ("red", "web.blue", false),
            ("red", "red", false),
            ("red", ".red", false),
            ("Blue", "web.blue", true),
            ("Blue", "front", false),
            ("red", "web.example", false),
        ] {
            assert_eq!(called.answers(network, name), is, "{name} on {network}");
        }
        assert_eq!(called.upstreams, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_link_stands_for_another_name() {
        let links = vec![("data".to_owned(), "db".to_owned())];
        let on = On { network: "Red".to_owned(), aliases: Vec::new(), links };
        for (name, other) in
            [("data", Some("db")), ("data.red", Some("db")), ("db", None), ("data.blue", None), ("red", None)]
        {
            assert_eq!(on.linked(name), other, "{name}");
        }
    }

    #[test]
    fn a_record_that_does_not_read_has_no_name() {
        assert!(!Called::default().answers("red", ""));
        assert!(!Called::default().answers("red", "web"));
    }
}
