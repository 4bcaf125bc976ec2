//! Ends the container's process and forgets it.

use crate::state;
use ctr_core::{Cannot, Code, Document, Error, Result, State, Value, container, ident, json, trace};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// Longest wait for a killed process: one in the kernel on a slow device takes its time.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Undoes one step: kills the process if it still is that process, forgets its state, gives the spec back as it
/// was, and removes the container if this step began it.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let id = container::checked_id(undo.get("id").and_then(Value::as_str).unwrap_or_default())?;
    if let Some(state) = container::live_state(id)? {
        trace::act("kill", || json!({"container": id, "pid": state.pid}), || kill(&state))?;
    }
    if !trace::dry_run() {
        state::forget(id)?;
    }
    doc.remove("state");
    match undo.get("spec").and_then(Value::as_object) {
        Some(before) if !before.is_empty() => before.clone_into(doc.object("spec")?),
        _ => {
            doc.remove("spec");
        }
    }
    if undo.get("claimed") == Some(&json!(true)) {
        container::remove(id)?;
        for key in ["id", "name", "created", "labels"] {
            doc.remove(key);
        }
    }
    Ok(())
}

/// Kills the process of `state` and waits until it is gone.
///
/// The descriptor is opened first and the start time compared after: what it leads to can then be no other process
/// that got the same number.
pub fn kill(state: &State) -> Result<()> {
    let Some(pid) = state.pid.and_then(Pid::from_raw) else { return Ok(()) };
    let what = || format!("kill process {}", pid.as_raw_nonzero());
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        other => other.cannot(what)?,
    };
    if !container::is_alive(state) {
        return Ok(());
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Err(Errno::SRCH) => return Ok(()),
        other => other.cannot(what)?,
    }
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE)) {
            Err(Errno::INTR) => {}
            Ok(0) => return Err(Error::new(Code::Busy, format!("cannot {}: it does not end", what()))),
            other => return other.map(drop).cannot(what),
        }
    }
}

/// How messages call a container.
pub fn named(id: &str) -> String {
    format!("container {}", ident::short(id))
}
