//! Owner, mode, extended attributes and times of a file just made.
//!
//! The order is the kernel's: chown clears set-id bits and capabilities, so the owner comes first, then the mode,
//! then xattrs (an ACL also sets the mode's group bits), and the times last.

use crate::{entry::Meta, name::show};
use ctr_core::{Cannot, Result};
use rustix::{
    fd::{AsRawFd, BorrowedFd},
    fs::{self, AtFlags, Gid, Mode, Timestamps, Uid, XattrFlags},
};

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
