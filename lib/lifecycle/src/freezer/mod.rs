//! Freezing and thawing a container: all its processes in one control group, and that group stopped (cgroups(7)).

mod members;
mod place;

use crate::{Noted, noted};
use ctr_cgroup::{Group, Mark};
use ctr_core::{Code, Document, Error, Lock, Result, State, container, paths};
pub(crate) use members::parent;
use place::Place;
use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

/// Longest wait for the processes to stand still: one in the kernel on a slow device takes its time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often processes are gathered that were not there the last time.
const PASSES: usize = 50;

/// The lock that orders changes of a running container's status. The run lock is its supervisor's for all its life.
pub fn lock(id: &str) -> Result<Lock> {
    Lock::exclusive(&paths::run_dir(container::checked_id(id)?).join("pause.lock"))
}

/// Whether the container is paused: so says its state, or the kernel, should a ctr-pause have been killed between.
pub fn is_paused(doc: &Document, state: &State) -> bool {
    state.status == "paused" || Place::find(doc).is_some_and(|place| place.group.is_freezing())
}

/// Freezes every process of the container and notes that in its state.
///
/// # Errors
/// `exists` where it is paused; `busy` where the processes do not stand still in ten seconds, or the first of them
/// ended meanwhile: all is as before then. `unsupported` without a freezer.
pub fn freeze(doc: &Document) -> Result<()> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let _lock = lock(id)?;
    let Noted::Alive(state) = noted(id)? else { return Err(gone()) };
    if state.status == "paused" {
        return Err(Error::new(Code::Exists, "it is paused already"));
    }
    let pid = state.pid.unwrap_or_default();
    let Place { group, ours } = Place::make(doc)?;
    let frozen = gather(&group, pid)
        .and_then(|()| group.set_frozen(true))
        // Who came in meanwhile. A process that enters a frozen group freezes.
        .and_then(|()| gather(&group, pid))
        .and_then(|()| stand_still(&group))
        .and_then(|()| note(id, "paused").and_then(|noted| if noted { Ok(()) } else { Err(gone()) }));
    if frozen.is_err() {
        let _ = group.set_frozen(false);
        release(&group, ours, &state);
    }
    frozen
}

/// Thaws the container and notes that it runs; its processes go back to the group of whoever looks after it, and the
/// group that was made for them goes. Does nothing where nothing is frozen: to be called before a container is
/// killed (a frozen process of cgroup v1 does not die), and when it is removed.
pub fn thaw(doc: &Document) -> Result<()> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let place = Place::find(doc).filter(|place| place.ours || place.group.is_freezing());
    let is_noted = matches!(noted(id)?, Noted::Alive(state) if state.status == "paused");
    if place.is_none() && !is_noted {
        return Ok(());
    }
    let _lock = lock(id)?;
    if let Some(Place { group, ours }) = &place {
        group.set_frozen(false)?;
        match noted(id)? {
            Noted::Alive(state) | Noted::Kept(state) | Noted::Dead(state) => release(group, *ours, &state),
            Noted::Nothing if *ours => drop(group.remove()),
            Noted::Nothing => {}
        }
    }
    if is_noted { note(id, "running").map(drop) } else { Ok(()) }
}

/// What crashes left: groups made for freezing that nobody is in, of containers that are gone. Gives those removed.
pub fn gc() -> Vec<PathBuf> {
    let own = Mark::own();
    let gone = place::made().into_iter().filter(|(id, group)| {
        container::is_gone(id) && Mark::of(&group.dir()).is_some_and(|mark| mark.is_of_root(&own))
    });
    gone.filter(|(_, group)| group.remove().unwrap_or(false)).map(|(_, group)| group.dir()).collect()
}

/// Gives the process that runs this status; gives whether there is one.
fn note(id: &str, status: &str) -> Result<bool> {
    container::update_state(id, |state| status.clone_into(&mut state.status))
}

/// Moves every process of the container into the group, until a look finds none outside of it.
fn gather(group: &Group, pid: i32) -> Result<()> {
    for _ in 0..PASSES {
        let inside = group.processes();
        let outside: Vec<i32> = members::of(pid)?.difference(&inside).copied().collect();
        if outside.is_empty() {
            return Ok(());
        }
        outside.into_iter().try_for_each(|pid| group.take(pid))?;
    }
    Err(Error::new(Code::Busy, "it has ever new processes"))
}

fn stand_still(group: &Group) -> Result<()> {
    let start = Instant::now();
    while !group.is_frozen() {
        if start.elapsed() > PATIENCE {
            return Err(Error::new(Code::Busy, "a process of it does not stop").hint("it may be waiting for a device"));
        }
        sleep(Duration::from_millis(2));
        // In version 1 a process that was forked meanwhile is only noticed by the next write.
        group.set_frozen(true)?;
    }
    Ok(())
}

/// A group made for freezing goes; who is in it goes to the group of the supervisor or parent. Best effort: where
/// that cannot take them they stay, and the group goes when the container does.
fn release(group: &Group, ours: bool, state: &State) {
    if !ours {
        return;
    }
    let ancestor = || parent(state.pid.filter(|_| container::is_alive(state))?);
    let keeper = state.supervisor.map(|s| s.pid).or_else(ancestor);
    for _ in 0..PASSES {
        let inside = group.processes();
        // One that was just being forked may be there after all.
        if inside.is_empty() && group.remove().is_ok() {
            return;
        }
        let Some(home) = keeper.and_then(|pid| group.of(pid)) else { return };
        if inside.into_iter().any(|pid| home.take(pid).is_err()) {
            return;
        }
    }
}

fn gone() -> Error {
    Error::new(Code::Busy, "its process has ended")
}
