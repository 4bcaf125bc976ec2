//! Finds what crashes left, by the ids in names: no log is kept.

use crate::{OverlayMount, layers, mount, undo};
use ctr_core::{Cannot, Lock, Result, Tool, Value, container, files, json, mountinfo, paths, steps, trace};
use rustix::process::{Pid, getpgrp, test_kill_process_group};
use std::{fs, path::PathBuf};

/// Notes whose a volatile container is: the process group of the pipe that makes it.
/// Once that group is gone and no process of the container runs, gc takes the container.
pub fn own(id: &str) -> Result<()> {
    let path = owner_file(id);
    files::make_dir(&paths::run_dir(id))?;
    fs::write(&path, getpgrp().as_raw_nonzero().to_string()).cannot(|| format!("write {}", path.display()))
}

fn owner_file(id: &str) -> PathBuf {
    paths::run_dir(id).join("owner")
}

/// A volatile container is dead when its process is, and its pipe; after a reboot both are, with the run directory.
/// A group that cannot be asked counts as alive.
fn is_orphan(id: &str) -> bool {
    let group = fs::read_to_string(owner_file(id)).ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let group_gone = group.is_none_or(|pgid| test_kill_process_group(pgid) == Err(rustix::io::Errno::SRCH));
    group_gone && matches!(container::live_state(id), Ok(None))
}

/// Removes dead volatile containers, mounts of containers that are gone, half-made and half-removed directories.
pub fn gc() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    for id in container::ids()? {
        // A record that does not read is for a person to look at, not for gc to throw away.
        let Ok(mut doc) = container::load(&id) else { continue };
        if container::is_volatile(&doc) && is_orphan(&id) {
            let mut errors = steps::undo_all(&doc);
            for step in doc.steps()?.iter().rev().filter(|step| step.tool == OverlayMount::NAME) {
                errors.extend(undo::undo(&mut doc, &step.undo).err());
            }
            if errors.is_empty() {
                removed.push(json!({"removed": "container", "path": container::dir(&id)}));
            }
            for e in &errors {
                trace::warn(&e.to_string());
            }
        }
    }
    let lock = Lock::store()?;
    let ids = container::ids()?;
    for m in mountinfo::read()? {
        if let Some(id) = layers::id_of_point(&m.point)
            && !ids.contains(&id)
        {
            trace::act("unmount", || json!({"target": m.point}), || mount::unmount(&m.point))?;
            removed.push(json!({"removed": "mount", "path": m.point}));
        }
    }
    removed.extend(container::gc(&lock)?.into_iter().map(|path| json!({"removed": "directory", "path": path})));
    Ok(removed)
}
