//! Signals to a container's process, by a descriptor that leads to no other, and the wait for its end.

use super::{is_alive, is_running};
use crate::{Cannot, Code, Error, Process, Result, State, sys::pidfd_signal};
use nix::sys::signal::Signal as Known;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

/// Longest wait for a killed process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of a signal by its name or number: `TERM`, `SIGTERM`, `term`, `15`, `RTMIN+3`, `RTMAX-1`.
///
/// # Errors
/// `invalid` for what is none.
pub fn parse_signal(word: &str) -> Result<i32> {
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |from: &str| bare.strip_prefix(from)?.parse::<i32>().ok().filter(|n| (0..=30).contains(n));
    let number = if let Ok(n) = bare.parse::<i32>() {
        Some(n).filter(|n| (1..=64).contains(n))
    } else if bare == "RTMIN" {
        Some(libc::SIGRTMIN())
    } else if bare == "RTMAX" {
        Some(libc::SIGRTMAX())
    } else if let Some(n) = real_time("RTMIN+") {
        Some(libc::SIGRTMIN() + n)
    } else if let Some(n) = real_time("RTMAX-") {
        Some(libc::SIGRTMAX() - n)
    } else {
        format!("SIG{bare}").parse::<Known>().ok().map(|s| s as i32)
    };
    number.ok_or_else(|| {
        Error::new(Code::Invalid, format!("invalid signal {word:?}")).hint("a name as TERM, or a number from 1 to 64")
    })
}

/// A running process, held by a descriptor (pidfd_open(2)): it cannot become another of the same number.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
    pid: i32,
}

impl Handle {
    /// Opens the process of `state`; `None` where it is gone.
    pub fn open(state: &State) -> Result<Option<Self>> {
        Self::open_if(state.pid, || is_alive(state))
    }

    /// Opens `process`; `None` where it is gone.
    pub fn of(process: Process) -> Result<Option<Self>> {
        Self::open_if(Some(process.pid), || is_running(process))
    }

    /// The descriptor is opened first and the start time compared after: what it leads to can then be no other
    /// process that got the same number.
    fn open_if(pid: Option<i32>, same: impl FnOnce() -> bool) -> Result<Option<Self>> {
        let Some(raw) = pid.and_then(Pid::from_raw) else { return Ok(None) };
        let pid = raw.as_raw_nonzero().get();
        match pidfd_open(raw, PidfdFlags::empty()) {
            Err(Errno::SRCH) => Ok(None),
            other => {
                let fd = other.cannot(|| format!("open process {pid}"))?;
                Ok(same().then_some(Self { fd, pid }))
            }
        }
    }

    /// The descriptor: readable once the process has ended.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Sends signal number `signal`; a process that is gone is no failure.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match pidfd_signal(self.fd.as_fd(), signal) {
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other.cannot(|| format!("send signal {signal} to process {}", self.pid)),
        }
    }

    /// Waits for the end of the process, at most `timeout`; gives whether it ended.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let end = timeout.map(|t| Instant::now() + t);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(|d| Timespec { tv_sec: d.as_secs() as i64, tv_nsec: i64::from(d.subsec_nanos()) });
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                other => return Ok(other.cannot(|| format!("wait for process {}", self.pid))? > 0),
            }
        }
    }
}

/// Kills the process of `state` and waits until it is gone.
///
/// # Errors
/// `busy` where it does not end in ten seconds: one in the kernel on a slow device takes its time.
pub fn kill(state: &State) -> Result<()> {
    let Some(process) = Handle::open(state)? else { return Ok(()) };
    process.signal(libc::SIGKILL)?;
    if process.wait(Some(PATIENCE))? {
        return Ok(());
    }
    Err(Error::new(Code::Busy, format!("cannot kill process {}: it does not end", process.pid)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (word, number) in
            [("TERM", 15), ("sigterm", 15), ("9", 9), ("SIGKILL", 9), ("RTMIN+3", libc::SIGRTMIN() + 3), ("64", 64)]
        {
            assert_eq!(parse_signal(word).unwrap(), number, "{word}");
        }
        for bad in ["", "0", "65", "SIGNONE", "RTMIN+31", "-1", "TERM "] {
            assert!(parse_signal(bad).is_err(), "{bad}");
        }
    }
}
