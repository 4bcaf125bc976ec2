//! What nothing names: what killed processes left, blobs and trees that nothing uses.

use crate::{
    finding::{Finding, Kind, State},
    records::names,
};
use ctr_core::{Lock, Result, paths};
use ctr_store::{Store, hold, idle, is_stale, usage};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// So long who makes a directory is given to lock it.
const MOMENT: Duration = Duration::from_secs(2);
/// So long who removes a container is given to delete its files.
const WHILE: Duration = Duration::from_mins(1);

/// Looks for all of it. What holds no lock and may be another's work of this very moment is found with `all`. Unless all that is
/// used is known (`is_whole`), nothing is said to be unused.
pub(crate) fn look(all: bool, is_whole: bool) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let (images, layers) = (paths::images(), paths::layers());
    let left = |path: PathBuf, reason: &str| {
        let name = path.strip_prefix(paths::root()).unwrap_or(&path).display().to_string();
        let bytes = usage(&path).map_or(0, |usage| usage.bytes);
        Finding::new(State::Orphaned, Kind::Leftover, name, reason).at(path).bytes(bytes)
    };
    for path in children(&images.join("ingest")) {
        // A partial blob waits for its pull to go on.
        let waits = path.is_file() && !is_stale(modified(&path));
        if !waits && (all || is_older(&path, MOMENT)) && hold(&path)?.is_some() {
            findings.push(left(path, "a killed process left it"));
        }
    }
    for path in children(&layers).into_iter().filter(|path| is_hidden(path)) {
        if (all || is_older(&path, MOMENT)) && hold(&path)?.is_some() {
            findings.push(left(path, "a killed process left it"));
        }
    }
    for path in children(&paths::containers()).into_iter().filter(|path| is_hidden(path)) {
        if all || is_older(&path, WHILE) {
            findings.push(left(path, "a removal did not end"));
        }
    }
    if !images.exists() {
        return Ok(findings);
    }
    // While a process writes, what no image has yet may be on its way to one, unless it is a day old.
    let idle = idle()?;
    let _lock = Lock::store()?;
    let aside = children(&images.join("blobs")).into_iter().chain([images]).flat_map(|dir| children(&dir));
    for path in aside.filter(|path| is_hidden(path)) {
        if idle.is_some() || is_stale(modified(&path)) {
            findings.push(left(path, "it was written aside, and not renamed"));
        }
    }
    if is_whole {
        for orphan in Store::open()?.orphans(idle.is_some())? {
            let kind = if orphan.is_tree { Kind::Layer } else { Kind::Blob };
            let reason = if orphan.is_tree { "no image and no container has it" } else { "no image has it" };
            let finding = Finding::new(State::Orphaned, kind, orphan.digest.as_str(), reason);
            let bytes = fs::symlink_metadata(&orphan.path).ok().filter(|_| !orphan.is_tree).map(|meta| meta.len());
            findings.push(Finding { bytes, ..finding.at(orphan.path) });
        }
    }
    Ok(findings)
}

pub(crate) fn children(dir: &Path) -> Vec<PathBuf> {
    names(dir).into_iter().map(|name| dir.join(name)).collect()
}

pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_older(path: &Path, age: Duration) -> bool {
    modified(path).and_then(|then| then.elapsed().ok()).is_some_and(|elapsed| elapsed > age)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).ok()?.modified().ok()
}
