//! The bytes between the pipes that the process has and those of the tool's streams that are no pipes: files, terminals,
//! other devices. As for a terminal (`relay`) one loop of poll(2) does it, and no thread.
//!
//! A pipe of the container's ends where the stream does, both ways: at the end of the input the process reads an end, and
//! where the output goes nowhere any more it gets EPIPE.

use super::{copy::Copy, relay::wait, signals::Signals};
use ctr_core::{Result, trace};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

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
        self.list.push(Copy::input(stdin, to)?);
        Ok(())
    }

    /// Copies from the pipe `from` to `out`; `what` says so in messages.
    pub fn output(&mut self, what: &'static str, from: OwnedFd, out: BorrowedFd<'_>) -> Result<()> {
        self.list.push(Copy::output(what, from, out)?);
        Ok(())
    }

    /// Waits for something to do, and moves what can be moved.
    pub fn turn(&mut self, pidfd: BorrowedFd<'_>, signals: &Signals) -> Result<News> {
        let mut fds = vec![PollFd::new(signals, PollFlags::IN), PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        fds.truncate(if self.ended { 1 } else { 2 });
        let first = fds.len();
        self.list.iter().for_each(|copy| copy.watch(&mut fds));
        // What the process wrote last is in its pipes already.
        let at_once = self.ended && self.list.iter().any(|copy| !copy.is_full());
        wait(&mut fds, at_once.then_some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let (ours, theirs) = events.split_at(first);
        let mut theirs = theirs.iter().copied();
        self.list.retain_mut(|copy| match copy.turn(&mut theirs) {
            Ok(more) => more,
            Err(e) => {
                self.failed = true;
                trace::warn(&format!("cannot {}: {}", copy.what(), io::Error::from(e)));
                false
            }
        });
        let happened = |n: usize| ours.get(n).is_some_and(|events| !events.is_empty());
        Ok(News { signal: happened(0), ended: happened(1) })
    }

    /// The process has ended: it reads no more, and what is in its pipes now is the last that is its.
    pub fn end(&mut self) {
        self.ended = true;
        self.list.retain_mut(Copy::end);
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
