//! Who may start, end or remove a container: one at a time.

use super::{checked_id, is_alive, live_state, record};
use crate::{Code, Error, Lock, Result, files, ident, paths, trace};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Longest wait for who has to record an end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the caller the one who starts, looks after or removes container `id`, until the lock is dropped by all who
/// hold its descriptor. `None` under `--dry-run`, where nothing is done.
///
/// # Errors
/// `busy` while its process runs, or another holds it.
pub fn hold(id: &str) -> Result<Option<Lock>> {
    let busy = |why: String| Err(Error::new(Code::Busy, format!("container {} {why}", ident::short(id))));
    if let Some(state) = live_state(checked_id(id)?)? {
        return match state.pid {
            Some(pid) => busy(format!("runs already, as process {pid}")),
            None => busy("is about to be started again".to_owned()),
        };
    }
    if trace::dry_run() {
        return Ok(None);
    }
    match Lock::try_exclusive(&paths::run_dir(id).join("run.lock"))? {
        Some(lock) => Ok(Some(lock)),
        None => busy("is being started or removed by another".to_owned()),
    }
}

/// Keeps a start and a change of a container's limits or networks from each other: both read the record, act on the kernel and write
/// the record back. Waits ten seconds at most.
///
/// # Errors
/// `not-found` for a container that is not there, for which no directory is made; `busy` where another takes longer than
/// that.
pub fn hold_limits(id: &str) -> Result<Lock> {
    let dir = paths::run_dir(checked_id(id)?);
    if !record::exists(id) {
        return Err(Error::new(Code::NotFound, format!("no container {}", ident::short(id))));
    }
    files::make_dir(&dir)?;
    let start = Instant::now();
    loop {
        if let Some(lock) = Lock::try_exclusive(&dir.join("update.lock"))? {
            return Ok(lock);
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::new(Code::Busy, format!("container {} is being started or changed", ident::short(id))));
        }
        sleep(Duration::from_millis(1));
    }
}

/// The same for who only looks whether another starts or changes it: `None` where one does, without waiting.
///
/// # Errors
/// The file system's.
pub fn try_hold_limits(id: &str) -> Result<Option<Lock>> {
    Lock::try_exclusive(&paths::run_dir(checked_id(id)?).join("update.lock"))
}

/// The same as [`hold`] for who removes what has ended: waits, ten seconds at most, for whoever is about to record the end.
///
/// # Errors
/// As [`hold`].
pub fn hold_ended(id: &str) -> Result<Option<Lock>> {
    let start = Instant::now();
    loop {
        let held = hold(id);
        let runs = live_state(id)?.is_some_and(|state| is_alive(&state) || state.status == "restarting");
        if held.is_ok() || runs || start.elapsed() > PATIENCE {
            return held;
        }
        sleep(Duration::from_millis(2));
    }
}
