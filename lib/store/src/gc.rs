//! What killed processes left in the image store, and what nothing names any more.

use crate::{Digest, Store, Trash, remove::Used, spool, trash};
use ctr_core::{Cannot, Lock, Result, Value, files, json, paths, trace};
use rustix::fs::OFlags;
use std::{
    fs::{self, DirEntry, File, Metadata, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a partial blob waits to be resumed, and what no image names for the image that it may belong to.
const KEPT: Duration = Duration::from_hours(24);

/// What nothing uses.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Where it is.
    pub path: PathBuf,
    /// A blob's digest, a tree's diffId.
    pub digest: Digest,
    /// Whether it is the tree of a layer.
    pub is_tree: bool,
}

/// Removes what killed processes left in the image store: directories of spooled files, and partial blobs and files
/// written aside that are a day old. Gives a JSON object for each, with `removed`, `path` and, for a file, `bytes`.
pub fn gc() -> Result<Vec<Value>> {
    let images = paths::images();
    let spools = spools(&images)?;
    let mut removed: Vec<Value> = spools.iter().map(|path| json!({"removed": "spool", "path": path})).collect();
    let mut partial = entries(&images.join("ingest"));
    let dirs = entries(&images.join("blobs")).into_iter().map(|algorithm| algorithm.path());
    for dir in dirs.chain([images]) {
        // What is written aside begins with a dot; no blob does, and no file of the layout.
        partial.extend(entries(&dir).into_iter().filter(|e| e.file_name().as_encoded_bytes().starts_with(b".")));
    }
    for entry in partial {
        removed.extend(remove_partial(&entry.path())?);
    }
    Ok(removed)
}

/// Removes directories of spooled files whose holders died.
pub(crate) fn spools(images: &Path) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for entry in entries(&images.join("ingest")) {
        if entry.file_name().as_encoded_bytes().starts_with(spool::PREFIX.as_bytes())
            && let Some(_lock) = hold(&entry.path())?
        {
            files::discard(&entry.path())?;
            removed.push(entry.path());
        }
    }
    Ok(removed)
}

fn remove_partial(path: &Path) -> Result<Option<Value>> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(None) };
    if !meta.is_file() || !is_old(meta.modified().ok(), KEPT) {
        return Ok(None);
    }
    // A writer holds the lock; one that comes now finds the file gone and makes its own.
    let Some(_lock) = hold(path)? else { return Ok(None) };
    trace::act("remove", || json!({"path": path, "bytes": meta.len()}), || files::remove_file(path))?;
    Ok(Some(json!({"removed": "partial", "path": path, "bytes": meta.len()})))
}

/// The lock on the file or directory at `path`; `None` where another holds it, or nothing is there any more.
pub fn hold(path: &Path) -> Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        opened => lock(opened.cannot(|| format!("open {}", path.display()))?, path),
    }
}

fn lock(file: File, path: &Path) -> Result<Option<File>> {
    let what = || format!("lock {}", path.display());
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(e)) => return Err(e).cannot(what),
        Ok(()) => {}
    }
    // Its last holder may have removed or published it before the lock came to us.
    let inode = |meta: Metadata| (meta.dev(), meta.ino());
    let held = inode(file.metadata().cannot(what)?);
    let same = fs::symlink_metadata(path).is_ok_and(|named| inode(named) == held);
    Ok(same.then_some(file))
}

/// Whether what was made then waits no longer for who may have begun it.
pub fn is_stale(since: Option<SystemTime>) -> bool {
    is_old(since, KEPT)
}

fn is_old(since: Option<SystemTime>, age: Duration) -> bool {
    since.and_then(|then| then.elapsed().ok()).is_some_and(|elapsed| elapsed >= age)
}

fn entries(dir: &Path) -> Vec<DirEntry> {
    fs::read_dir(dir).map(|entries| entries.flatten().collect()).unwrap_or_default()
}

impl Store {
    /// Every blob, with the digest that it is named by.
    pub fn blobs(&self) -> Vec<(PathBuf, Digest)> {
        digests_in(&self.images().join("blobs"))
    }

    /// Every layer's tree, with the layer's diffId.
    pub fn trees(&self) -> Vec<(PathBuf, Digest)> {
        digests_in(&paths::layers())
    }

