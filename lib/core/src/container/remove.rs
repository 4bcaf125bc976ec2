//! The end of a container, and of what crashes left of some.

use super::{checked_id, dir, find::list, holder, is_gone, record};
use crate::{Cannot, Code, Document, Error, Lock, Result, events, files, ident, mountinfo, paths, trace};
use serde_json::json;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Readies container `id` for its removal by the step that began it: until the lock is dropped nobody starts it. `None`
/// where nobody can.
///
/// # Errors
/// `busy` while it runs, another holds it, or something is mounted in its run directory.
pub fn hold_to_remove(id: &str) -> Result<Option<Lock>> {
    let run = paths::run_dir(checked_id(id)?);
    // Where it has no such directory there is nothing to hold, and none is made for it.
    let Ok(real) = fs::canonicalize(&run) else { return Ok(None) };
    let held = super::hold_ended(id)?;
    match mountinfo::read()?.into_iter().find(|mount| mount.point.starts_with(&real)) {
        None => Ok(held),
        Some(mount) => {
            let message = format!("cannot remove container {}: {} is mounted", ident::short(id), mount.point.display());
            Err(Error::new(Code::Busy, message).hint("undo the later steps first"))
        }
    }
}

/// Removes the container's directories and frees its name. Its mounts must be gone.
///
/// The directory is renamed aside first: from then on there is no such container, whatever becomes of the rest.
/// That and the names happen under [`Lock::store`], so that nobody's claim of the same name comes between.
pub fn remove(id: &str) -> Result<()> {
    remove_with(id, || Lock::store().map(Some))
}

/// Removes the container for the tool that began it, whose step is undone: the document has no container then.
pub fn remove_begun(doc: &mut Document, id: &str) -> Result<()> {
    remove(id)?;
    for key in ["id", "name", "created", "labels"] {
        doc.remove(key);
    }
    Ok(())
}

/// The same as [`remove`] for a caller that holds the lock.
pub fn remove_locked(id: &str, _lock: &Lock) -> Result<()> {
    remove_with(id, || Ok(None))
}

fn remove_with(id: &str, lock: impl FnOnce() -> Result<Option<Lock>>) -> Result<()> {
    let id = checked_id(id)?;
    let dir = dir(id);
    trace::act(
        "remove",
        || json!({"container": id}),
        || {
            let lock = lock()?;
            let doc = super::recorded(id);
            files::remove_file(&record::passing(id))?;
            let aside = aside(id);
            match fs::rename(&dir, &aside) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                other => other.cannot(|| format!("remove {}", dir.display()))?,
            }
            match doc.as_ref().ok().and_then(|doc| doc.str("name")) {
                // What a rename that was killed left beside it is nobody's, and gc's.
                Some(name) if ident::check_name(name).is_ok() => free(id, name)?,
                _ => list(&paths::names())?.iter().try_for_each(|name| free(id, name))?,
            }
            drop(lock);
            if let Ok(doc) = doc {
                events::emit("destroy", &doc, &json!({}));
            }
            files::remove_tree(&paths::run_dir(id))?;
            files::remove_tree(&aside)
        },
    )
}

/// A name of its own, so that what an earlier removal left is not in the way.
fn aside(id: &str) -> PathBuf {
    paths::containers().join(format!(".{id}.{}", ident::token()))
}

/// Takes the name's link away if it leads to the container.
fn free(id: &str, name: &str) -> Result<()> {
    let link = paths::names().join(name);
    match fs::read_link(&link) {
        Ok(target) if target == Path::new(id) => files::remove_file(&link),
        _ => Ok(()),
    }
}

/// Removes what crashes left: directories without a record, names without a container, half-removed trees,
/// run directories of containers that are gone. Goes on after what cannot be removed, with a line on stderr.
/// Gives what was removed.
///
/// Takes [`Lock::store`] and lets it go before whole trees are deleted: those are renamed aside by then.
pub fn gc(lock: Lock) -> Result<Vec<PathBuf>> {
    let mut leftovers = Vec::new();
    for name in list(&paths::containers())? {
        let path = paths::containers().join(&name);
        if name.starts_with('.') {
            leftovers.push((path.clone(), path));
        } else if ident::is_id(&name) && is_gone(&name) {
            let aside = aside(&name);
            let what = || json!({"path": path, "aside": aside});
            trace::act("rename", what, || fs::rename(&path, &aside).cannot(|| format!("remove {}", path.display())))?;
            leftovers.push((path, aside));
        }
    }
    for name in list(&paths::names())? {
        if holder(&name)?.is_none() {
            let path = paths::names().join(name);
            leftovers.push((path.clone(), path));
        }
    }
    let run = paths::run().join("containers");
    for id in list(&run)? {
        if ident::is_id(&id) && !dir(&id).exists() && is_gone(&id) {
            leftovers.push((run.join(&id), run.join(id)));
        }
    }
    // A link is gone under the lock, or it might be somebody's by now; the trees are nobody's already.
    let (links, trees): (Vec<_>, Vec<_>) = leftovers.into_iter().partition(|(path, _)| path.is_symlink());
    let mut removed = Vec::new();
    let mut discard = |(path, place): (PathBuf, PathBuf)| match files::discard(&place) {
        Ok(()) => removed.push(path),
        Err(e) => trace::warn(&e.to_string()),
    };
    links.into_iter().for_each(&mut discard);
    drop(lock);
    trees.into_iter().for_each(discard);
    Ok(removed)
}
