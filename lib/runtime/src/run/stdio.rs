//! stdin, stdout and stderr of the process.

use super::Streams;
use ctr_core::{Cannot, Result};
use rustix::fs::Uid;
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

/// `f_type` of pipes (`PIPEFS_MAGIC` of `<linux/magic.h>`).
const PIPEFS: i64 = 0x5049_5045;

/// Gives the process its three descriptors: the terminal; or `streams`, else the tool's own. `null`, where it is given,
/// is stdin, and what `streams` lacks.
///
/// Without a terminal there is no copy between: a half-closed pipe is seen as one at the other end.
pub fn set_up(terminal: Option<&OwnedFd>, streams: Option<&Streams>, null: Option<&OwnedFd>, uid: u32) -> Result<()> {
    if let Some(terminal) = terminal {
        let what = || "connect the terminal";
        rustix::process::ioctl_tiocsctty(terminal).cannot(|| "take the terminal as controlling terminal")?;
        rustix::stdio::dup2_stdin(terminal).cannot(what)?;
        rustix::stdio::dup2_stdout(terminal).cannot(what)?;
        return rustix::stdio::dup2_stderr(terminal).cannot(what);
    }
    if let Some(stdin) = streams.and_then(|s| s.stdin.as_ref()).or(null) {
        rustix::stdio::dup2_stdin(stdin).cannot(|| "connect stdin")?;
    }
    if let Some(streams) = streams {
        if let Some(stdout) = streams.stdout.as_ref().or(null) {
            rustix::stdio::dup2_stdout(stdout).cannot(|| "connect stdout")?;
        }
        if let Some(stderr) = streams.stderr.as_ref().or(null) {
            rustix::stdio::dup2_stderr(stderr).cannot(|| "connect stderr")?;
        }
    }
    if uid != 0 {
        // A pipe is opened anew by who opens /dev/stdout, as log files linked there are: let the user do it. A file
        // or terminal of the caller's keeps its owner.
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        for fd in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            if rustix::fs::fstatfs(fd).is_ok_and(|fs| fs.f_type == PIPEFS) {
                let _ = rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), None);
            }
        }
    }
    Ok(())
}
