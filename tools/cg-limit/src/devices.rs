//! `--device` and `--device-cgroup-rule`: which devices the container may open, and nodes of the host's for it.

use clap::Args;
use ctr_cgroup::devices::default_rules;
use ctr_core::{Cannot, Code, Error, Map, Result, Value, json};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The flags about devices.
#[derive(Args, Clone, Debug, Default)]
pub struct Devices {
    /// Give it a device of the host, or all in a directory
    #[arg(long = "device", value_name = "HOST[:CONTAINER][:rwm]")]
    given: Vec<String>,
    /// Let it open more devices, as 'c 42:* rwm'
    #[arg(long = "device-cgroup-rule", value_name = "RULE")]
    rules: Vec<String>,
    /// Let it open every device
    #[arg(long)]
    privileged: bool,
}

impl Devices {
    /// Completes `resources.devices` and appends to `linux.devices`. What is there already stays before what is added.
    /// `contained`: where nobody says anything, docker's default rules.
    ///
    /// # Errors
    /// `not-found` for a device, `invalid` for what is none, `usage` for a rule that has not its form.
    pub fn fill(
        &self,
        linux: &mut Map<String, Value>,
        resources: &mut Map<String, Value>,
        contained: bool,
    ) -> Result<()> {
        let mut rules = resources.get("devices").and_then(Value::as_array).cloned().unwrap_or_default();
        if rules.is_empty() && (contained || !self.given.is_empty() || !self.rules.is_empty()) {
            rules = default_rules();
        }
        let mut nodes = linux.get("devices").and_then(Value::as_array).cloned().unwrap_or_default();
        for word in &self.given {
            let Given { host, container, access } = Given::parse(word)?;
            for node in found(&host, &container)? {
                rules.push(json!({"allow": true, "type": node["type"], "major": node["major"], "minor": node["minor"],
                    "access": access}));
                nodes.retain(|other| other["path"] != node["path"]);
                nodes.push(node);
            }
        }
        for word in &self.rules {
            rules.push(rule(word)?);
        }
        if self.privileged {
            rules = vec![json!({"allow": true, "access": "rwm"})];
        }
        for (map, key, list) in [(resources, "devices", rules), (linux, "devices", nodes)] {
            if !list.is_empty() {
                map.insert(key.to_owned(), Value::Array(list));
            }
        }
        Ok(())
    }
}

/// A word of `--device`, as docker reads it: a second part that is an access is no path.
struct Given {
    host: PathBuf,
    container: PathBuf,
    access: String,
}

impl Given {
    fn parse(word: &str) -> Result<Self> {
        let parts: Vec<&str> = word.split(':').collect();
        let (host, container, access) = match parts[..] {
            [host] => (host, host, "rwm"),
            [host, access] if is_access(access) => (host, host, access),
            [host, container] => (host, container, "rwm"),
            [host, container, access] if is_access(access) => (host, container, access),
            _ => return Err(Error::new(Code::Usage, format!("device {word:?} is not HOST[:CONTAINER][:rwm]"))),
        };
        if !container.starts_with('/') || Path::new(container).components().any(|part| part.as_os_str() == "..") {
            return Err(Error::new(Code::Invalid, format!("device {word:?}: {container} is no absolute path")));
        }
        Ok(Self { host: host.into(), container: container.into(), access: access.to_owned() })
    }
}

fn is_access(word: &str) -> bool {
    !word.is_empty() && word.len() <= 3 && word.chars().all(|c| "rwm".contains(c))
}

/// Directories of /dev that every container has for itself; docker leaves them out too.
const OWN: [&str; 4] = ["pts", "shm", "fd", "mqueue"];

fn is_device(path: &Path) -> bool {
    let kind = fs::metadata(path).map(|meta| meta.file_type());
    kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
}

/// The device, or all beneath a directory, as entries of `linux.devices`.
fn found(host: &Path, container: &Path) -> Result<Vec<Value>> {
    let what = || format!("look at device {}", host.display());
    let meta = fs::metadata(host).cannot(what)?;
    if meta.is_dir() {
        let mut all = Vec::new();
        for entry in fs::read_dir(host).cannot(what)? {
            let entry = entry.cannot(what)?;
            let name = entry.file_name();
            let (host, container) = (host.join(&name), container.join(&name));
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // What is no device is passed over: sockets, links to files, and to directories: /dev/fd may lead back here.
            let is_wanted = if is_dir { !OWN.iter().any(|own| name == *own) } else { is_device(&host) };
            if is_wanted {
                all.extend(found(&host, &container)?);
            }
        }
        return Ok(all);
    }
    let kind = meta.file_type();
    if !is_device(host) {
        return Err(Error::new(Code::Invalid, format!("{} is no device", host.display())));
    }
    Ok(vec![json!({
        "path": container.to_string_lossy(),
        "type": if kind.is_block_device() { "b" } else { "c" },
        "major": rustix::fs::major(meta.rdev()),
        "minor": rustix::fs::minor(meta.rdev()),
        "fileMode": meta.mode() & 0o777,
        "uid": meta.uid(),
        "gid": meta.gid(),
    })])
}

/// `c 42:* rwm`, as a rule of the runtime-spec.
fn rule(word: &str) -> Result<Value> {
    let bad = || Error::new(Code::Usage, format!("invalid device rule {word:?}")).hint("as 'c 42:* rwm'");
    let [kind, numbers, access] = word.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
    let (major, minor) = numbers.split_once(':').ok_or_else(bad)?;
    if !["a", "b", "c"].contains(&kind) || !is_access(access) {
        return Err(bad());
    }
    let mut rule = json!({"allow": true, "type": kind, "access": access});
    for (key, number) in [("major", major), ("minor", minor)] {
        if number != "*" {
            rule[key] = json!(number.parse::<u32>().map_err(|_| bad())?);
        }
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_are_dockers() {
        for (word, container, access) in [
            ("/dev/null", "/dev/null", "rwm"),
            ("/dev/null:r", "/dev/null", "r"),
            ("/dev/null:/dev/x", "/dev/x", "rwm"),
            ("/dev/null:/dev/x:mr", "/dev/x", "mr"),
        ] {
            let given = Given::parse(word).unwrap();
            assert_eq!((given.container.to_str(), given.access.as_str()), (Some(container), access), "{word}");
        }
        for bad in ["/dev/null:x", "/dev/null:/a:x", "/a:/b:r:w", "a", "/dev/null:/../a"] {
            assert!(Given::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_are_dockers() {
        assert_eq!(rule("c 42:* rwm").unwrap(), json!({"allow": true, "type": "c", "access": "rwm", "major": 42}));
        for bad in ["", "c", "c 1:3", "x 1:3 r", "c 1 r", "c 1:3 x", "c 1:-3 r", "c 1:3 rwmr", "c  1:3 r"] {
            assert!(rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_that_are_there_come_first() {
        let (mut linux, mut resources) = (Map::new(), Map::new());
        let rules = Devices { rules: vec!["b 8:0 r".to_owned()], ..Devices::default() };
        rules.fill(&mut linux, &mut resources, true).unwrap();
        assert_eq!(resources["devices"].as_array().unwrap().len(), 13);
        assert!(linux.is_empty());
        resources.insert("devices".to_owned(), json!([{"allow": false}]));
        rules.fill(&mut linux, &mut resources, true).unwrap();
        assert_eq!(resources["devices"].as_array().unwrap().len(), 2);
        let mut none = Map::new();
        Devices::default().fill(&mut linux, &mut none, false).unwrap();
        assert!(none.is_empty(), "a command of the host opens what it likes");
    }
}
