//! Who may start, end or remove a container: one at a time.

use super::{checked_id, claim::is_being_made, is_alive, live_state, record};
use crate::{Code, Error, Lock, Result, ident, paths, trace};
use serde::Deserialize;
use std::{
    fs,
    path::PathBuf,
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
    let path = update_lock(checked_id(id)?);
    let start = Instant::now();
    loop {
        // Each time: it may be another's removal that is waited for.
        if !record::exists(id) {
            return Err(Error::new(Code::NotFound, format!("no container {}", ident::short(id))));
        }
        if let Some(lock) = Lock::try_exclusive(&path)? {
            if record::exists(id) {
                return Ok(lock);
            }
            // Removed at this moment, and what the lock is in made anew.
            let _ = fs::remove_file(&path).and_then(|()| fs::remove_dir(paths::run_dir(id)));
            continue;
        }
        wait(id, start)?;
    }
}

/// The same without waiting for another who starts or changes it: `None` where one does. Who only looks ([`are_limits_held`])
/// is none, and is waited for.
///
/// # Errors
/// The file system's; `busy` as [`hold_limits`].
pub fn try_hold_limits(id: &str) -> Result<Option<Lock>> {
    let path = update_lock(checked_id(id)?);
    let start = Instant::now();
    loop {
        if let Some(lock) = Lock::try_exclusive(&path)? {
            return Ok(Some(lock));
        }
        if Lock::is_exclusive(&path)? {
            return Ok(None);
        }
        wait(id, start)?;
    }
}

/// Whether somebody starts the container, or changes its limits or networks, at this moment; nothing is made for the look.
///
/// # Errors
/// The file system's.
pub fn are_limits_held(id: &str) -> Result<bool> {
    Lock::is_exclusive(&update_lock(checked_id(id)?))
}

fn update_lock(id: &str) -> PathBuf {
    paths::run_dir(id).join("update.lock")
}

/// For the next try, since `start`.
fn wait(id: &str, start: Instant) -> Result<()> {
    if start.elapsed() > PATIENCE {
        return Err(Error::new(Code::Busy, format!("container {} is being started or changed", ident::short(id))));
    }
    sleep(Duration::from_millis(1));
    Ok(())
}

/// What nobody else starts, changes or removes while it is kept: both locks, the latter only of one that does not run.
pub type Kept = (Lock, Option<Lock>);

/// Keeps everybody else from starting, changing and removing container `id`, for who removes it: waits, ten seconds at most, for who
/// does. One that runs is kept where it is to be killed (`force`), once its record says what was started.
///
/// # Errors
/// As [`hold`] and [`hold_limits`].
pub fn keep(id: &str, force: bool) -> Result<Kept> {
    let start = Instant::now();
    loop {
        // Both or none: who starts it has the one and waits for the other, in either order.
        let change = hold_limits(id)?;
        match hold(id) {
            Ok(held) => return Ok((change, held)),
            Err(e) if start.elapsed() > PATIENCE || (!force && runs(id)?) => return Err(e),
            // The state is there before the record: of that of before the process is not named, and would run on.
            Err(_) if force && live_state(id)?.is_some() && record::is_complete(&record::recorded(id)?) => {
                return Ok((change, None));
            }
            Err(_) => drop(change),
        }
        sleep(Duration::from_millis(2));
    }
}

/// Keeps everybody else from changing or removing container `id` while a tool of the pipe adds to it and records that.
///
/// # Errors
/// As [`hold_limits`]; `busy` for one that is being removed.
pub fn join(id: &str) -> Result<Lock> {
    let change = hold_limits(id)?;
    let record: Partial = record::recorded_as(id)?;
    // The tool that begins it may run this one.
    if record.partial && !is_being_made(id) {
        return Err(record::removed(id));
    }
    Ok(change)
}

/// Of a record whether it is whole, and no more.
#[derive(Deserialize)]
struct Partial {
    #[serde(default)]
    partial: bool,
}

fn runs(id: &str) -> Result<bool> {
    Ok(live_state(id)?.is_some_and(|state| is_alive(&state) || state.status == "restarting"))
}

/// The same as [`hold`] for who removes what has ended: waits, ten seconds at most, for whoever is about to record the end.
///
/// # Errors
/// As [`hold`].
pub fn hold_ended(id: &str) -> Result<Option<Lock>> {
    let start = Instant::now();
    loop {
        let held = hold(id);
        if held.is_ok() || runs(id)? || start.elapsed() > PATIENCE {
            return held;
        }
        sleep(Duration::from_millis(2));
    }
}
