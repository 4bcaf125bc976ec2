//! Waiting for the next reading, for an end, for a reader that goes away.

use crate::wanted::Wanted;
use ctr_core::{Cannot, Result, container::Handle};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::time::Instant;

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time has come, or a process has ended.
    Due,
    /// Nobody reads what is printed any more.
    Unread,
}

/// Waits until `until`, or less long where one of those that were named ends.
pub fn until(wanted: &Wanted, until: Instant) -> Result<Woken> {
    let mut processes = Vec::new();
    if wanted.is_named() {
        for process in wanted.subjects().filter_map(|subject| subject.process) {
            processes.extend(Handle::of(process)?);
        }
    }
    let out = std::io::stdout();
    // Only its failure is asked for: POLLERR comes unasked, when the other end of a pipe is closed (poll(2)).
    let mut fds = vec![PollFd::new(&out, PollFlags::empty())];
    fds.extend(processes.iter().map(|process| PollFd::from_borrowed_fd(process.fd(), PollFlags::IN)));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut fds, Some(&left)) {
            Err(Errno::INTR) => {}
            other => {
                other.cannot(|| "wait for the next reading")?;
                let unread = fds[0].revents().contains(PollFlags::ERR);
                return Ok(if unread { Woken::Unread } else { Woken::Due });
            }
        }
    }
}
