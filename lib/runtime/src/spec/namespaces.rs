//! `linux.namespaces`: new, the caller's own, or joined by path (namespaces(7)).

use super::{Flags, part};
use ctr_core::{Cannot, Code, Error, Map, Result, Value, container, json};
use std::{fs, path::Path};

/// What becomes of one kind of namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A new one.
    New,
    /// The caller's own.
    Host,
    /// The one whose nsfs file lies at this path.
    Path(String),
}

/// Type in the spec, file in /proc/PID/ns, whether a container has a new one unless told otherwise.
const TYPES: [(&str, &str, bool); 8] = [
    ("mount", "mnt", true),
    ("network", "net", true),
    ("uts", "uts", true),
    ("pid", "pid", true),
    ("ipc", "ipc", true),
    ("cgroup", "cgroup", true),
    ("user", "user", false),
    ("time", "time", false),
];

/// What the annotation is called that says whose namespace of a kind is joined, by the container's id. A process number is
/// another's once that container has ended.
const JOINS: &str = "ctr.join.";

/// Puts the paths of namespaces of other containers into the spec anew, for those may have been started again since.
///
/// # Errors
/// `not-found` where one does not run.
pub fn rejoin(spec: &mut Map<String, Value>) -> Result<()> {
    let Some(annotations) = spec.get("annotations").and_then(Value::as_object) else { return Ok(()) };
    let mut joined = Vec::new();
    for (key, id) in annotations {
        if let (Some(kind), Some(id)) = (key.strip_prefix(JOINS), id.as_str()) {
            let path = container::namespace(container::checked_id(id)?, kind, TYPES[index(kind)?].1)?;
            joined.push((kind.to_owned(), path));
        }
    }
    let listed = spec.get_mut("linux").and_then(|l| l.get_mut("namespaces")).and_then(Value::as_array_mut);
    for entry in listed.into_iter().flatten() {
        if let Some((_, path)) = joined.iter().find(|(kind, _)| entry["type"] == **kind) {
            entry["path"] = json!(path);
        }
    }
    Ok(())
}

/// The mode of each kind, and whose namespace is joined where it is a container's.
#[derive(Clone, Debug)]
pub struct Namespaces {
    modes: [Mode; TYPES.len()],
    owners: [Option<String>; TYPES.len()],
}

impl Namespaces {
    /// Flags first, then what `spec` has, then the default. A `complete` spec means what it leaves out.
    pub fn new(spec: &Map<String, Value>, complete: bool, flags: &Flags) -> Result<Self> {
        let modes = TYPES.map(|(.., new)| if new && !complete { Mode::New } else { Mode::Host });
        let mut this = Self { modes, owners: Default::default() };
        let listed = spec.get("linux").and_then(|l| l.get("namespaces")).and_then(Value::as_array);
        for entry in listed.into_iter().flatten() {
            let kind = part::string(Some(entry), "type").unwrap_or_default();
            let at = index(kind)?;
            this.modes[at] = match part::string(Some(entry), "path") {
                None => Mode::New,
                // So a document says it in which what is left out is new.
                Some(path) if path.strip_prefix("/proc/self/ns/") == Some(TYPES[at].1) => Mode::Host,
                Some(path) => Mode::Path(path.to_owned()),
            };
        }
        for (kind, flag) in [
            ("pid", &flags.pid),
            ("ipc", &flags.ipc),
            ("uts", &flags.uts),
            ("user", &flags.userns),
            ("cgroup", &flags.cgroupns),
            ("network", &flags.network),
        ] {
            if let Some(word) = flag {
                this.modes[index(kind)?] = docker_mode(kind, word)?;
            }
        }
        for word in &flags.ns {
            let (kind, value) = word.split_once('=').ok_or_else(|| {
                Error::new(
                    Code::Invalid,
                    format!("invalid namespace {word:?}: expected TYPE=PATH, TYPE=host or TYPE=new"),
                )
            })?;
            this.modes[index(kind)?] = match value {
                "new" => Mode::New,
                "host" => Mode::Host,
                path => joined(kind, path)?,
            };
        }
        if this.of("mount") == &Mode::Host {
            return Err(Error::new(Code::Unsupported, "a container without a mount namespace of its own"));
        }
        for ((owner, mode), (_, file, _)) in this.owners.iter_mut().zip(&this.modes).zip(TYPES) {
            *owner = owner_of(mode, file)?;
        }
        Ok(this)
    }

