//! Finds the state of processes that are gone, and processes of containers that are.

use ctr_core::{Cannot, Result, Value, container, ident, json, paths, trace};
use ctr_lifecycle::freezer;
use std::{fs, io::ErrorKind};

/// Removes the run state of dead processes; ends a process whose container is gone.
pub fn gc() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    for id in ids()? {
        let Ok(live) = container::live_state(&id) else { continue };
        match live {
            // The record is there before the process and goes after it: without it nobody will ask for the process.
            Some(state) if container::is_gone(&id) => {
                trace::act("kill", || json!({"container": id, "pid": state.pid}), || container::kill(&state))?;
                removed.push(json!({"removed": "process", "id": id, "pid": state.pid}));
            }
            None if container::has_state(&id) => {
                // Whoever holds it is about to start or to end the process and writes the state itself.
                let Ok(_held) = container::hold(&id) else { continue };
                trace::act("remove", || json!({"state": id}), || container::forget_state(&id))?;
                removed.push(json!({"removed": "state", "id": id}));
            }
            _ => {}
        }
    }
    removed.extend(freezer::gc().into_iter().map(|path| json!({"removed": "cgroup", "path": path})));
    Ok(removed)
}

fn ids() -> Result<Vec<String>> {
    let dir = paths::run().join("containers");
    let what = || format!("read {}", dir.display());
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(what)?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        ids.extend(entry.cannot(what)?.file_name().into_string().ok().filter(|name| ident::is_id(name)));
    }
    Ok(ids)
}
