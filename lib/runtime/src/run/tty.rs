//! The terminal of the tool: which one it is, its raw mode, its size.

use super::Options;
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fs::{Mode, OFlags},
    termios::{OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The user's terminal; `None` where the container has none, or has one but its stdin is not the user's.
///
/// With the document on stdin it is that of fd 2, 1, then /dev/tty (`ctr-document(5)`); else stdin.
///
/// # Errors
/// If the user's keys are wanted (`-i -t`) and there is no terminal to get them from.
pub fn find(options: &Options) -> Result<Option<OwnedFd>> {
    if !options.tty || !options.relayed {
        return Ok(None);
    }
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let standard: &[BorrowedFd<'_>] =
        if options.stdin_is_document { &[stderr.as_fd(), stdout.as_fd()] } else { &[stdin.as_fd()] };
    for fd in standard {
        if isatty(fd) && rustix::fs::fcntl_getfl(fd).is_ok_and(|f| !f.contains(OFlags::WRONLY)) {
            return rustix::io::fcntl_dupfd_cloexec(fd, 3).map(Some).cannot(|| "duplicate a descriptor");
        }
    }
    if options.stdin_is_document
        && let Ok(tty) = rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
    {
        return Ok(Some(tty));
    }
    if options.interactive {
        return Err(Error::new(Code::Invalid, "the input device is not a terminal")
            .hint("leave out -t, or run the tool in a terminal"));
    }
    Ok(None)
}

/// The size of a terminal, if it tells.
pub fn size(tty: &OwnedFd) -> Option<Winsize> {
    tcgetwinsize(tty).ok().filter(|s| s.ws_row > 0 && s.ws_col > 0)
}

/// A terminal in raw mode: every key goes to the container's own terminal, which edits, echoes and signals.
/// Dropping it brings the old mode back.
pub struct Raw<'a> {
    tty: &'a OwnedFd,
    before: Termios,
}

impl<'a> Raw<'a> {
    /// Enters raw mode.
    pub fn enter(tty: &'a OwnedFd) -> Result<Self> {
        let before = tcgetattr(tty).cannot(|| "read the mode of the terminal")?;
        let raw = Self { tty, before };
        raw.again()?;
        Ok(raw)
    }

    /// Enters it again, after the tool was stopped and went on.
    pub fn again(&self) -> Result<()> {
        let mut mode = self.before.clone();
        mode.make_raw();
        tcsetattr(self.tty, OptionalActions::Drain, &mode).cannot(|| "set the mode of the terminal")
    }

    /// Leaves it, for the time that the tool is stopped.
    pub fn leave(&self) {
        let _ = tcsetattr(self.tty, OptionalActions::Drain, &self.before);
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
