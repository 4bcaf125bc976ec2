//! While the container runs: its end, the signals for it, and the bytes that are relayed or copied.
//!
//! A pipe or socket is the container's own, and no byte of it comes by here.

use super::{
    Exit,
    copies::Copies,
    relay::Relay,
    signals::{Signals, is_deadly, is_forwarded},
    tty::{self, Raw},
};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result, container};
use rustix::{
    fs::OFlags,
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Both terminals: the container's, and the user's if there is one.
pub struct Terminal<'a> {
    /// Our end of the container's.
    pub master: OwnedFd,
    /// The user's: its size counts, and its keys where `keys` says so.
    pub user: Option<&'a OwnedFd>,
    /// Whether the user's keys go to the container.
    pub keys: bool,
}

/// Waits for the process behind `pidfd` to end; passes signals on, and bytes where there is a terminal.
pub fn watch(pidfd: BorrowedFd<'_>, signals: &Signals, terminal: Option<Terminal<'_>>, copies: Copies) -> Result<Exit> {
    let Some(terminal) = terminal else { return watch_plain(pidfd, signals, copies) };
    let Terminal { master, user, keys } = terminal;
    rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).cannot(|| "set up the terminal")?;
    let raw = user.filter(|_| keys).map(Raw::enter).transpose()?;
    resize(&master, user);
    let keys = user.filter(|_| keys);
    let mut relay = Relay::new(master, keys);
    loop {
        let ready = relay.poll(pidfd, signals)?;
        if ready.signal {
            while let Some(signal) = signals.next()? {
                match signal {
                    libc::SIGWINCH => relay.master().into_iter().for_each(|m| resize(m, user)),
                    libc::SIGTSTP => {
                        raw.iter().for_each(Raw::leave);
                        stop_self();
                        raw.iter().try_for_each(Raw::again)?;
                        relay.master().into_iter().for_each(|m| resize(m, user));
                    }
                    libc::SIGCHLD => reap_orphans(pidfd),
                    _ => forward(pidfd, signal),
                }
            }
        }
        relay.step(&ready);
        if ready.ended {
            relay.drain(signals)?;
            return reap(pidfd);
        }
    }
}

fn watch_plain(pidfd: BorrowedFd<'_>, signals: &Signals, mut copies: Copies) -> Result<Exit> {
    let mut told_to_end = false;
    while !copies.done() && !told_to_end {
        let news = copies.turn(pidfd, signals)?;
        if news.signal {
            while let Some(signal) = signals.next()? {
                // A stdout that takes no more must not keep a tool that was told to end.
                told_to_end |= copies.ended() && is_deadly(signal);
                if signal == libc::SIGCHLD {
                    reap_orphans(pidfd);
                }
                forward(pidfd, signal);
                if signal == libc::SIGTSTP {
                    // The container is in a session of its own, out of reach of the terminal's Ctrl-Z.
                    let _ = container::pidfd_signal(pidfd, signal);
                    stop_self();
                }
            }
        }
        if news.ended {
            copies.end();
        }
    }
    let exit = reap(pidfd)?;
    // The command has not seen that what it wrote is lost.
    let code = if copies.failed() && exit.code == 0 { 125 } else { exit.code };
    Ok(Exit { code, ..exit })
}

/// Orphans whose namespace has no init of its own are this process's to wait for.
fn reap_orphans(pidfd: BorrowedFd<'_>) {
    if let Some(pid) = container::pid_of(pidfd) {
        container::reap_orphans(&[pid]);
    }
}

fn forward(pidfd: BorrowedFd<'_>, signal: i32) {
    if is_forwarded(signal) {
        let _ = container::pidfd_signal(pidfd, signal); // it may be gone: its end is what comes next
    }
}

fn stop_self() {
    let _ = sys::kill(rustix::process::getpid().as_raw_nonzero().get(), libc::SIGSTOP);
}

/// How the child ended; takes its zombie away.
pub fn reap(pidfd: BorrowedFd<'_>) -> Result<Exit> {
    loop {
        match waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e).cannot(|| "wait for the container's process"),
            Ok(None) => return Err(Error::new(Code::Internal, "the container's process has no status")),
            Ok(Some(status)) => {
                let signal = status.terminating_signal();
                let code = signal.map_or_else(|| status.exit_status().unwrap_or(1), |s| 128 + s);
                return Ok(Exit { code: code as u8, signal });
            }
        }
    }
}

fn resize(master: &OwnedFd, user: Option<&OwnedFd>) {
    if let Some(size) = user.and_then(tty::size) {
        let _ = rustix::termios::tcsetwinsize(master, size);
    }
}
