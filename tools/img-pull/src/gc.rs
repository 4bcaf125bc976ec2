//! `--gc`: removes what interrupted pulls left and nobody came back for.

use ctr_core::{Cannot, Result, Value, files, json, paths, trace};
use std::{
    fs::{self, DirEntry, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a partial blob waits to be resumed.
const KEPT: Duration = Duration::from_hours(24);

/// Removes partial blobs, and files written aside, that are older than a day and that no process is writing.
pub(crate) fn run() -> Result<Vec<Value>> {
    let images = paths::images();
    let mut removed = Vec::new();
    for entry in entries(&images.join("ingest")) {
        removed.extend(remove(&entry)?);
    }
    for algorithm in entries(&images.join("blobs")) {
        for entry in entries(&algorithm.path()) {
            // Blobs are named by hex digits; what is written aside begins with a dot.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                removed.extend(remove(&entry)?);
            }
        }
    }
    Ok(removed)
}

fn entries(dir: &Path) -> Vec<DirEntry> {
    fs::read_dir(dir).map(|entries| entries.flatten().collect()).unwrap_or_default()
}

fn remove(entry: &DirEntry) -> Result<Option<Value>> {
    let path: PathBuf = entry.path();
    let Ok(meta) = fs::symlink_metadata(&path) else { return Ok(None) };
    let age = meta.modified().ok().and_then(|then| SystemTime::now().duration_since(then).ok());
    if !meta.is_file() || age.is_none_or(|age| age < KEPT) {
        return Ok(None);
    }
    let Ok(file) = File::open(&path) else { return Ok(None) };
    // A writer holds the lock; one that comes now finds the file gone and makes its own.
    if file.try_lock().is_err() || file.metadata().cannot(|| format!("read {}", path.display()))?.ino() != meta.ino() {
        return Ok(None);
    }
    let what = || json!({"path": path, "bytes": meta.len()});
    trace::act("remove", what, || files::remove_file(&path))?;
    Ok(Some(json!({"removed": "partial", "path": path, "bytes": meta.len()})))
}
