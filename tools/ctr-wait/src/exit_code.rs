//! The exit status of a container's last process, wherever it is written.

use crate::waiting::Waiting;
use ctr_core::{Result, State, Value, container, events};
use std::fs;

/// What docker shows of a process whose end nobody saw.
const UNSEEN: u8 = 255;

/// As docker has it: 0 for a container that was never started, 255 where nobody saw the end.
pub fn of(waiting: &Waiting<'_>) -> Result<u8> {
    if let Some(code) = recorded(waiting)? {
        return Ok(code);
    }
    let ran = waiting.has_run()?;
    Ok(died_with(&waiting.id).filter(|_| ran).unwrap_or(if ran { UNSEEN } else { 0 }))
}

/// The one that is written in the container's directory.
pub fn recorded(waiting: &Waiting<'_>) -> Result<Option<u8>> {
    if let Some(code) = container::last_exit(&waiting.id)?.and_then(|state| state.exit_code) {
        return Ok(Some(code));
    }
    Ok(waiting.document()?.section::<State>("state")?.and_then(|state| state.exit_code))
}

/// Of a container that is gone: its supervisor removed it (`--rm`) before this process could look.
pub fn of_removed(id: &str, ran: bool) -> u8 {
    died_with(id).unwrap_or(if ran { UNSEEN } else { 0 })
}

/// From its last event `die`.
fn died_with(id: &str) -> Option<u8> {
    events::files().iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let events = text.lines().rev().filter(|line| line.contains(id));
        let mut events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let die = events.find(|event| event["action"] == "die" && event["id"] == id)?;
        let code = &die["attributes"]["exitCode"];
        code.as_u64().or_else(|| code.as_str()?.parse().ok()).and_then(|code| u8::try_from(code).ok())
    })
}
