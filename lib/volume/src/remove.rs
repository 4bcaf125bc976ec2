//! The end of a volume, and what crashes left of some.

use crate::{
    local, project,
    users::users,
    volume::{self, aside},
};
use ctr_core::{
    Cannot, Code, Error, Lock, Result, Value, container, files, ident, json,
    mountinfo::{self, is_mounted},
    paths, trace,
};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Removes volume `name`, of which containers but `except` know nothing.
///
/// It is renamed aside under the lock, and deleted without it.
///
/// # Errors
/// `not-found`; `busy`, naming the containers that use it.
pub fn remove(name: &str, except: Option<&str>) -> Result<()> {
    volume::check_name(name)?;
    let lock = Lock::store()?;
    if !volume::exists(name) {
        return Err(Error::new(Code::NotFound, format!("no volume {name}")));
    }
    let users: Vec<_> = users(name)?.into_iter().filter(|id| Some(&**id) != except).collect();
    if !users.is_empty() {
        let names: Vec<_> = users.iter().map(|id| ident::called(id, container::recorded_name(id).as_deref())).collect();
        let by = if names.len() == 1 { "container" } else { "containers" };
        return Err(Error::new(Code::Busy, format!("cannot remove volume {name}: used by {by} {}", names.join(", ")))
            .hint("remove what uses it first"));
    }
    local::let_go(name, &lock)?;
    if let Some(mount) = mountinfo::read()?.into_iter().find(|mount| mount.point.starts_with(volume::dir(name))) {
        let message = format!("cannot remove volume {name}: something is mounted on {}", mount.point.display());
        return Err(Error::new(Code::Busy, message));
    }
    let (dir, aside) = (volume::dir(name), aside(name));
    trace::act(
        "remove",
        || json!({"volume": name, "path": dir}),
        || {
            fs::rename(&dir, &aside).cannot(|| format!("remove volume {name}"))?;
            drop(lock);
            volume::emit("destroy", name);
            project::release(&aside)?;
            files::remove_tree(&aside)
        },
    )
}

/// Removes what killed processes left beside the volumes, and takes off what is mounted as a volume that nobody uses. Volumes
/// stay: whether one is still wanted nobody but its owner knows.
///
/// # Errors
/// The file system's.
pub fn gc() -> Result<Vec<Value>> {
    let root = paths::volumes();
    let entries = match fs::read_dir(&root) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(|| format!("read {}", root.display()))?,
    };
    let lock = Lock::store()?;
    let mut trash: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.cannot(|| format!("read {}", root.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Who writes one that takes long holds its lock; all else is made and renamed under ours.
        if name.starts_with('.') && path.is_dir() && !volume::is_held(&path)? {
            trash.push(path);
        }
    }
    let mut removed = Vec::new();
    for volume in volume::all()? {
        let point = volume::data(&volume.name);
        if volume.is_mount() && is_mounted(&point) && users(&volume.name)?.is_empty() {
            local::let_go(&volume.name, &lock)?;
            removed.push(json!({"unmounted": point}));
        }
    }
    drop(lock);
    for path in trash {
        files::discard(&path)?;
        removed.push(json!({"removed": "leftover", "path": path}));
    }
    Ok(removed)
}