    /// The mode of one kind, by its name in the spec.
    pub fn of(&self, kind: &str) -> &Mode {
        TYPES.iter().position(|(t, ..)| *t == kind).map_or(&Mode::Host, |n| &self.modes[n])
    }

    /// The container whose namespace of that kind is joined.
    pub fn owner(&self, kind: &str) -> Option<&str> {
        TYPES.iter().position(|(t, ..)| *t == kind).and_then(|n| self.owners[n].as_deref())
    }

    /// Notes whose namespaces are joined, in `spec.annotations`.
    pub fn annotate(&self, spec: &mut Map<String, Value>) -> Result<()> {
        for ((kind, ..), owner) in TYPES.iter().zip(&self.owners) {
            let key = format!("{JOINS}{kind}");
            match owner {
                Some(id) => drop(part::object(spec, "annotations")?.insert(key, json!(id))),
                None => {
                    if let Some(annotations) = spec.get_mut("annotations").and_then(Value::as_object_mut) {
                        annotations.shift_remove(&key);
                    }
                }
            }
        }
        Ok(())
    }

    /// `linux.namespaces`, and the id maps of a new user namespace.
    pub fn write(&self, linux: &mut Map<String, Value>, flags: &Flags) -> Result<()> {
        let entries = TYPES.iter().zip(&self.modes).filter_map(|((kind, ..), mode)| match mode {
            Mode::New => Some(json!({"type": kind})),
            Mode::Path(path) => Some(json!({"type": kind, "path": path})),
            Mode::Host => None,
        });
        let entries: Vec<_> = entries.collect();
        linux.insert("namespaces".to_owned(), Value::Array(entries));
        let new_user = self.of("user") == &Mode::New;
        for (key, words, own) in
            [("uidMappings", &flags.uidmap, "/proc/self/uid_map"), ("gidMappings", &flags.gidmap, "/proc/self/gid_map")]
        {
            if !words.is_empty() && !new_user {
                return Err(Error::new(Code::Invalid, "an id map needs a user namespace of its own")
                    .hint("add --userns private"));
            }
            if !words.is_empty() {
                let maps = words.iter().map(|w| mapping(w)).collect::<Result<Vec<_>>>()?;
                linux.insert(key.to_owned(), Value::Array(maps));
            } else if new_user && !linux.contains_key(key) {
                linux.insert(key.to_owned(), Value::Array(identity(own)?));
            }
        }
        Ok(())
    }
}

/// The container whose process a path is of, `/proc/PID/ns/FILE`.
fn owner_of(mode: &Mode, file: &str) -> Result<Option<String>> {
    let Mode::Path(path) = mode else { return Ok(None) };
    let process = path.strip_prefix("/proc/").and_then(|p| p.strip_suffix(file)?.strip_suffix("/ns/"));
    Ok(process.and_then(|pid| pid.parse().ok()).map(container::of_process).transpose()?.flatten())
}

fn index(kind: &str) -> Result<usize> {
    TYPES.iter().position(|(t, ..)| *t == kind).ok_or_else(|| {
        Error::new(Code::Invalid, format!("no namespace type {kind:?}"))
            .hint("pid, ipc, uts, user, cgroup, network, mount, time")
    })
}

/// The words that docker's and podman's flags take.
fn docker_mode(kind: &str, word: &str) -> Result<Mode> {
    if let Some(name) = word.strip_prefix("container:") {
        return of_container(kind, name);
    }
    if let Some(path) = word.strip_prefix("ns:") {
        return joined(kind, path);
    }
    match (kind, word) {
        (_, "host") => Ok(Mode::Host),
        (_, "private" | "") | ("ipc", "none" | "shareable") | ("network", "none") => Ok(Mode::New),
        ("network", _) => Err(Error::new(Code::Invalid, format!("cannot attach to network {word:?}"))
            .hint("put net-attach before this tool; here: none, host, container:NAME, ns:PATH")),
        _ => Err(Error::new(Code::Invalid, format!("invalid {kind} namespace {word:?}"))
            .hint("private, host, container:NAME or ns:PATH")),
    }
}

fn of_container(kind: &str, name: &str) -> Result<Mode> {
    joined(kind, &container::namespace(name, kind, TYPES[index(kind)?].1)?)
}

