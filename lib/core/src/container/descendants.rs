//! The processes that a container leaves where it has no PID namespace of its own, which would take them along.

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::{
    fs,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Makes the orphans among this process's descendants its children (prctl(2), `PR_SET_CHILD_SUBREAPER`).
///
/// # Errors
/// The kernel's.
pub fn adopt_orphans() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Takes away the zombies of adopted orphans; those numbered `keep`, the container's process first of all, are children that
/// others wait for. To be called when a child has ended (SIGCHLD).
pub fn reap_orphans(keep: &[i32]) {
    // The kernel names one that has ended, and the same one again until it is reaped. Where that is one to keep, its end is
    // what comes next, and the others after it.
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Some(pid) = waitid(Id::All, ended).ok().and_then(|status| status.pid()) {
        if keep.contains(&pid.as_raw()) {
            return;
        }
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED);
    }
}

/// The number of the process that a descriptor is of (pidfd_open(2)); none once it was waited for.
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    (pid > 0).then_some(pid)
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
