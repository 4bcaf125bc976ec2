//! The bytes between the pipes that the process has and those of the tool's streams that are no pipes: files, terminals,
//! other devices. As for a terminal (`relay`) one loop of poll(2) does it, and no thread.
//!
//! A pipe of the container's ends where the stream does, both ways: at the end of the input the process reads an end, and
//! where the output goes nowhere any more it gets EPIPE.

use super::{relay::wait, signals::Signals};
use crate::reopen::HostProc;
use ctr_core::{Cannot, Result, trace};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{FileType, OFlags, RawMode},
    io::Errno,
    pipe::{SpliceFlags, splice},
};
use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

/// The most that is spliced at once: what a pipe holds (pipe(7)).
const MOST: u64 = 64 << 10;

/// The most that goes through the buffer at once: as much as a device that is ready takes without waiting.
const PIECE: u64 = 4096;

/// All that is copied.
#[derive(Default)]
pub struct Copies {
    list: Vec<Copy>,
    /// The process has ended: only what it wrote last is still copied.
    ended: bool,
    /// Bytes were lost.
    failed: bool,
}

/// What happened.
pub struct News {
    /// Signals can be read.
    pub signal: bool,
    /// The process has ended.
    pub ended: bool,
}

impl Copies {
    /// Copies `stdin` to the pipe `to`.
    pub fn input(&mut self, stdin: BorrowedFd<'_>, to: OwnedFd) -> Result<()> {
        do_not_wait(&to)?;
        let (from, by, terminal) = own(stdin)?;
        self.list.push(Copy { what: "read stdin", input: true, from, to, by, terminal, full: false, left: None });
        Ok(())
    }

    /// Copies from the pipe `from` to `out`; `what` says so in messages.
    pub fn output(&mut self, what: &'static str, from: OwnedFd, out: BorrowedFd<'_>) -> Result<()> {
        do_not_wait(&from)?;
        let (to, by, terminal) = own(out)?;
        self.list.push(Copy { what, input: false, from, to, by, terminal, full: false, left: None });
        Ok(())
    }

