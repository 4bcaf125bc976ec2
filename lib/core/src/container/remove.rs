//! The end of a container, and of what crashes left of some.

use super::{checked_id, dir, find::list, holder, record::RECORD};
use crate::{Cannot, Lock, Result, files, ident, paths, trace};
use serde_json::json;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Removes the container's directories and frees its name. Its mounts must be gone.
///
/// The directory is renamed aside first: from then on there is no such container, whatever becomes of the rest.
pub fn remove(id: &str) -> Result<()> {
    let id = checked_id(id)?;
    let dir = dir(id);
    trace::act(
        "remove",
        || json!({"container": id}),
        || {
            let aside = paths::containers().join(format!(".{id}.removed"));
            match fs::rename(&dir, &aside) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                other => other.cannot(|| format!("remove {}", dir.display()))?,
            }
            free_names_of(id)?;
            files::remove_tree(&paths::run_dir(id))?;
            files::remove_tree(&aside)
        },
    )
}

fn free_names_of(id: &str) -> Result<()> {
    let names = paths::names();
    for name in list(&names)? {
        let link = names.join(name);
        if fs::read_link(&link).is_ok_and(|target| target == Path::new(id)) {
            files::remove_file(&link)?;
        }
    }
    Ok(())
}

/// Removes what crashes left: directories without a record, names without a container, half-removed trees,
/// run directories of containers that are gone. Hold [`Lock::store`]. Gives what was removed.
pub fn gc(_lock: &Lock) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for name in list(&paths::containers())? {
        let path = paths::containers().join(&name);
        let half_removed = name.starts_with('.');
        let half_made = ident::is_id(&name) && !path.join(RECORD).exists();
        if half_removed || half_made {
            files::discard(&path)?;
            removed.push(path);
        }
    }
    for name in list(&paths::names())? {
        if holder(&name)?.is_none() {
            let path = paths::names().join(name);
            files::discard(&path)?;
            removed.push(path);
        }
    }
    let run = paths::run().join("containers");
    for id in list(&run)? {
        if ident::is_id(&id) && !dir(&id).exists() {
            let path = run.join(id);
            files::discard(&path)?;
            removed.push(path);
        }
    }
    Ok(removed)
}
