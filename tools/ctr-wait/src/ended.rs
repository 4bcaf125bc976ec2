//! The end of a container's process, and the end of the container.

use crate::{exit_code, waiting::Waiting};
use ctr_core::{Result, State, container::Handle};
use ctr_lifecycle::{Noted, await_record, keeper};

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of the process that runs; none does: at once. docker's default.
    NotRunning,
    /// The last: no restart policy brings it back.
    Exited,
    /// The next, be it of a process that is not there yet.
    Next,
}

/// Waits for it; gives the exit status.
pub fn wait(waiting: &Waiting<'_>, which: Which) -> Result<u8> {
    let mut process: Option<(State, Option<Handle>)> = None;
    waiting.until(|now| {
        if waiting.is_removed() {
            return Ok(Some(exit_code::of_removed(&waiting.id, process.is_some())));
        }
        if let Noted::Alive(state) = now {
            let same = |(p, _): &(State, _)| (p.pid, p.pid_start) == (state.pid, state.pid_start);
            if process.as_ref().is_some_and(same) {
                return Ok(None);
            }
            let missed = process.replace((state.clone(), keeper(&waiting.id, state)?)).is_some();
            return if missed && which != Which::Exited { exit_code::of(waiting).map(Some) } else { Ok(None) };
        }
        let ran = process.take();
        match (&ran, now) {
            (Some((state, keeper)), _) => await_record(&waiting.id, state, keeper.as_ref())?,
            (None, Noted::Dead(state)) if which != Which::Next => await_record(&waiting.id, state, None)?,
            _ => {}
        }
        let rests = waiting.is_removed() || waiting.rests()?;
        let ended = match which {
            Which::NotRunning => ran.is_some() || rests,
            Which::Exited => rests && (ran.is_some() || waiting.is_removed() || waiting.has_run()?),
            Which::Next => ran.is_some(),
        };
        match (ended, waiting.is_removed()) {
            (false, _) => Ok(None),
            (true, false) => exit_code::of(waiting).map(Some),
            (true, true) => Ok(Some(exit_code::of_removed(&waiting.id, true))),
        }
    })
}

/// Waits for the container's removal; gives the exit status of its last process.
pub fn wait_removed(waiting: &Waiting<'_>) -> Result<u8> {
    let mut ran = false;
    let mut last = None;
    waiting.until(|now| {
        if waiting.is_removed() {
            return Ok(Some(last.unwrap_or_else(|| exit_code::of_removed(&waiting.id, ran))));
        }
        if matches!(now, Noted::Alive(_)) {
            (ran, last) = (true, None);
        } else if let Ok(Some(code)) = exit_code::recorded(waiting) {
            // Kept: a removal takes the status from the record before it takes the record.
            last = Some(code);
        }
        Ok(None)
    })
}