    /// Waits for something to do, and moves what can be moved.
    pub fn turn(&mut self, pidfd: BorrowedFd<'_>, signals: &Signals) -> Result<News> {
        let mut fds = vec![PollFd::new(signals, PollFlags::IN), PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        fds.truncate(if self.ended { 1 } else { 2 });
        let first = fds.len();
        self.list.iter().for_each(|copy| copy.watch(&mut fds));
        // What the process wrote last is in its pipes already.
        let at_once = self.ended && self.list.iter().any(|copy| !copy.full);
        wait(&mut fds, at_once.then_some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let (ours, theirs) = events.split_at(first);
        let mut theirs = theirs.iter().copied();
        self.list.retain_mut(|copy| match copy.turn(&mut theirs) {
            Ok(more) => more,
            Err(e) => {
                self.failed = true;
                trace::warn(&format!("cannot {}: {}", copy.what, io::Error::from(e)));
                false
            }
        });
        let happened = |n: usize| ours.get(n).is_some_and(|events| !events.is_empty());
        Ok(News { signal: happened(0), ended: happened(1) })
    }

    /// The process has ended: it reads no more, and what is in its pipes now is the last that is its.
    pub fn end(&mut self) {
        self.ended = true;
        self.list.retain_mut(|copy| {
            copy.left = rustix::io::ioctl_fionread(&copy.from).ok();
            !copy.input
        });
    }

    /// Whether the process has ended.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Whether it has, and all that it wrote is where it belongs.
    pub fn done(&self) -> bool {
        self.ended && self.list.is_empty()
    }

    /// Whether bytes were lost on the way.
    pub fn failed(&self) -> bool {
        self.failed
    }
}

/// One stream, from the tool's descriptor to the pipe of the container or back.
struct Copy {
    /// What fails if it does.
    what: &'static str,
    input: bool,
    from: OwnedFd,
    to: OwnedFd,
    by: By,
    /// The tool's end is a terminal: an error of it means that it is gone.
    terminal: bool,
    /// It waits for room in `to`; else for bytes in `from`.
    full: bool,
    /// How many bytes still come, once that is known.
    left: Option<u64>,
}

/// How bytes are moved.
enum By {
    /// By the kernel (splice(2)), which does not wait for pipes, and need not for files.
    Splice,
    /// Through here.
    Buffer(Vec<u8>),
}

impl Copy {
    /// What it waits for; and that nobody reads `to` any more, which poll(2) says unasked.
    fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if self.full {
            fds.push(PollFd::new(&self.to, PollFlags::OUT));
        } else {
            fds.push(PollFd::new(&self.from, PollFlags::IN));
            fds.push(PollFd::new(&self.to, PollFlags::empty()));
        }
    }

    /// Moves what it can, going by what [`Copy::watch`] has found; `false`: nothing more comes through here.
    fn turn(&mut self, events: &mut impl Iterator<Item = PollFlags>) -> rustix::io::Result<bool> {
        let mut next = || events.next().unwrap_or(PollFlags::empty());
        let ready = !next().is_empty() || (!self.full && self.left.is_some());
        if !self.full && next().contains(PollFlags::ERR) {
            return Ok(false);
        }
        match if ready { self.step() } else { Ok(true) } {
            Err(Errno::INTR) => Ok(true),
            Err(Errno::PIPE) => Ok(false),
            Err(Errno::IO) if self.terminal => Ok(false),
            other => other,
        }
    }

    fn step(&mut self) -> rustix::io::Result<bool> {
        let most = self.left.unwrap_or(MOST).min(MOST);
        let moved = match &mut self.by {
            By::Splice => match splice(&self.from, None, &self.to, None, most as usize, SpliceFlags::NONBLOCK) {
                Err(Errno::AGAIN) => {
                    // One of the two is ready, so it is the other that is not.
                    self.full = !self.full;
                    return Ok(self.full || self.left.is_none());
                }
                // A file of a kind that does not splice, or one that is appended to (splice(2)).
                Err(Errno::INVAL) => {
                    (self.by, self.full) = (By::Buffer(Vec::new()), false);
                    return Ok(true);
                }
                other => {
                    self.full = false;
                    other?
                }
            },
            By::Buffer(bytes) if bytes.is_empty() => {
                let mut piece = [0; PIECE as usize];
                match rustix::io::read(&self.from, &mut piece[..most.min(PIECE) as usize]) {
                    Err(Errno::AGAIN) => return Ok(self.left.is_none()),
                    other => {
                        let length = other?;
                        bytes.extend_from_slice(&piece[..length]);
                        self.full = length > 0;
                        length
                    }
                }
            }
            By::Buffer(bytes) => match rustix::io::write(&self.to, bytes) {
                Err(Errno::AGAIN) => return Ok(true),
                other => {
                    drop(bytes.drain(..other?));
                    self.full = !bytes.is_empty();
                    return Ok(true);
                }
            },
        };
        self.left = self.left.map(|left| left.saturating_sub(moved as u64));
        Ok(moved > 0)
    }
}

/// The tool's end as a descriptor of ours, how bytes are moved there, and whether it is a terminal.
///
/// A terminal is opened anew: that nobody waits for it is then ours alone, and not of all who have it. Where that is not
/// allowed, as after su(1), it is as it is.
fn own(fd: BorrowedFd<'_>) -> Result<(OwnedFd, By, bool)> {
    let what = || "prepare the streams";
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3).cannot(what)?;
    let stat = rustix::fs::fstat(fd).cannot(what)?;
    if rustix::termios::isatty(fd) {
        let mode = rustix::fs::fcntl_getfl(fd).cannot(what)? & OFlags::RWMODE;
        let reopen = || HostProc::open()?.reopen(&copy, mode | OFlags::NOCTTY | OFlags::NONBLOCK).cannot(what);
        let anew = if is_alias(stat.st_rdev) { None } else { reopen().ok() };
        return Ok((anew.unwrap_or(copy), By::Buffer(Vec::new()), true));
    }
    let by = match FileType::from_raw_mode(stat.st_mode as RawMode) {
        FileType::RegularFile | FileType::BlockDevice | FileType::Fifo => By::Splice,
        _ => By::Buffer(Vec::new()),
    };
    Ok((copy, by, false))
}

/// Whether a terminal device is opened as another, and at another time as yet another: /dev/tty, /dev/console and
/// /dev/ptmx (all 5), and /dev/tty0 (Linux, devices.rst).
fn is_alias(device: u64) -> bool {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    major == 5 || (major, minor) == (4, 0)
}

/// Our end of a pipe; the other end has flags of its own.
fn do_not_wait(pipe: &OwnedFd) -> Result<()> {
    rustix::fs::fcntl_setfl(pipe, OFlags::NONBLOCK).cannot(|| "prepare the streams")
}
