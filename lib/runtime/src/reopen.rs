//! What an image calls a file is looked at before it is opened: to open a device is to do something to it (a watchdog is
//! armed, a tape rewound). It is held by a descriptor that opens nothing (`O_PATH`), and once it was found to be what it
//! should be, that very file is opened, by the link that procfs has to it, and no name is looked up again.

use ctr_core::{Cannot, Result};
use rustix::fs::{CWD, Mode, OFlags};
use std::os::fd::{AsRawFd, OwnedFd};

/// The host's procfs; held, for among the container's mounts `/proc` is the name of something else.
pub struct HostProc(OwnedFd);

impl HostProc {
    /// Takes hold of it, in the host's mount namespace.
    pub fn open() -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, "/proc", flags, Mode::empty()).map(Self).cannot(|| "open /proc")
    }

    /// Opens the file that `held` holds.
    pub fn reopen(&self, held: &OwnedFd, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let link = format!("self/fd/{}", held.as_raw_fd());
        rustix::fs::openat(&self.0, link, flags | OFlags::CLOEXEC, Mode::empty())
    }
}
