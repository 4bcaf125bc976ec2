//! Which containers there are, and which one a word means.

use super::{
    dir, holder, live_state,
    record::{self, RECORD},
};
use crate::{Cannot, Code, Error, Result, ident, paths};
use std::{fs, io::ErrorKind, path::Path};

/// The ids of all containers that have a record, in no order.
pub fn ids() -> Result<Vec<String>> {
    Ok(directories()?.into_iter().filter(|id| record::exists(id)).collect())
}

/// Every directory with the name of an id under `containers/`, with a record or without.
pub fn directories() -> Result<Vec<String>> {
    list(&paths::containers()).map(|names| names.into_iter().filter(|n| ident::is_id(n)).collect())
}

/// Whether there is no container `id` for certain: `containers/` is there to be looked into, and has no record of it.
///
/// Another error than that says nothing: a disk that is not mounted yet, or fails, has not lost its containers, and
/// nothing of theirs may be ended or removed for it.
pub fn is_gone(id: &str) -> bool {
    let is_absent = |path: &Path| fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    let dir = dir(id);
    let gone = is_absent(&dir) || (is_absent(&record::passing(id)) && is_absent(&dir.join(RECORD)));
    gone && fs::read_dir(paths::containers()).is_ok()
}

/// The container that `word` means: its id, its name, or a prefix of its id that no other has.
///
/// # Errors
/// `not-found`, or `invalid` with the candidates where a prefix is ambiguous.
pub fn find(word: &str) -> Result<String> {
    if ident::is_id(word) && record::exists(word) {
        return Ok(word.to_owned());
    }
    if ident::check_name(word).is_ok()
        && let Some(id) = holder(word)?
    {
        return Ok(id);
    }
    let mut found: Vec<_> = ids()?.into_iter().filter(|id| !word.is_empty() && id.starts_with(word)).collect();
    match found.len() {
        0 => Err(Error::new(Code::NotFound, format!("no container {word}"))),
        1 => Ok(found.remove(0)),
        _ => {
            found.sort();
            let short: Vec<_> = found.iter().map(|id| ident::short(id)).collect();
            Err(Error::new(Code::Invalid, format!("container {word} is ambiguous: {}", short.join(", "))))
        }
    }
}

/// Where the namespace of the running container that `word` means is found: `kind` is what messages call it, `file` its name
/// in `/proc/PID/ns`.
///
/// # Errors
/// `not-found` where there is no such container, or it does not run.
pub fn namespace(word: &str, kind: &str, file: &str) -> Result<String> {
    let id = find(word)?;
    let pid = live_state(&id)?.and_then(|s| s.pid).ok_or_else(|| {
        Error::new(Code::NotFound, format!("cannot join the {kind} namespace of container {word}: it is not running"))
            .hint(format!("start {}", ident::short(&id)))
    })?;
    Ok(format!("/proc/{pid}/ns/{file}"))
}

/// The running container whose own process is `pid`.
///
/// # Errors
/// The file system's.
pub fn of_process(pid: i32) -> Result<Option<String>> {
    let is_its = |id: &String| live_state(id).is_ok_and(|state| state.is_some_and(|state| state.pid == Some(pid)));
    Ok(ids()?.into_iter().find(is_its))
}

/// The names in a directory; none where there is no directory.
pub(super) fn list(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).cannot(|| format!("read {}", dir.display())),
    };
    entries
        .map(|entry| Ok(entry.cannot(|| format!("read {}", dir.display()))?.file_name().to_string_lossy().into_owned()))
        .collect()
}
