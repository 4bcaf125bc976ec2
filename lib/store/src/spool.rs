//! Bytes whose digest is not known before the last one: spooled into the store, then published under it.

use crate::{Digest, Hasher, Store};
use ctr_core::{Cannot, Result, files, ident, json, trace};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file being spooled; removed when dropped, unless it was published.
pub struct Spool {
    file: File,
    path: PathBuf,
    hasher: Hasher,
    size: u64,
}

impl Store {
    /// Begins a spool file, in the file system of the blobs.
    pub fn spool(&self) -> Result<Spool> {
        let dir = self.images().join("ingest");
        files::make_dir(&dir)?;
        let path = dir.join(format!("spool-{}", ident::token()));
        let cannot = || format!("make {}", path.display());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path).cannot(cannot)?;
        // Held until the writer dies: gc takes a spool file that nobody holds.
        file.lock().cannot(cannot)?;
        Ok(Spool { file, path, hasher: Hasher::sha256(), size: 0 })
    }
}

impl Store {
    /// Removes spool files whose writers died. Gives what was removed.
    pub fn gc_spools(&self) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        let Ok(entries) = fs::read_dir(self.images().join("ingest")) else { return Ok(removed) };
        for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("spool-")) {
            let free = File::open(entry.path()).is_ok_and(|f| f.try_lock().is_ok());
            if free {
                files::discard(&entry.path())?;
                removed.push(entry.path());
            }
        }
        Ok(removed)
    }
}

impl Spool {
    /// The sha256 of what was written so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, to read back what was written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it a blob of the store, flushed. It stays readable under [`Store::blob_path`].
    pub fn publish(self, store: &Store) -> Result<Digest> {
        let digest = self.digest();
        if store.has_blob(&digest, self.size) {
            return Ok(digest);
        }
        let target = store.blob_path(&digest);
        trace::act(
            "blob",
            || json!({"digest": digest.as_str(), "size": self.size}),
            || {
                self.file.sync_data().cannot(|| format!("flush {}", self.path.display()))?;
                fs::rename(&self.path, &target).cannot(|| format!("write {}", target.display()))
            },
        )?;
        Ok(digest)
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

impl Drop for Spool {
    fn drop(&mut self) {
        // Where it was published there is nothing of that name any more.
        let _ = fs::remove_file(&self.path);
    }
}
