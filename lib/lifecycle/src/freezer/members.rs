//! The processes of a container, as the host numbers them.

use ctr_core::{Cannot, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
};

/// The process `pid`, all others of the PID namespace whose first process it is, and the descendants of all these.
///
/// Namespaces within are met by descent: the parent of their first process is in the namespace around them, whoever
/// dies (pid_namespaces(7)). A container that shares its PID namespace has only its descendants.
pub fn of(pid: i32) -> Result<BTreeSet<i32>> {
    let namespace = if is_first(pid) { namespace(pid) } else { None };
    let mut parents = BTreeMap::new();
    let mut found = BTreeSet::from([pid]);
    for entry in fs::read_dir("/proc").cannot(|| "read /proc")?.flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some(parent) = parent(other) else { continue };
        parents.insert(other, parent);
        if namespace.is_some() && self::namespace(other) == namespace {
            found.insert(other);
        }
    }
    loop {
        let before = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(*parent)).map(|(child, _)| *child);
        let children: Vec<i32> = children.collect();
        found.extend(children);
        if found.len() == before {
            found.retain(|pid| parents.contains_key(pid));
            return Ok(found);
        }
    }
}

/// The parent of a process that is no zombie.
pub fn parent(pid: i32) -> Option<i32> {
    let stat = text(&format!("/proc/{pid}/stat"))?;
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    (!matches!(fields.next()?, "Z" | "X")).then(|| fields.next()?.parse().ok()).flatten()
}

/// A file of /proc; the process's name in it may be any bytes.
fn text(path: &str) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether it is the first process of a PID namespace other than ours.
fn is_first(pid: i32) -> bool {
    let status = text(&format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

/// What tells its PID namespace from others.
fn namespace(pid: i32) -> Option<(u64, u64)> {
    fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|m| (m.dev(), m.ino()))
}