fn joined(kind: &str, path: &str) -> Result<Mode> {
    if !Path::new(path).is_absolute() {
        return Err(Error::new(Code::Invalid, format!("invalid {kind} namespace {path:?}: expected an absolute path")));
    }
    fs::metadata(path).cannot(|| format!("join the {kind} namespace {path}"))?;
    Ok(Mode::Path(path.to_owned()))
}

fn mapping(word: &str) -> Result<Value> {
    let parts: Vec<Option<u32>> = word.split(':').map(|n| n.parse().ok()).collect();
    match parts[..] {
        [Some(inside), Some(outside), Some(size)] if size > 0 => {
            Ok(json!({"containerID": inside, "hostID": outside, "size": size}))
        }
        _ => Err(Error::new(Code::Invalid, format!("invalid id map {word:?}: expected CONTAINER:HOST:COUNT"))),
    }
}

/// Every id that the caller has, onto itself (user_namespaces(7): inside, outside, count a line).
fn identity(own: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(own).cannot(|| format!("read {own}"))?;
    let line = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(|n| n.parse::<u32>().ok());
        let (inside, size) = (numbers.next()??, numbers.nth(1)??);
        Some(json!({"containerID": inside, "hostID": inside, "size": size}))
    };
    Ok(text.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(spec: Value, complete: bool, flags: &Flags) -> Result<Value> {
        let spec = spec.as_object().unwrap();
        let mut linux = Map::new();
        Namespaces::new(spec, complete, flags)?.write(&mut linux, flags)?;
        Ok(Value::Object(linux))
    }

    fn kinds(linux: &Value) -> Vec<&str> {
        linux["namespaces"].as_array().unwrap().iter().map(|n| n["type"].as_str().unwrap()).collect()
    }

    #[test]
    fn defaults_document_flags() {
        let none = Flags::default();
        let six = ["mount", "network", "uts", "pid", "ipc", "cgroup"];
        assert_eq!(kinds(&written(json!({}), false, &none).unwrap()), six);
        let attached = json!({"linux": {"namespaces": [{"type": "network", "path": "/run/netns/x"}]}});
        let linux = written(attached.clone(), false, &none).unwrap();
        assert_eq!(kinds(&linux), six);
        assert_eq!(linux["namespaces"][1], json!({"type": "network", "path": "/run/netns/x"}));
        let host = Flags { network: Some("host".to_owned()), pid: Some("host".to_owned()), ..Flags::default() };
        assert_eq!(kinds(&written(attached, false, &host).unwrap()), ["mount", "uts", "ipc", "cgroup"]);
        let finished = json!({"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}]}});
        assert_eq!(kinds(&written(finished, true, &none).unwrap()), ["mount", "user"]);
    }

    #[test]
    fn user_and_time_on_request() {
        let flags = Flags {
            userns: Some("private".to_owned()),
            ns: vec!["time=new".to_owned(), "uts=/proc/self/ns/uts".to_owned()],
            uidmap: vec!["0:1000:1".to_owned()],
            ..Flags::default()
        };
        let linux = written(json!({}), false, &flags).unwrap();
        assert_eq!(kinds(&linux)[6..], ["user", "time"]);
        assert_eq!(linux["namespaces"][2]["path"], "/proc/self/ns/uts");
        assert_eq!(linux["uidMappings"], json!([{"containerID": 0, "hostID": 1000, "size": 1}]));
        assert!(linux["gidMappings"].as_array().is_some_and(|m| !m.is_empty()));
    }

    #[test]
    fn words_that_are_none() {
        let ns = |w: &str| Flags { ns: vec![w.to_owned()], ..Flags::default() };
        for (flags, code) in [
            (ns("pid"), Code::Invalid),
            (ns("net=new"), Code::Invalid),
            (ns("pid=relative"), Code::Invalid),
            (ns("mount=host"), Code::Unsupported),
            (ns("pid=/nowhere/at/all"), Code::NotFound),
            (Flags { network: Some("bridge".to_owned()), ..Flags::default() }, Code::Invalid),
            (Flags { pid: Some("none".to_owned()), ..Flags::default() }, Code::Invalid),
            (Flags { uidmap: vec!["0:0:1".to_owned()], ..Flags::default() }, Code::Invalid),
        ] {
            assert_eq!(written(json!({}), false, &flags).unwrap_err().code, code, "{flags:?}");
        }
    }
}
