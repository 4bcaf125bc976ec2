//! A process that stays when the tool goes.

use super::channel::{Channel, Message};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result};
use rustix::process::{Pid, WaitOptions, waitpid};

/// Runs `f` in a process of a session of its own, out of reach of the caller's terminal; returns once `f` has become
/// another program (execve(2)), which every descriptor that matters is passed to.
///
/// # Errors
/// What `f` gives: it returns only to say why it could not.
pub fn detached(f: impl FnOnce() -> Error) -> Result<()> {
    let (ours, theirs) = Channel::pair()?;
    let pid = sys::fork().cannot(|| "start a process")?;
    if pid == 0 {
        drop(ours);
        let began = rustix::process::setsid().cannot(|| "begin a session");
        theirs.fail(&began.map_or_else(|e| e, |_| f()));
        sys::exit(125);
    }
    drop(theirs);
    match ours.next()? {
        Message::End => Ok(()),
        other => {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
            match other {
                Message::Failed(error) => Err(error),
                _ => Err(Error::new(Code::Internal, "message of the detached process is none")),
            }
        }
    }
}
