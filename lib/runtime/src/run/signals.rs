//! Signals of the tool while a container runs: blocked, read from a descriptor, passed on.

use crate::sys;
use ctr_core::{Cannot, Result};
use nix::sys::{
    signal::{SigSet, SigmaskHow, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use std::{
    ffi::c_int,
    os::fd::{AsFd, BorrowedFd},
};

/// Signals blocked and readable; what was before comes back when this is dropped.
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks every signal and opens the descriptor. Who ignores one (nohup(1)) is not asked to pass it on.
    ///
    /// SIGTTIN stays as it is: a job in the background that reads from its terminal is stopped until it is in the
    /// foreground; with the signal blocked it would read an error (termios(3)).
    pub fn take() -> Result<Self> {
        let mut before = SigSet::empty();
        let mut wanted = SigSet::all();
        wanted.remove(nix::sys::signal::SIGTTIN);
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&wanted), Some(&mut before)).cannot(|| "block signals")?;
        for signal in [nix::sys::signal::SIGHUP, nix::sys::signal::SIGINT, nix::sys::signal::SIGQUIT] {
            if sys::is_ignored(signal as c_int) {
                wanted.remove(signal);
            }
        }
        let fd = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .cannot(|| "open a signal descriptor")?;
        Ok(Self { fd, before })
    }

    /// The next signal that is pending.
    pub fn next(&self) -> Result<Option<c_int>> {
        let signal = self.fd.read_signal().cannot(|| "read a signal")?;
        Ok(signal.map(|info| info.ssi_signo as c_int))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// Keeps the signals that would end this tool from doing so until it has cleaned up: those that come while the
/// container runs are passed on to it, one that comes later waits for ever.
pub fn hold_back() -> Result<()> {
    let mut deadly = SigSet::empty();
    for signal in
        [nix::sys::signal::SIGHUP, nix::sys::signal::SIGINT, nix::sys::signal::SIGQUIT, nix::sys::signal::SIGTERM]
    {
        deadly.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&deadly), None).cannot(|| "block signals")
}

/// Whether `signal` ends a tool that is still starting its container.
pub fn is_deadly(signal: c_int) -> bool {
    matches!(signal, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
}

/// Whether `signal` is for the container: not those about our own children, pipes and terminal.
pub fn is_forwarded(signal: c_int) -> bool {
    !matches!(
        signal,
        libc::SIGCHLD | libc::SIGPIPE | libc::SIGURG | libc::SIGWINCH | libc::SIGTTIN | libc::SIGTTOU | libc::SIGTSTP
    )
}

/// In the child, before execve(2): nothing of the tool's handling is left.
pub fn reset() -> Result<()> {
    sys::default_signals();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).cannot(|| "unblock signals")
}
