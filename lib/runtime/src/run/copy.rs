//! One stream that is copied: bytes from the tool's descriptor to a pipe of the container's, or back.
//!
//! By read(2) and write(2): with splice(2) pages of the host's files would lie in a pipe that the container controls, and
//! holes of kernels have made such pages writable (CVE-2022-0847, CVE-2026-31431).

use crate::reopen::HostProc;
use ctr_core::{Cannot, Result};
use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags},
    fs::{FileType, OFlags, RawMode},
    io::Errno,
};
use std::os::fd::{BorrowedFd, OwnedFd};

/// The most that is moved at once: what a pipe holds (pipe(7)).
const MOST: usize = 64 << 10;

/// The most that is written at once to a device that may wait: as much as one that is ready takes.
const PIECE: usize = 4096;

/// It, and what is on the way.
pub struct Copy {
    /// What fails if it does.
    what: &'static str,
    input: bool,
    from: OwnedFd,
    to: OwnedFd,
    /// Read, and not written yet.
    bytes: Vec<u8>,
    /// How many bytes the process still has in the pipe, once it has ended.
    left: Option<u64>,
    /// How many are written at once.
    piece: usize,
    /// The tool's end is a terminal: an error of it means that it is gone.
    terminal: bool,
}

impl Copy {
    /// From `stdin` to the pipe `to`.
    pub fn input(stdin: BorrowedFd<'_>, to: OwnedFd) -> Result<Self> {
        do_not_wait(&to)?;
        let Own { fd: from, terminal, .. } = Own::of(stdin, true)?;
        let bytes = Vec::with_capacity(MOST);
        Ok(Self { what: "read stdin", input: true, from, to, bytes, left: None, piece: MOST, terminal })
    }

    /// From the pipe `from` to `out`.
    pub fn output(what: &'static str, from: OwnedFd, out: BorrowedFd<'_>) -> Result<Self> {
        do_not_wait(&from)?;
        let Own { fd: to, terminal, waits } = Own::of(out, false)?;
        let bytes = Vec::with_capacity(MOST);
        let piece = if waits { PIECE } else { MOST };
        Ok(Self { what, input: false, from, to, bytes, left: None, piece, terminal })
    }

    /// What fails if it does.
    pub fn what(&self) -> &str {
        self.what
    }

    /// Whether it waits for room, and not for bytes.
    pub fn is_full(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The process has ended. `false`: nothing of this is left to do; else what is in the pipe now is the last.
    pub fn end(&mut self) -> bool {
        self.left = rustix::io::ioctl_fionread(&self.from).ok();
        !self.input
    }

    /// What it waits for; and that nobody reads `to` any more, which poll(2) says unasked.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if self.is_full() {
            fds.push(PollFd::new(&self.to, PollFlags::OUT));
        } else {
            fds.push(PollFd::new(&self.from, PollFlags::IN));
            fds.push(PollFd::new(&self.to, PollFlags::empty()));
        }
    }

    /// Moves what it can, going by what [`Copy::watch`] has found; `false`: nothing more comes through here.
    pub fn turn(&mut self, events: &mut impl Iterator<Item = PollFlags>) -> rustix::io::Result<bool> {
        let mut next = || events.next().unwrap_or(PollFlags::empty());
        let awaited = next();
        let moved = if self.is_full() {
            if awaited.is_empty() { Ok(true) } else { self.write() }
        } else if next().contains(PollFlags::ERR) {
            Ok(false)
        } else if awaited.is_empty() && self.left.is_none() {
            Ok(true)
        } else {
            self.read()
        };
        match moved {
            Err(Errno::INTR) => Ok(true),
            Err(Errno::PIPE) => Ok(false),
            Err(Errno::IO) if self.terminal => Ok(false),
            other => other,
        }
    }

    fn read(&mut self) -> rustix::io::Result<bool> {
        if self.left == Some(0) {
            return Ok(false);
        }
        match rustix::io::read(&self.from, spare_capacity(&mut self.bytes)) {
            // Others may have it open too, and have read what there was.
            Err(Errno::AGAIN) => Ok(self.left.is_none()),
            other => {
                let length = other?;
                self.left = self.left.map(|left| left.saturating_sub(length as u64));
                Ok(length > 0)
            }
        }
    }

    fn write(&mut self) -> rustix::io::Result<bool> {
        match rustix::io::write(&self.to, &self.bytes[..self.bytes.len().min(self.piece)]) {
            Err(Errno::AGAIN) => {}
            other => drop(self.bytes.drain(..other?)),
        }
        Ok(true)
    }
}

/// The tool's end.
struct Own {
    fd: OwnedFd,
    terminal: bool,
    /// To write to it may take as long as it likes.
    waits: bool,
}

impl Own {
    /// A terminal, or a named pipe to write to, is opened anew: that nobody waits for it is then ours alone, and not of all
    /// who have it. Where that is not allowed, as after su(1), it is as it is. (A named pipe opened anew to read has no
    /// end where its last writer went before, see fifo(7).)
    fn of(fd: BorrowedFd<'_>, input: bool) -> Result<Self> {
        let what = || "prepare the streams";
        let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3).cannot(what)?;
        let stat = rustix::fs::fstat(fd).cannot(what)?;
        let kind = FileType::from_raw_mode(stat.st_mode as RawMode);
        let terminal = rustix::termios::isatty(fd);
        if (kind == FileType::Fifo && !input) || (terminal && !is_alias(stat.st_rdev)) {
            let mode = rustix::fs::fcntl_getfl(fd).cannot(what)? & OFlags::RWMODE;
            if let Ok(fd) = HostProc::open()?.reopen(&copy, mode | OFlags::NOCTTY | OFlags::NONBLOCK) {
                return Ok(Self { fd, terminal, waits: false });
            }
        }
        Ok(Self { fd: copy, terminal, waits: !matches!(kind, FileType::RegularFile | FileType::BlockDevice) })
    }
}

/// Whether a terminal is opened as another, and at another time as yet another: /dev/tty, /dev/console and /dev/ptmx (all
/// 5), and /dev/tty0 (Linux, devices.rst).
fn is_alias(device: u64) -> bool {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    major == 5 || (major, minor) == (4, 0)
}

/// Our end of a pipe; the other end has flags of its own.
fn do_not_wait(pipe: &OwnedFd) -> Result<()> {
    rustix::fs::fcntl_setfl(pipe, OFlags::NONBLOCK).cannot(|| "prepare the streams")
}
