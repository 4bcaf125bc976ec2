//! The container's terminal, made inside: a pair of its own devpts, /dev/console bound to it.

use super::{
    devices::open_dev,
    root::{attach, clone_tree},
    target::{Root, is_devpts},
};
use ctr_core::{Cannot, Code, Error, Result, json, open_beneath, trace};
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, Uid},
    io::Errno,
    pty::OpenptFlags,
    termios::Winsize,
};
use std::{os::fd::OwnedFd, path::Path};

/// Both ends of the terminal.
pub struct Console {
    /// The end that the parent relays.
    pub master: OwnedFd,
    /// The end that is the container's stdin, stdout and stderr.
    pub terminal: OwnedFd,
}

/// Opens a terminal of the devpts mounted in the root and, with `bind`, binds it on /dev/console.
///
/// Nothing here follows a path that the image could have set a trap in (CVE-2025-52565): the multiplexer is opened in a
/// directory that is devpts's own, where nobody can make a node, the other end comes from the kernel (`TIOCGPTPEER`),
/// and the mount goes from descriptor to descriptor.
pub fn open(root: &Root, owner: u32, size: Option<Winsize>, bind: bool) -> Result<Option<Console>> {
    trace::act(
        "console",
        || json!({"owner": owner}),
        || {
            let what = || "open a terminal of the container's /dev/pts";
            let pts = root.open_plain(Path::new("/dev/pts"), OFlags::PATH | OFlags::DIRECTORY).cannot(what)?;
            if !is_devpts(&pts).cannot(what)? {
                return Err(Error::new(Code::Invalid, "/dev/pts of the container has no terminals: it is not devpts"));
            }
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
            let master = open_beneath(&pts, "ptmx", OFlags::RDWR | OFlags::NOCTTY, resolve).cannot(what)?;
            rustix::pty::unlockpt(&master).cannot(what)?;
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let terminal = rustix::pty::ioctl_tiocgptpeer(&master, flags).cannot(what)?;
            if let Some(size) = size {
                rustix::termios::tcsetwinsize(&master, size).cannot(|| "set the size of the terminal")?;
            }
            rustix::fs::fchown(&terminal, Some(Uid::from_raw(owner)), None)
                .cannot(|| "give the terminal to the user")?;
            if bind {
                bind_on_console(root, &terminal)?;
            }
            Ok(Some(Console { master, terminal }))
        },
    )
}

fn bind_on_console(root: &Root, terminal: &OwnedFd) -> Result<()> {
    let what = || "bind the terminal on /dev/console";
    let dev = open_dev(root)?;
    match rustix::fs::mknodat(&dev, "console", FileType::RegularFile, Mode::from_raw_mode(0o600), 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e).cannot(what),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(&dev, "console", flags, Mode::empty()).cannot(what)?;
    attach(clone_tree(terminal, false).cannot(what)?, place).cannot(what)
}
