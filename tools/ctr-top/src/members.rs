//! Which processes of the host are in a container.
//!
//! They are in its PID namespace or in one made in it: a namespace begins with a process whose parent is in the one
//! around it, and ends with that process (pid_namespaces(7)), so that the children of members, and all who share a
//! namespace with one, are members. Where the container has no PID namespace of its own (`--pid host`), they share its
//! mount namespace, or descend from one that does.

use ctr_core::{Cannot, Result};
use std::{collections::BTreeSet, fs, path::Path};

/// A process as /proc of the host has it.
struct Process {
    pid: i32,
    parent: i32,
    namespace: String,
}

/// The ids of the processes in the container whose first process is `first`.
pub fn of(first: i32) -> Result<BTreeSet<i32>> {
    let own = is_first_of_namespace(first);
    let kind = if own { "pid" } else { "mnt" };
    let first_namespace = namespace(first, kind).cannot(|| format!("read the namespaces of process {first}"))?;
    let processes = processes(kind)?;
    let mut members = BTreeSet::from([first]);
    let mut namespaces = BTreeSet::from([first_namespace]);
    loop {
        let before = members.len();
        for process in &processes {
            let inside = namespaces.contains(&process.namespace) || members.contains(&process.parent);
            if inside && members.insert(process.pid) && own && !process.namespace.is_empty() {
                namespaces.insert(process.namespace.clone());
            }
        }
        if members.len() == before {
            return Ok(members);
        }
    }
}

/// All processes; those that end meanwhile are left out, and of a zombie the namespace is not known.
fn processes(kind: &str) -> Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").cannot(|| "read /proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(|pid: i32| {
            let parent = status(pid, "PPid:")?.parse().ok()?;
            Some(Process { pid, parent, namespace: namespace(pid, kind).unwrap_or_default() })
        })
        .collect())
}

/// Whether `pid` is process 1 of its own PID namespace: the innermost number is the last (proc(5), NSpid).
fn is_first_of_namespace(pid: i32) -> bool {
    status(pid, "NSpid:").is_some_and(|numbers| numbers.split_whitespace().next_back() == Some("1"))
}

/// The text of the link, `pid:[4026531836]`.
fn namespace(pid: i32, kind: &str) -> std::io::Result<String> {
    let link = fs::read_link(Path::new("/proc").join(pid.to_string()).join("ns").join(kind))?;
    Ok(link.to_string_lossy().into_owned())
}

/// A line of /proc/PID/status.
fn status(pid: i32, key: &str) -> Option<String> {
    // The name in it is escaped, so that no process can make a line of its own; but it may be any other bytes.
    let text = fs::read(format!("/proc/{pid}/status")).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
}
