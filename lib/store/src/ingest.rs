//! Writing a blob of any size: streamed to disk, hashed on the way, resumable, published by rename.
//!
//! A partial blob lies in `images/ingest/`, named by its digest and locked by its writer. A killed
//! writer leaves it; the next one takes it over, hashes what is there and goes on behind it.

use crate::{Digest, Hasher, Store};
use ctr_core::{Cannot, Code, Error, Result, files, trace};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::PathBuf,
};

/// A blob being written. Dropped without [`Ingest::commit`], what was written stays to be resumed.
pub struct Ingest {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    digest: Digest,
    size: u64,
    offset: u64,
    hasher: Hasher,
}

impl Ingest {
    pub(crate) fn open(store: &Store, digest: &Digest, size: u64) -> Result<Option<Self>> {
        let target = store.blob_path(digest);
        let dir = store.images().join("ingest");
        files::make_dir(&dir)?;
        files::make_dir(target.parent().unwrap_or(&dir))?;
        let partial = dir.join(format!("{}-{}", digest.algorithm(), digest.hex()));
        let what = || format!("open {}", partial.display());
        loop {
            if store.has_blob(digest, size) {
                return Ok(None);
            }
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc_nofollow())
                .open(&partial)
                .cannot(what)?;
            file.lock().cannot(what)?;
            // While we waited the other writer may have published this very file, or given it up.
            let ours = file.metadata().cannot(what)?.ino();
            if fs::symlink_metadata(&partial).is_ok_and(|m| m.ino() == ours) && !store.has_blob(digest, size) {
                let hasher = Hasher::new(digest);
                let mut ingest = Self { file, partial, target, digest: digest.clone(), size, offset: 0, hasher };
                ingest.take_over().cannot(|| format!("read {}", ingest.partial.display()))?;
                return Ok(Some(ingest));
            }
        }
    }

    /// Hashes what an interrupted writer left.
    fn take_over(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.size {
            return self.start_over();
        }
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = self.file.read(&mut buffer)?;
            if n == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..n]);
            self.offset += n as u64;
        }
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hasher = Hasher::new(&self.digest);
        self.offset = 0;
        Ok(())
    }

    /// Bytes that are there already and hashed; write what comes behind them.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Forgets what was written, to begin at the first byte.
    pub fn restart(&mut self) -> Result<()> {
        self.start_over().cannot(|| format!("truncate {}", self.partial.display()))
    }

    /// Verifies size and digest, flushes and publishes the blob.
    ///
    /// # Errors
    /// `corrupt` where size or digest differ; what was written is then removed, for it cannot be resumed.
    /// A blob that is only too short stays, to be resumed.
    pub fn commit(self) -> Result<()> {
        if self.offset < self.size {
            return Err(Error::new(
                Code::Corrupt,
                format!("blob {} is cut short: {} of {} bytes", self.digest, self.offset, self.size),
            ));
        }
        let got = self.hasher.finish();
        if got != self.digest {
            files::remove_file(&self.partial)?;
            return Err(Error::new(
                Code::Corrupt,
                format!("blob {} has other bytes: their digest is {got}", self.digest),
            ));
        }
        trace::act(
            "blob",
            || json!({"digest": self.digest.as_str(), "size": self.size}),
            || {
                self.file.sync_data().cannot(|| format!("flush {}", self.partial.display()))?;
                fs::rename(&self.partial, &self.target).cannot(|| format!("write {}", self.target.display()))
            },
        )
    }
}

impl Write for Ingest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.offset + bytes.len() as u64 > self.size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("blob {} is longer than its {} bytes", self.digest, self.size),
            ));
        }
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.offset += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn libc_nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}
