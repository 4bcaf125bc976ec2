//! Bytes whose digest is not known before the last one: spooled into the store, then published under it.
//!
//! A process spools into a directory of its own in `ingest/`, which it holds locked: one descriptor, however many
//! files there are, and a directory that nobody holds is what a killed process left.

use crate::{Digest, Hasher, Store, gc, writers};
use ctr_core::{Cannot, Code, Error, Result, files, ident, json, trace};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
};

/// How the names of these directories begin.
pub(crate) const PREFIX: &str = "spool-";

/// A directory to spool into; removed, with what was not published, when dropped.
pub struct Spools {
    dir: PathBuf,
    _lock: File,
}

impl Store {
    /// Begins spooling, in the file system of the blobs.
    pub fn spools(&self) -> Result<Spools> {
        writers::writing()?;
        loop {
            let dir = self.images().join("ingest").join(format!("{PREFIX}{}", ident::token()));
            files::make_dir(&dir)?;
            // gc may find it before it is locked, and then it is gone.
            if let Some(lock) = gc::hold(&dir)? {
                return Ok(Spools { dir, _lock: lock });
            }
            let _ = fs::remove_dir(&dir);
        }
    }
}

impl Spools {
    /// Begins a file, hashed by `hasher`.
    pub fn file(&self, hasher: Hasher) -> Result<Spool> {
        let path = self.dir.join(ident::token());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.cannot(|| format!("make {}", path.display()))?;
        Ok(Spool { file, path, hasher, size: 0 })
    }

    /// A file of these bytes.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<Spooled> {
        let mut spool = self.file(Hasher::sha256())?;
        spool.write_all(bytes).cannot(|| format!("write {}", spool.path.display()))?;
        Ok(spool.finish())
    }
}

impl Drop for Spools {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A file being spooled.
pub struct Spool {
    file: File,
    path: PathBuf,
    hasher: Hasher,
    size: u64,
}

impl Spool {
    /// Ends the file, which then holds no descriptor any more.
    pub fn finish(self) -> Spooled {
        Spooled { path: self.path, digest: self.hasher.finish(), size: self.size }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that was spooled. It lasts as long as its directory, or is published.
#[derive(Debug)]
pub struct Spooled {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

impl Spooled {
    /// The digest of the file.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its size, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where it is: as a blob, once it was published.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it a blob of the store, flushed. A second time does nothing.
    pub fn publish(&mut self, store: &Store) -> Result<()> {
        if self.path == store.blob_path(&self.digest) {
            return Ok(());
        }
        self.flush()?;
        self.rename(store)
    }

    fn flush(&self) -> Result<()> {
        let flush = || File::open(&self.path)?.sync_data();
        flush().cannot(|| format!("flush {}", self.path.display()))
    }

    /// Gives it its name, once it is on the disk.
    fn rename(&mut self, store: &Store) -> Result<()> {
        let target = store.blob_path(&self.digest);
        if store.has_blob(&self.digest, self.size) {
            files::remove_file(&self.path)?;
        } else {
            trace::act(
                "blob",
                || json!({"digest": self.digest.as_str(), "size": self.size}),
                || {
                    files::make_dir(target.parent().unwrap_or(store.images()))?;
                    fs::rename(&self.path, &target).cannot(|| format!("write {}", target.display()))
                },
            )?;
        }
        self.path = target;
        Ok(())
    }
}

/// Makes all of them blobs: flushed side by side, for a disk takes hardly longer for three files than for one. When this
/// returns their names are on the disk too.
pub(crate) fn publish(store: &Store, all: &mut [Spooled]) -> Result<()> {
    thread::scope(|scope| {
        let flushes: Vec<_> = all.iter().map(|file| scope.spawn(|| file.flush())).collect();
        flushes.into_iter().try_for_each(|flush| {
            flush.join().unwrap_or_else(|_| Err(Error::new(Code::Internal, "a thread that flushes ended")))
        })
    })?;
    for file in &mut *all {
        file.rename(store)?;
    }
    let mut dirs: Vec<_> = all.iter().filter_map(|file| file.path.parent()).collect();
    dirs.dedup();
    dirs.into_iter().try_for_each(|dir| {
        let flush = || File::open(dir)?.sync_all();
        flush().cannot(|| format!("flush {}", dir.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gc_takes_what_nobody_holds() {
        let images = std::env::temp_dir().join(format!("ctr-store-test-{}", ident::token()));
        let store = Store::at(images.clone());
        let spools = store.spools().unwrap();
        let mut spooled = spools.file(Hasher::sha256()).unwrap().finish();
        let left = images.join("ingest").join(format!("{PREFIX}left"));
        fs::create_dir_all(left.join("x")).unwrap();
        assert_eq!(gc::spools(&images).unwrap(), [left]);
        for _ in 0..2 {
            assert!(spooled.path().exists());
            spooled.publish(&store).unwrap();
        }
        assert_eq!(spooled.path(), store.blob_path(spooled.digest()));
        drop(spools);
        assert_eq!(fs::read_dir(images.join("ingest")).unwrap().count(), 0);
        files::remove_tree(&images).unwrap();
    }
}
