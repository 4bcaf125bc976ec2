//! The processes that a container leaves where it has no PID namespace of its own, which would take them along.

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::{fs, os::fd::BorrowedFd};

/// Makes the orphans among this process's descendants its children (prctl(2), `PR_SET_CHILD_SUBREAPER`).
///
/// # Errors
/// The kernel's.
pub fn adopt_orphans() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Takes away the zombies of adopted orphans; `process` and the child numbered `keep` are waited for by others.
/// To be called when a child has ended (SIGCHLD).
pub fn reap_orphans(process: BorrowedFd<'_>, keep: Option<i32>) {
    let ended = |id| waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT);
    // The kernel gives one that ended, and the same one again until it is reaped. Once it is the container's own, the rest
    // is taken away at the end.
    while matches!(ended(Id::PIDFd(process)), Ok(WaitStatus::StillAlive)) {
        match ended(Id::All).ok().and_then(|status| status.pid()) {
            Some(pid) if Some(pid.as_raw()) != keep => drop(waitid(Id::Pid(pid), WaitPidFlag::WEXITED)),
            _ => return,
        }
    }
}

/// Kills every child of this process, and with [`adopt_orphans`] every descendant, until none is left.
///
/// A child that is not reaped keeps its number, so it is nobody else who is killed.
pub fn end_descendants() {
    let me = rustix::process::getpid().as_raw_nonzero();
    let list = format!("/proc/{me}/task/{me}/children");
    loop {
        let children = fs::read_to_string(&list).unwrap_or_default();
        let pids = children.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        for pid in pids {
            let _ = kill_process(pid, Signal::KILL);
        }
        // Each death may bring grandchildren. They are of any process group (wait4(2): -1, not 0).
        if wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}
