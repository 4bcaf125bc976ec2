//! A directory that may hold so many bytes and no more, as a project of its file system (ext4, XFS: mount option `prjquota`).
//!
//! Which project it is the directory itself says, and what that may hold the file system: nothing is written down beside.

use crate::sys::{self, Quota};
use ctr_core::{Cannot, Code, Error, Lock, Result, files, json, paths, trace};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Mode, OFlags, fstat, openat, rename},
};
use std::path::Path;

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
/// `unsupported` where the file system enforces no quotas of projects; `limit` where no number is free; as [`check`] of one
/// that is there; the kernel's.
pub fn make(path: &Path, bytes: u64) -> Result<()> {
    if path.exists() {
        return check(path, bytes);
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
                let quota = sys::quota(fd.as_fd(), project).cannot(what)?;
                if quota.bytes == 0 && quota.files == 0 {
                    sys::set_limit(fd.as_fd(), project, bytes).cannot(what)?;
                    return sys::set_project(fd.as_fd(), project).cannot(what);
                }
            }
            Err(Error::new(Code::Limit, format!("cannot {}: no project number is free", what())))
        },
    )
}

/// Whether a directory is held to `bytes` still: a copy of it, as of a backup, is of no project, and the file system may be
/// mounted otherwise by now.
///
/// # Errors
/// `corrupt` where it is not.
pub fn check(dir: &Path, bytes: u64) -> Result<()> {
    quota(dir, bytes).map(drop)
}

/// The same, and whether what is in it is no more: root writes beyond a quota.
///
/// # Errors
/// `limit` where it is more; as [`check`].
pub fn fits(dir: &Path, bytes: u64) -> Result<()> {
    let has = quota(dir, bytes)?.bytes;
    if has > bytes {
        let message = format!("{} may hold {bytes} bytes, and would have {has}", dir.display());
        return Err(Error::new(Code::Limit, message));
    }
    Ok(())
}

fn quota(dir: &Path, bytes: u64) -> Result<Quota> {
    let fd = open(dir).cannot(|| format!("open {}", dir.display()))?;
    let Some(project) = ours(&fd) else {
        let message = format!("{} may hold {bytes} bytes, and no quota holds it to that any more", dir.display());
        return Err(Error::new(Code::Corrupt, message)
            .hint("it is on another file system, or a copy: make it anew, and copy the files there"));
    };
    let quota = sys::quota(fd.as_fd(), project).cannot(|| format!("read the quota of {}", dir.display()))?;
    if quota.limit < bytes || quota.limit - bytes >= 1 << 10 {
        let message = format!("{} may hold {bytes} bytes, and its quota says {}", dir.display(), quota.limit);
        return Err(Error::new(Code::Corrupt, message));
    }
    Ok(quota)
}

/// Gives the number back, before the directory is removed; does nothing for one that is of no project. No container sees the
/// directory itself: the project of one that it sees is what it says.
///
/// # Errors
/// The kernel's.
pub fn release(dir: &Path) -> Result<()> {
    let Ok(fd) = open(dir) else { return Ok(()) };
    let Some(project) = ours(&fd) else { return Ok(()) };
    sys::set_limit(fd.as_fd(), project, 0).cannot(|| format!("give back the quota of {}", dir.display()))
}

/// The project of a directory, where it is one of those that we number, and held to its limit.
fn ours(dir: &OwnedFd) -> Option<u32> {
    let project = sys::project(dir.as_fd()).ok().flatten()?;
    (project >= FIRST && sys::is_enforced(dir.as_fd())).then_some(project)
}

fn open(dir: &Path) -> rustix::io::Result<OwnedFd> {
    openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
