//! A directory that is `/` for every path looked up through it.

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
    path::Arg,
};

/// How often a lookup is tried that renames elsewhere on the machine disturb: a container must not hold us for ever.
const TRIES: usize = 10_000;

/// The root of a container. What a path leads to lies in it, whatever links it has and however they change.
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
        openat2_again(&self.0, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// openat2(2), again where it could not rule out a race with a rename.
pub(crate) fn openat2_again(
    dir: impl AsFd,
    path: impl Arg,
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    path.into_with_c_str(|path| {
        for _ in 1..TRIES {
            match openat2(&dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    })
}
