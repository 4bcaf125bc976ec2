//! A layer's tree is published whole or not at all.
//!
//! It grows in `layers/.tmp-<algorithm>-<hex>`, on the file system where it will stay, and is renamed to its place
//! once its digest was found right and it is on the disk. Whoever makes it holds a lock on that directory: others who
//! want the same layer wait for it, and a directory without a holder is what a killed process left.

use crate::{Stop, compress, extract::extract};
use ctr_core::{Cannot, Code, Error, Result, files, json, paths, trace};
use ctr_store::{Digest, Hasher, writing};
use rustix::{
    fd::OwnedFd,
    fs::{self, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

const ASIDE: &str = ".tmp-";
/// How often a layer that another process unpacks is looked after. A lock that is waited for could not be given up.
const LOOK: Duration = Duration::from_millis(10);

/// Unpacks `blob` to `tree` (`Store::layer_path`), unless it is there or comes there by another process meanwhile.
///
/// # Errors
/// As [`extract()`]; `corrupt` where the tar is not the one `diff_id` names. Nothing is left of a layer that failed.
pub fn unpack(blob: File, diff_id: &Digest, tree: &Path, stop: &Stop) -> Result<()> {
    let aside = paths::layers().join(format!("{ASIDE}{}-{}", diff_id.algorithm(), diff_id.hex()));
    trace::act(
        "unpack",
        || json!({"layer": diff_id.as_str(), "to": tree}),
        || {
            writing()?;
            let Some(lock) = claim(&aside, tree, stop)? else { return Ok(()) };
            let result = fill(blob, diff_id, &lock, stop).and_then(|()| publish(&aside, tree));
            if result.is_err() {
                let _ = files::remove_tree(&aside);
            }
            result
        },
    )
}

fn fill(blob: File, diff_id: &Digest, root: &OwnedFd, stop: &Stop) -> Result<()> {
    let root = root.try_clone().cannot(|| "hold the layer's directory")?;
    let made = extract(compress::open(blob)?, Hasher::new(diff_id), root, stop)?;
    if made.diff_id == *diff_id {
        return Ok(());
    }
    Err(Error::new(Code::Corrupt, format!("its content is {}, the image says {diff_id}", made.diff_id)))
}

fn publish(aside: &Path, tree: &Path) -> Result<()> {
    if let Some(parent) = tree.parent() {
        files::make_dir(parent)?;
    }
    files::sync_fs(aside)?;
    std::fs::rename(aside, tree).cannot(|| format!("publish {}", tree.display()))
}

/// The empty directory `aside`, locked; `None` once `tree` is there.
fn claim(aside: &Path, tree: &Path, stop: &Stop) -> Result<Option<OwnedFd>> {
    loop {
        if tree.exists() {
            return Ok(None);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Io, "stopped"));
        }
        files::make_dir(aside)?;
        match lock(aside)? {
            Some(fd) if std::fs::read_dir(aside).is_ok_and(|mut entries| entries.next().is_none()) => {
                // Made between our look and our lock?
                return if tree.exists() { files::remove_tree(aside).map(|()| None) } else { Ok(Some(fd)) };
            }
            Some(_abandoned) => files::remove_tree(aside)?,
            None => thread::sleep(LOOK),
        }
    }
}

/// The lock on the directory at `path`; `None` where another holds it or the directory is not there any more.
fn lock(path: &Path) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let what = || format!("lock {}", path.display());
    let fd = match fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.cannot(what)?,
    };
    match fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other.cannot(what)?,
    }
    // Its last holder may have published or removed it before the lock came to us.
    let held = fs::fstat(&fd).cannot(what)?;
    let same = fs::lstat(path).is_ok_and(|named| (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino));
    Ok(same.then_some(fd))
}

/// Removes the trees that killed processes left half made; those in the making stay. Gives what was removed.
pub fn gc() -> Result<Vec<PathBuf>> {
    let layers = paths::layers();
    let entries = match std::fs::read_dir(&layers) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(|| format!("read {}", layers.display()))?,
    };
    let mut removed = Vec::new();
    for entry in entries {
        let path = entry.cannot(|| format!("read {}", layers.display()))?.path();
        let aside = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(ASIDE.as_bytes()));
        if !aside {
            continue;
        }
        if let Some(_lock) = lock(&path)? {
            trace::act("remove", || json!({"tree": path}), || files::remove_tree(&path))?;
            removed.push(path);
        }
    }
    Ok(removed)
}
