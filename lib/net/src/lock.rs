//! The lock of a network namespace: who chooses subnets, addresses and ports in it, or makes bridges and rules.

use ctr_core::{Cannot, Result, files, trace};
use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const NAMESPACE: &str = "/proc/thread-self/ns/net";
/// Where only root makes files.
const DIR: &str = "/run";

/// Held by `flock(2)` on a file named by the network namespace, so that instances with different roots wait for each other
/// too. The namespace itself everybody may open, and lock for ever. Dropping it takes the file away and lets go.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: Option<PathBuf>,
}

impl Lock {
    /// Waits for the lock of the network namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take() -> Result<Self> {
        let what = || "lock the network namespace";
        let number = fs::metadata(NAMESPACE).cannot(what)?.ino();
        let path = Path::new(DIR).join(format!("ctr-net-{number}.lock"));
        loop {
            let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(&path);
            let file = match file {
                // Whoever may not write there is alone in a user namespace, or changes nothing anyway.
                Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                    let file = File::open(NAMESPACE).cannot(what)?;
                    file.lock().cannot(what)?;
                    return Ok(Self { _file: file, path: None });
                }
                other => other.cannot(what)?,
            };
            file.lock().cannot(what)?;
            let same = |there: &fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == there.ino());
            if fs::symlink_metadata(&path).is_ok_and(|there| same(&there)) {
                return Ok(Self { _file: file, path: Some(path) });
            }
            // The one before has taken it away.
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(e) = files::remove_file(path)
        {
            trace::warn(&e.to_string());
        }
    }
}
