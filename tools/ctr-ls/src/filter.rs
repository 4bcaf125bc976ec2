//! docker's filters for containers.

use crate::{Images, Listed, Moment, images::Ancestor};
use ctr_core::{Code, Error, Result, container};
use ctr_docker::{LabelFilter, Port, attachments, mounts, name_filter, ports};
use regex_lite::Regex;
use std::ops::RangeInclusive;

const KEYS: &str =
    "the keys are name, id, status, label, ancestor, exited, health, network, volume, publish, expose, before, since";
const STATES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const HEALTH: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

/// One `--filter`.
enum Filter {
    Name(Regex),
    Id(String),
    Status(String),
    Label(LabelFilter),
    /// None where there is no such image: nothing is made from it.
    Ancestor(Option<Ancestor>),
    Exited(i64),
    Health(String),
    Network(String),
    Volume(String),
    Publish(RangeInclusive<u16>, String),
    Expose(RangeInclusive<u16>, String),
    Before(Moment),
    Since(Moment),
}

/// All of them, each with its key.
pub(crate) struct Filters(Vec<(String, Filter)>);

impl Filters {
    /// Parses `KEY=VALUE` words; `containers` are all there are.
    ///
    /// # Errors
    /// `usage` for what is no filter; `not-found` and `invalid` where a container or image is not to be found by it.
    pub fn parse(words: &[String], containers: &[Listed], images: &Images) -> Result<Self> {
        let parse = |word: &String| {
            let (key, value) = word.split_once('=').ok_or_else(|| usage(word, "KEY=VALUE is expected"))?;
            Ok((key.to_owned(), filter(word, key, value, containers, images)?))
        };
        words.iter().map(parse).collect::<Result<_>>().map(Self)
    }

    /// Whether a state is asked for: then those that do not run are looked at too.
    pub fn ask_for_state(&self) -> bool {
        self.0.iter().any(|(key, _)| key == "status")
    }

    /// Whether the container passes: one filter of each key must let it, but of labels all, as in docker.
    pub fn match_all(&self, container: &Listed) -> bool {
        self.0.iter().all(|(key, filter)| {
            let mut same = self.0.iter().filter(|(k, _)| k == key);
            filter.matches(container) || (key != "label" && same.any(|(_, other)| other.matches(container)))
        })
    }
}

fn filter(word: &str, key: &str, value: &str, containers: &[Listed], images: &Images) -> Result<Filter> {
    let one_of = |words: &[&str]| {
        let known = words.contains(&value).then(|| value.to_owned());
        known.ok_or_else(|| usage(word, &format!("expected one of {}", words.join(", "))))
    };
    let moment = || {
        let id = container::find(value)?;
        let found = containers.iter().find(|c| c.id == id).map(Listed::moment);
        found.ok_or_else(|| Error::new(Code::Corrupt, format!("filter {word:?}: the record does not read")))
    };
    Ok(match key {
        "name" => Filter::Name(name_filter(value)?),
        "id" => Filter::Id(value.to_owned()),
        "status" => Filter::Status(one_of(&STATES)?),
        "label" => Filter::Label(LabelFilter::parse(value)),
        "ancestor" => Filter::Ancestor(images.ancestor(value, containers.iter().filter_map(|c| c.image.as_ref()))?),
        "exited" => Filter::Exited(value.parse().map_err(|_| usage(word, "a number is expected"))?),
        "health" => Filter::Health(one_of(&HEALTH)?),
        "network" => Filter::Network(value.to_owned()),
        "volume" => Filter::Volume(value.to_owned()),
        "publish" | "expose" => {
            let (ports, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            let port = |text: &str| text.parse().map_err(|_| usage(word, "a port is expected, as 80, 80-90 or 53/udp"));
            let (ports, protocol) = (port(first)?..=port(last)?, protocol.to_owned());
            if key == "publish" { Filter::Publish(ports, protocol) } else { Filter::Expose(ports, protocol) }
        }
        "before" => Filter::Before(moment()?),
        "since" => Filter::Since(moment()?),
        _ => return Err(usage(word, KEYS)),
    })
}

impl Filter {
    fn matches(&self, container: &Listed) -> bool {
        let doc = &container.doc;
        match self {
            Self::Name(pattern) => {
                // docker's own names begin with a slash, and its users' patterns may: ^/web$
                let name = doc.str("name").unwrap_or_default();
                pattern.is_match(name) || pattern.is_match(&format!("/{name}"))
            }
            Self::Id(prefix) => container.id.starts_with(prefix),
            Self::Status(word) => container.status.word == word,
            Self::Label(label) => label.matches(&container.labels),
            Self::Ancestor(ancestor) => match (ancestor, &container.image) {
                (Some(ancestor), Some(image)) => ancestor.matches(image),
                _ => false,
            },
            Self::Exited(code) => {
                container.status.word == "exited" && container.status.exit_code.map(i64::from) == Some(*code)
            }
            Self::Health(word) => container.status.health() == word,
            Self::Network(name) => attachments(doc).iter().any(|a| a.network == *name),
            Self::Volume(word) => mounts(doc)
                .iter()
                .any(|m| m.volume.as_ref() == Some(word) || m.source == *word || m.destination == *word),
            Self::Publish(range, protocol) => {
                let is_meant = |port: &Port| port.public.is_some_and(|public| range.contains(&public));
                ports(doc).iter().any(|port| port.protocol == *protocol && is_meant(port))
            }
            Self::Expose(range, protocol) => {
                ports(doc).iter().any(|port| port.protocol == *protocol && range.contains(&port.private))
            }
            Self::Before(moment) => container.moment() < *moment,
            Self::Since(moment) => container.moment() > *moment,
        }
    }
}

fn usage(filter: &str, why: &str) -> Error {
    Error::new(Code::Usage, format!("filter {filter:?}: {why}"))
}
