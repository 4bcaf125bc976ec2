//! Waiting for files to change (inotify(7)), without asking again and again.

use crate::Series;
use ctr_core::{Cannot, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something changed, or the time is over: read on.
    Changed,
    /// Nobody reads stdout any more.
    Unread,
}

/// A watch on the directory of a series.
pub struct Watch {
    fd: OwnedFd,
    written: String,
    begun: u64,
}

impl Watch {
    /// Watches from now on.
    pub fn new(series: &Series) -> Result<Self> {
        let what = || format!("watch {}", series.dir().display());
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).cannot(what)?;
        // Files beside the series wake a reader too, which must learn how the container ended.
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&fd, series.dir(), flags).cannot(what)?;
        Ok(Self { fd, written: series.name(0), begun: 0 })
    }

    /// How many files of the series have begun so far, as far as [`Watch::take`] has seen it.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Takes what the kernel has noted. A note after this wakes the next [`Watch::wait`].
    ///
    /// A queue that overflows, after 16,384 notes, makes [`Watch::begun`] too small.
    pub fn take(&mut self) -> Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.fd, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let file = event.file_name().is_some_and(|name| name.to_bytes() == self.written.as_bytes());
                    self.begun += u64::from(file && event.events().contains(ReadFlags::CREATE));
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                other => return other.map(drop).cannot(|| "read from inotify"),
            }
        }
    }

    /// Waits for a change, for `other` to be readable, for stdout to have no reader, for `timeout`.
    pub fn wait(&mut self, other: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> Result<Woken> {
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        let stdout = io::stdout();
        let mut fds = vec![PollFd::new(&self.fd, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        fds.extend(other.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            other => drop(other.cannot(|| "wait for the log")?),
        }
        let unread = fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        self.take()?;
        Ok(if unread { Woken::Unread } else { Woken::Changed })
    }
}
