//! Looks after one detached container: reads its streams into its log and to those who attach, and when its process
//! has ended says so and does what is to be done then.
//!
//! `ns-spawn` starts the container's process and becomes this program, so that the process is its child and every
//! descriptor is at hand. It sleeps in poll(2) without a time-out unless a health check is due.

mod clients;
mod end;
mod health;
mod input;
mod output;
mod watch;

use clap::Args;
use ctr_core::{Cannot, Code, Error, HealthCheck, LogLimits, Result, container};
use rustix::{fs::OFlags, io::FdFlags};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

/// The tool's name.
pub const NAME: &str = "ctr-supervise";
/// The first line of its help.
pub const ABOUT: &str = "Look after a detached container: run by ns-spawn, by nobody else";

/// The arguments of ctr-supervise(1): what `ns-spawn` hands over.
#[derive(Args, Debug)]
pub struct CtrSupervise {
    /// The container's id
    #[arg(value_name = "ID")]
    id: String,
    /// Descriptor of the container's process, a child of this one (pidfd_open(2))
    #[arg(long, value_name = "FD")]
    process: i32,
    /// Descriptor of the socket that serves attach
    #[arg(long, value_name = "FD")]
    listen: i32,
    /// Descriptor of the lock that the container's start is held by
    #[arg(long, value_name = "FD")]
    lock: Option<i32>,
    /// Descriptor to read its stdout from
    #[arg(long, value_name = "FD")]
    out: Option<i32>,
    /// Descriptor to read its stderr from
    #[arg(long, value_name = "FD")]
    err: Option<i32>,
    /// Descriptor to write its stdin to
    #[arg(long = "in", value_name = "FD")]
    input: Option<i32>,
    /// Descriptor of its terminal, instead of all three
    #[arg(long, value_name = "FD", conflicts_with_all = ["out", "err", "input"])]
    terminal: Option<i32>,
    /// Bytes after which a file of the log is full
    #[arg(long, value_name = "BYTES", default_value_t = LogLimits::default().max_size)]
    max_size: u64,
    /// Files of the log that are kept; 0: no log
    #[arg(long, value_name = "N", default_value_t = LogLimits::default().max_file)]
    max_file: u32,
    /// Read nothing of what it writes until somebody attaches
    #[arg(long)]
    hold: bool,
    /// The health check, as the document has it
    #[arg(long, value_name = "JSON")]
    health: Option<String>,
    /// The container's control group
    #[arg(long, value_name = "PATH")]
    group: Option<PathBuf>,
}

/// What was handed over, as what it is.
struct Charge {
    id: String,
    process: OwnedFd,
    /// Its number, for it is a child that is not waited for yet.
    pid: Option<i32>,
    listen: OwnedFd,
    /// Freed by the kernel with this process, whatever ends it.
    lock: Option<OwnedFd>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    input: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    limits: LogLimits,
    hold: bool,
    health: Option<HealthCheck>,
    group: Option<PathBuf>,
}

/// Looks after the container until its process has ended and nothing is left to do.
///
/// # Errors
/// `invalid` where a descriptor that was named is not open.
pub fn run(args: CtrSupervise) -> Result<()> {
    let charge = Charge::of(args)?;
    let ended = watch::watch(charge)?;
    end::end(ended)
}

impl Charge {
    fn of(args: CtrSupervise) -> Result<Self> {
        container::checked_id(&args.id)?;
        let optional = |number: Option<i32>| number.map(take).transpose();
        let health = match &args.health {
            Some(text) => {
                Some(serde_json::from_str(text).map_err(|e| Error::new(Code::Invalid, format!("health check: {e}")))?)
            }
            None => None,
        };
        let process = take(args.process)?;
        Ok(Self {
            pid: container::pid_of(process.as_fd()),
            process,
            listen: take(args.listen)?,
            lock: optional(args.lock)?,
            out: optional(args.out)?,
            err: optional(args.err)?,
            input: optional(args.input)?,
            terminal: optional(args.terminal)?,
            limits: LogLimits { max_size: args.max_size, max_file: args.max_file },
            hold: args.hold,
            health,
            group: args.group,
            id: args.id,
        })
    }
}

/// A descriptor that was passed on: ours alone from here on, and never to be waited for.
fn take(number: i32) -> Result<OwnedFd> {
    let what = || format!("use descriptor {number}");
    let fd = ctr_core::take_fd(number)
        .ok_or_else(|| Error::new(Code::Invalid, format!("descriptor {number} is not open")))?;
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC).cannot(what)?;
    let flags = rustix::fs::fcntl_getfl(&fd).cannot(what)?;
    // A pidfd and a regular file take the flag and make nothing of it.
    let _ = rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK);
    Ok(fd)
}