    /// Blobs that no image has and trees of layers that no image and no container has: those that are a day old, for a
    /// pull enters its image only at its end, or with `young` all of them. The caller holds [`Lock::store`], and for `young`
    /// ones what [`idle`](crate::idle) gives.
    pub fn orphans(&self, young: bool) -> Result<Vec<Orphan>> {
        let used = Used::now(self)?;
        if !used.is_whole {
            // What the image has that does not read is not known.
            return Ok(Vec::new());
        }
        let blobs = self.blobs().into_iter().filter(|(_, digest)| !used.blobs.contains(digest));
        let trees = self.trees().into_iter().filter(|(_, digest)| !used.trees.contains(digest));
        let blobs = blobs.map(|(path, digest)| Orphan { path, digest, is_tree: false });
        let trees = trees.map(|(path, digest)| Orphan { path, digest, is_tree: true });
        let is_old = |orphan: &Orphan| {
            fs::symlink_metadata(&orphan.path)
                .is_ok_and(|meta| is_old(if orphan.is_tree { published(&meta) } else { meta.modified().ok() }, KEPT))
        };
        Ok(blobs.chain(trees).filter(|orphan| young || is_old(orphan)).collect())
    }

    /// Removes them; the lock is the one under which they were found.
    pub fn remove_orphans(&self, orphans: &[Orphan], lock: Lock) -> Result<()> {
        let mut trash = Trash::default();
        for orphan in orphans {
            if orphan.is_tree {
                let what = || json!({"path": orphan.path});
                trace::act("remove", what, || trash.take(self, &orphan.digest))?;
            } else {
                files::discard(&orphan.path)?;
            }
        }
        drop(lock);
        trash.delete()
    }

    /// Removes the trees of these layers, diffId and blob, that no image and no container has and whose blobs are gone: a
    /// removal took those while the trees were made. Gives whether there was one.
    ///
    /// Where what is used cannot be known, they stay.
    pub fn discard_unused(&self, layers: &[(Digest, Digest)]) -> Result<bool> {
        let lock = Lock::store()?;
        let Ok(Used { trees, is_whole: true, .. }) = Used::now(self) else { return Ok(false) };
        let mut trash = Trash::default();
        let mut any = false;
        for (diff_id, blob) in layers {
            if !trees.contains(diff_id) && !self.blob_path(blob).exists() {
                any |= trash.take(self, diff_id)?;
            }
        }
        drop(lock);
        trash.delete()?;
        Ok(any)
    }

    /// Removes the orphans that are a day old. Gives what was removed.
    pub fn gc_orphans(&self) -> Result<Vec<PathBuf>> {
        let lock = Lock::store()?;
        let orphans = self.orphans(false)?;
        self.remove_orphans(&orphans, lock)?;
        Ok(orphans.into_iter().map(|orphan| orphan.path).collect())
    }

    /// Removes layer trees that a removal renamed aside and did not come to delete.
    pub fn gc_trees(&self) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for entry in entries(&paths::layers()) {
            if entry.file_name().as_encoded_bytes().starts_with(trash::PREFIX.as_bytes()) {
                // Whoever fills it holds it.
                let Some(_held) = hold(&entry.path())? else { continue };
                files::discard(&entry.path())?;
                removed.push(entry.path());
            }
        }
        Ok(removed)
    }
}

/// When a tree came to its name. Its modification time is what the layer says; the change time is the rename's.
fn published(meta: &Metadata) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(meta.ctime()).ok()?))
}

/// The files `ALGORITHM/HEX` below a directory.
fn digests_in(dir: &Path) -> Vec<(PathBuf, Digest)> {
    let mut found = Vec::new();
    for algorithm in entries(dir) {
        for entry in entries(&algorithm.path()) {
            let text = format!("{}:{}", algorithm.file_name().display(), entry.file_name().display());
            found.extend(Digest::parse(&text).ok().map(|digest| (entry.path(), digest)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What gc, or whoever held it, took away between the opening and the locking is nobody's to write into.
    #[test]
    fn what_was_removed_meanwhile_is_not_held() {
        let path = std::env::temp_dir().join(format!("ctr-store-test-{}", ctr_core::ident::token()));
        let open = || File::open(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let held = lock(open(), &path).unwrap().unwrap();
        assert!(hold(&path).unwrap().is_none(), "another holds it");
        let (early, late) = (open(), open());
        fs::remove_dir(&path).unwrap();
        drop(held);
        assert!(lock(early, &path).unwrap().is_none(), "it is gone");
        fs::create_dir(&path).unwrap();
        assert!(lock(late, &path).unwrap().is_none(), "another is in its place");
        assert!(hold(&path).unwrap().is_some());
        fs::remove_dir(&path).unwrap();
        assert!(hold(&path).unwrap().is_none());
    }

    /// A layer may say that its root is of 1970: its tree is as old as its place in the store.
    #[test]
    fn a_tree_is_as_old_as_its_name() {
        let tree = std::env::temp_dir().join(format!("ctr-store-test-{}", ctr_core::ident::token()));
        fs::create_dir(&tree).unwrap();
        File::open(&tree).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let meta = fs::metadata(&tree).unwrap();
        fs::remove_dir(&tree).unwrap();
        assert!(is_old(meta.modified().ok(), KEPT));
        assert!(!is_old(published(&meta), KEPT) && is_old(published(&meta), Duration::ZERO));
    }
}
