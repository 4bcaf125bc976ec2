//! A directory that may hold so many bytes and no more, as a project of its file system (ext4, XFS: mount option `prjquota`).
//!
//! Which project it is the directory itself says, and what that may hold the file system: nothing is written down beside.

use crate::sys;
use ctr_core::{Cannot, Code, Error, Lock, Result, files, json, paths, trace};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Mode, OFlags, fstat, openat, rename},
};
use std::{io, path::Path};

/// Projects are numbered from here on; what others number by hand is below.
const FIRST: u32 = 0x6374_0000;
/// How many numbers are tried.
const TRIES: u32 = 1000;

/// What a word says that bounds a size: a quota, or else an image.
///
/// # Errors
/// `invalid` for another.
pub fn is_asked(word: &str) -> Result<bool> {
    match word {
        "quota" => Ok(true),
        "image" => Ok(false),
        _ => Err(Error::new(Code::Invalid, format!("a size is held by quota or image, not by {word:?}"))),
    }
}

/// Makes a directory that may hold `bytes` and no more, where it is not there; of a killed call nothing stays.
///
/// # Errors
/// `unsupported` where the file system enforces no quotas of projects; `limit` where no number is free; the kernel's.
pub fn make(path: &Path, bytes: u64) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let aside = path.with_extension("new");
    files::remove_tree(&aside)?;
    files::make_dir(&aside)?;
    limit(&aside, bytes)?;
    rename(&aside, path).cannot(|| format!("make {}", path.display()))
}

/// Lets an empty directory hold `bytes` and no more.
///
/// # Errors
/// As [`make`].
pub fn limit(dir: &Path, bytes: u64) -> Result<()> {
    let what = || format!("limit {} to {bytes} bytes", dir.display());
    trace::act(
        "quota",
        || json!({"path": dir, "bytes": bytes}),
        || {
            let fd = open(dir).cannot(what)?;
            if !sys::is_enforced(fd.as_fd()) {
                let message = format!("cannot {}: its file system enforces no quotas of projects", what());
                return Err(
                    Error::new(Code::Unsupported, message).hint("ext4 and XFS do, mounted with prjquota; or by=image")
                );
            }
            // Two that look for a free number at once would find the same.
            let _lock = Lock::exclusive(&paths::run().join("projects.lock"))?;
            let start = FIRST | (fstat(&fd).cannot(what)?.st_ino as u32 & 0xffff);
            for project in (start..).take(TRIES as usize) {
                // A directory counts: what a killed process left is free again.
                let used = match sys::used(fd.as_fd(), project) {
                    // XFS, of one that nobody has named yet.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
                    other => other.cannot(what)?,
                };
                if used == 0 {
                    sys::set_limit(fd.as_fd(), project, bytes).cannot(what)?;
                    return sys::set_project(fd.as_fd(), project).cannot(what);
                }
            }
            Err(Error::new(Code::Limit, format!("cannot {}: no project number is free", what())))
        },
    )
}

/// Gives the number back, before the directory is removed; does nothing for one that is of no project.
///
/// # Errors
/// The kernel's.
pub fn release(dir: &Path) -> Result<()> {
    let Ok(fd) = open(dir) else { return Ok(()) };
    match sys::project(fd.as_fd()) {
        Ok(Some(project)) if project >= FIRST && sys::is_enforced(fd.as_fd()) => {
            sys::set_limit(fd.as_fd(), project, 0).cannot(|| format!("give back the quota of {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn open(dir: &Path) -> rustix::io::Result<OwnedFd> {
    openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
