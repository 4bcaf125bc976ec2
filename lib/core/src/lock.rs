//! Advisory locks: one file, exclusive or shared, freed by the kernel when the holder dies.

use crate::{Cannot, Result, paths};
use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

/// A held `flock(2)`; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Whoever gets the descriptor holds the lock too (flock(2)).
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// The one lock of the root: held for moments, while names, records, references and
    /// the set of layers in use are read together or changed.
    pub fn store() -> Result<Self> {
        Self::exclusive(&paths::root().join("lock"))
    }

    /// Waits for the exclusive lock on the file `path`, which is made if missing.
    pub fn exclusive(path: &Path) -> Result<Self> {
        let file = open(path)?;
        file.lock().cannot(|| format!("lock {}", path.display()))?;
        Ok(Self { file })
    }

    /// Waits for the lock on the file `path` that any number of holders share.
    pub fn shared(path: &Path) -> Result<Self> {
        let file = open(path)?;
        file.lock_shared().cannot(|| format!("lock {}", path.display()))?;
        Ok(Self { file })
    }

    /// The exclusive lock on `path` if nobody holds it, else `None`.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e).cannot(|| format!("lock {}", path.display())),
        }
    }

    /// Whether somebody has the exclusive lock on the file `path`, for who only looks: no file is made, and where nobody has it
    /// the look is a shared lock for a moment.
    pub fn is_exclusive(path: &Path) -> Result<bool> {
        let what = || format!("lock {}", path.display());
        let file = match File::open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            other => other.cannot(what)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => Ok(true),
            Err(std::fs::TryLockError::Error(e)) => Err(e).cannot(what),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(dir) = path.parent() {
        crate::files::make_dir(dir)?;
    }
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .cannot(|| format!("open {}", path.display()))
}
