//! The process with whose end a log ends.

use ctr_core::{Cannot, Code, Error, Result, State, container::Handle, paths};
use std::{fs, io::ErrorKind};

/// The supervisor of container `id`, which writes the log and restarts the container; or without one the container's
/// own process. `None` where neither runs: what the log has then is all.
///
/// This is not `container::live_state`: when the process is gone, its last words may still be on their way.
pub fn of(id: &str) -> Result<Option<Handle>> {
    let path = paths::run_dir(id).join("state.json");
    let text = match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.cannot(|| format!("read {}", path.display()))?,
    };
    let state: State = serde_json::from_slice(&text)
        .map_err(|e| Error::new(Code::Corrupt, format!("state {}: {e}", path.display())))?;
    if let Some(supervisor) = state.supervisor
        && let Some(handle) = Handle::of(supervisor)?
    {
        return Ok(Some(handle));
    }
    Handle::open(&state)
}
