//! Owner, mode, extended attributes and times of a file just made.
//!
//! The order is the kernel's: chown clears set-id bits and capabilities, so the owner comes first, then the mode,
//! then xattrs (an ACL also sets the mode's group bits), and the times last.

use crate::{entry::Meta, name::show};
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fd::{AsRawFd, BorrowedFd},
    fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, Timestamps, Uid, XattrFlags},
};
use std::ffi::CStr;

/// Who makes the files: what needs no chown.
#[derive(Clone, Copy)]
pub(crate) struct Maker {
    uid: u32,
    gid: u32,
}

impl Maker {
    pub(crate) fn me() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// Nobody: every file gets its owner, for a directory may give its group to what is made in it.
    pub(crate) fn nobody() -> Self {
        Self { uid: u32::MAX, gid: u32::MAX }
    }

    /// Whether a file made by us has the right owner already.
    pub(crate) fn owns(self, meta: &Meta) -> bool {
        (meta.uid, meta.gid) == (self.uid, self.gid)
    }

    /// Makes `fd` ours.
    pub(crate) fn own(self, fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
        fs::fchown(fd, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }

    /// Finishes the open file `fd`, made with mode `made`; `path` is for messages.
    pub(crate) fn finish(self, fd: BorrowedFd<'_>, meta: &Meta, made: u32, path: &[u8]) -> Result<()> {
        if !self.owns(meta) {
            fs::fchown(fd, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))
                .cannot(|| set("owner", path))?;
        }
        if meta.mode != made {
            fs::fchmod(fd, Mode::from_raw_mode(meta.mode)).cannot(|| set("mode", path))?;
        }
        for (name, value) in &meta.xattrs {
            fs::fsetxattr(fd, name, value, XattrFlags::empty())
                .cannot(|| set(&format!("xattr {}", show(name.to_bytes())), path))?;
        }
        fs::futimens(fd, &times(meta)).cannot(|| set("times", path))
    }

    /// Finishes a file that cannot be opened without consequence: a symbolic link, a device, a fifo.
    /// It is `name` in `dir` and was made with its mode; nothing is followed.
    pub(crate) fn finish_at(self, dir: BorrowedFd<'_>, name: &[u8], meta: &Meta, path: &[u8]) -> Result<()> {
        if !self.owns(meta) {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).cannot(|| set("owner", path))?;
        }
        for (xattr, value) in &meta.xattrs {
            // Xattrs have no *at call before Linux 6.13; the magic link is to the directory we hold.
            let through = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat();
            fs::lsetxattr(through, xattr, value, XattrFlags::empty())
                .cannot(|| set(&format!("xattr {}", show(xattr.to_bytes())), path))?;
        }
        touch(dir, name, meta, path)
    }
}

/// [`Maker::finish_at`] in a directory where others may be at work: what lies at `name` is held, and has to be the file of
/// `kind` that was just made there, before it is given anything.
pub(crate) fn finish_held(dir: BorrowedFd<'_>, name: &CStr, kind: FileType, meta: &Meta, path: &[u8]) -> Result<()> {
    let fd = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| set("owner", path))?;
    let stat = fs::fstat(&fd).cannot(|| set("owner", path))?;
    // A hard link to another file has that file's count.
    if FileType::from_raw_mode(stat.st_mode) != kind || stat.st_nlink != 1 {
        return Err(Error::new(Code::Busy, format!("{} was replaced while it was made", show(path))));
    }
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    fs::chownat(&fd, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH).cannot(|| set("owner", path))?;
    let held = format!("/proc/self/fd/{}", fd.as_raw_fd());
    for (xattr, value) in &meta.xattrs {
        fs::setxattr(&held, xattr, value, XattrFlags::empty())
            .cannot(|| set(&format!("xattr {}", show(xattr.to_bytes())), path))?;
    }
    fs::utimensat(CWD, &held, &times(meta), AtFlags::empty()).cannot(|| set("times", path))
}

/// Sets the times of `name` in `dir`.
pub(crate) fn touch(dir: BorrowedFd<'_>, name: &[u8], meta: &Meta, path: &[u8]) -> Result<()> {
    fs::utimensat(dir, name, &times(meta), AtFlags::SYMLINK_NOFOLLOW).cannot(|| set("times", path))
}

fn times(meta: &Meta) -> Timestamps {
    Timestamps { last_access: meta.atime, last_modification: meta.mtime }
}

fn set(what: &str, path: &[u8]) -> String {
    format!("set the {what} of entry {}", show(path))
}
