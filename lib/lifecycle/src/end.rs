//! The end of a container's process, and the record of it by whoever looks after the container.

use crate::{Noted, Watch, freezer::parent, noted};
use ctr_core::{Lock, Process, Result, State, container, container::Handle, paths};
use std::time::{Duration, Instant};

/// Longest wait for a record of an end: who should write it may be stopped, or its disk slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where it is not known who that is.
const GRACE: Duration = Duration::from_secs(1);

/// Who looks after a running container and will record its end: its supervisor, or the ns-spawn in front, which holds
/// the lock of a running container. To be asked while the process of `state` runs.
pub fn keeper(id: &str, state: &State) -> Result<Option<Handle>> {
    if let Some(supervisor) = state.supervisor {
        return Handle::of(supervisor);
    }
    let (Some(pid), true) = (state.pid, is_held(id)?) else { return Ok(None) };
    let Some(ns_spawn) = parent(pid) else { return Ok(None) };
    let Some(pid_start) = container::process_start(ns_spawn) else { return Ok(None) };
    let handle = Handle::of(Process { pid: ns_spawn, pid_start })?;
    // While it is the parent still, its number has not become another's.
    Ok(handle.filter(|_| parent(pid) == Some(ns_spawn)))
}

/// The process of `state` has ended: waits until that is recorded, or `keeper` is gone. Bounded.
pub fn await_record(id: &str, state: &State, keeper: Option<&Handle>) -> Result<()> {
    let watch = Watch::new(id, false)?;
    let limit = if keeper.is_some() || is_held(id)? { PATIENCE } else { GRACE };
    let until = Instant::now() + limit;
    loop {
        watch.arm()?;
        // Asked before the record: what it wrote last is there then.
        let gone = keeper.is_some_and(|keeper| keeper.wait(Some(Duration::ZERO)).unwrap_or(true));
        let now = noted(id)?;
        let by_supervisor = matches!(now, Noted::Kept(_)) && container::last_exit(id)?.is_some();
        if !now.is_of(state) || by_supervisor {
            return Ok(());
        }
        let fds: Vec<_> = keeper.iter().map(|keeper| keeper.fd()).collect();
        if gone || !watch.wait(&fds, Some(until))? {
            return Ok(());
        }
    }
}

/// The same, and waits for a supervisor to be gone too; gives whether it is.
pub fn await_end(id: &str, state: &State, keeper: Option<&Handle>) -> Result<bool> {
    let Some(keeper) = keeper else { return Ok(true) };
    await_record(id, state, Some(keeper))?;
    if state.supervisor.is_some() { keeper.wait(Some(PATIENCE)) } else { Ok(true) }
}

/// Whether somebody holds the lock of a running container, who is about to start it, runs it, or is about to record
/// its end. The file is not made for the question.
pub fn is_held(id: &str) -> Result<bool> {
    let path = paths::run_dir(id).join("run.lock");
    Ok(path.exists() && Lock::try_exclusive(&path)?.is_none())
}
