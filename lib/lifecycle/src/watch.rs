//! Waiting until something becomes of a container: inotify(7) on its two directories, pidfds of its processes.

use ctr_core::{Cannot, Result, container, paths};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use std::{
    os::fd::{BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Instant,
};

/// A watch on a container's directory and run directory.
///
/// The loop is: [`arm`](Self::arm), look at the files, [`wait`](Self::wait); so no change between is missed.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    dir: PathBuf,
    run: PathBuf,
    events: WatchFlags,
}

impl Watch {
    /// Watches container `id`. Files are replaced by rename(2); only with `writes` is news what is written to one
    /// that is open.
    pub fn new(id: &str, writes: bool) -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).cannot(|| "watch files")?;
        let mut events = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF;
        if writes {
            events |= WatchFlags::MODIFY;
        }
        let id = container::checked_id(id)?;
        Ok(Self { inotify, dir: container::dir(id), run: paths::run_dir(id), events })
    }

    /// Watches what is there now. A directory that is not there yet is awaited in the one above it.
    pub fn arm(&self) -> Result<()> {
        self.add(&self.dir)?;
        for dir in self.run.ancestors() {
            if self.add(dir)? {
                break;
            }
        }
        Ok(())
    }

    fn add(&self, dir: &Path) -> Result<bool> {
        match inotify::add_watch(&self.inotify, dir, self.events) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            other => other.map(|_| true).cannot(|| format!("watch {}", dir.display())),
        }
    }

    /// Waits until something changed or one of `processes` ended, at most until `until`; gives whether it did.
    pub fn wait(&self, processes: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<bool> {
        let mut fds = vec![PollFd::new(&self.inotify, PollFlags::IN)];
        fds.extend(processes.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        let ready = loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.map(|d| Timespec { tv_sec: d.as_secs() as i64, tv_nsec: i64::from(d.subsec_nanos()) });
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => {}
                other => break other.cannot(|| "wait for a container")?,
            }
        };
        // Which file it was is found by looking at all.
        while rustix::io::read(&self.inotify, &mut [0; 4096]).is_ok_and(|n| n > 0) {}
        Ok(ready > 0)
    }
}
