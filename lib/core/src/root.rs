//! A directory that is `/` for every path looked up through it.

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
    path::Arg,
};

/// How often a lookup is tried that renames elsewhere on the machine disturb: a container must not hold us for ever.
const TRIES: usize = 10_000;

/// The root of a container, or another tree that strangers fill. What a path leads to lies in it, whatever links it has
/// and however they change.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// The directory behind `fd` as a root.
    pub fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Opens `path`: symbolic links are followed inside, those of procfs that lead elsewhere never.
    ///
    /// # Errors
    /// The kernel's; `ELOOP` for such a link of procfs.
    pub fn open(&self, path: impl Arg, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        open_beneath(&self.0, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }

    /// Opens `path`, of which no part may be a symbolic link.
    ///
    /// # Errors
    /// The kernel's; `ELOOP` for a link.
    pub fn open_plain(&self, path: impl Arg, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        open_beneath(&self.0, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Opens `path` from `dir` by openat2(2), close-on-exec, again where a rename somewhere on the machine may have moved
/// what `..` leads to: the kernel cannot tell which one.
///
/// # Errors
/// The kernel's: `EXDEV` for a path that leads out, `ELOOP` for a link that `resolve` forbids.
pub fn open_beneath(
    dir: impl AsFd,
    path: impl Arg,
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    path.into_with_c_str(|path| {
        for _ in 1..TRIES {
            match rustix::fs::openat2(&dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    })
}
