//! What the run directory says of a container's process, be that process alive or not.

use ctr_core::{Result, State, container};

/// What stands in `state.json`.
#[derive(Debug)]
pub enum Noted {
    /// The process runs.
    Alive(State),
    /// It does not, but its supervisor is there: to record the end, or to start it again.
    Kept(State),
    /// It does not, and nobody has taken the note away yet.
    Dead(State),
    /// Nothing: no process since the last end was recorded.
    Nothing,
}

/// Reads the note and asks the kernel whether it is true.
///
/// # Errors
/// `corrupt` where the note is no state.
pub fn noted(id: &str) -> Result<Noted> {
    let Some(state) = container::last_state(id)? else { return Ok(Noted::Nothing) };
    Ok(if container::is_alive(&state) {
        Noted::Alive(state)
    } else if state.supervisor.is_some_and(container::is_running) {
        Noted::Kept(state)
    } else {
        Noted::Dead(state)
    })
}

impl Noted {
    /// Whether this is a note of the same process as `state`, and of no later one.
    pub(crate) fn is_of(&self, state: &State) -> bool {
        match self {
            Self::Alive(now) | Self::Kept(now) | Self::Dead(now) => {
                (now.pid, now.pid_start) == (state.pid, state.pid_start) && now.status != "restarting"
            }
            Self::Nothing => false,
        }
    }
}
