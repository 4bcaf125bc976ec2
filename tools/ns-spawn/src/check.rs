//! Compares the process with what the document says of it.

use crate::undo::named;
use ctr_core::{Code, Document, Error, Result, State, Value, container};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Namespace types of the runtime-spec and their files in /proc/PID/ns.
const FILES: [(&str, &str); 8] = [
    ("mount", "mnt"),
    ("network", "net"),
    ("uts", "uts"),
    ("pid", "pid"),
    ("ipc", "ipc"),
    ("cgroup", "cgroup"),
    ("user", "user"),
    ("time", "time"),
];

/// One error for each thing that differs: the process is there if and only if the document says so, and it is in
/// the namespaces that the spec names.
pub fn check(doc: &Document) -> Result<Vec<Error>> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let said = doc.section::<State>("state")?.filter(|s| s.status == "running");
    let live = container::live_state(id)?;
    let mut findings = Vec::new();
    match (&said, &live) {
        (Some(said), None) => {
            let pid = said.pid.map(|pid| format!(" {pid}")).unwrap_or_default();
            findings.push(Error::new(Code::NotFound, format!("process{pid} of {} is gone", named(id))));
        }
        (Some(said), Some(live)) if said.pid != live.pid => {
            findings.push(Error::new(
                Code::Invalid,
                format!(
                    "{} runs as process {}, not {}",
                    named(id),
                    live.pid.unwrap_or_default(),
                    said.pid.unwrap_or_default()
                ),
            ));
        }
        _ => {}
    }
    if let Some(pid) = live.and_then(|s| s.pid) {
        findings.extend(namespaces(doc, id, pid));
    }
    Ok(findings)
}

fn namespaces(doc: &Document, id: &str, pid: i32) -> Vec<Error> {
    let listed = doc.get("spec").and_then(|s| s.get("linux")).and_then(|l| l.get("namespaces"));
    let listed = listed.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let entry = |kind: &str| listed.iter().find(|n| n.get("type").and_then(Value::as_str) == Some(kind));
    let mut findings = Vec::new();
    for (kind, file) in FILES {
        let Ok(has) = inode(Path::new(&format!("/proc/{pid}/ns/{file}"))) else { continue };
        let wrong = match entry(kind).map(|n| n.get("path").and_then(Value::as_str)) {
            // Joined: the one at the path.
            Some(Some(path)) => match inode(Path::new(path)) {
                Ok(wanted) => wanted != has,
                Err(e) => {
                    findings.push(Error::io(format!("look at the {kind} namespace {path}"), &e));
                    false
                }
            },
            // New: not ours.
            Some(None) => inode(Path::new(&format!("/proc/self/ns/{file}"))).is_ok_and(|ours| ours == has),
            None => false,
        };
        if wrong {
            let message = format!("process {pid} of {} is in another {kind} namespace than its spec says", named(id));
            findings.push(Error::new(Code::Invalid, message));
        }
    }
    findings
}

/// What tells one nsfs file from another.
fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|m| (m.dev(), m.ino()))
}
