//! What tools that end a container begin with: its stop signal, and a supervisor that must not start it again.

use crate::{Noted, is_held, noted};
use ctr_core::{Code, Document, Error, Result, State, Value, container, container::Handle, ident};
use rustix::process::Signal;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Where the image's STOPSIGNAL and `--stop-signal` are kept (image-spec, conversion.md).
const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";
/// Longest wait for a supervisor that was told to give up, and for whoever holds the lock.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether a process is there after all.
const LOOK: Duration = Duration::from_millis(50);

/// The signal that asks the container to stop; TERM where its document has none, or none that exists.
pub fn stop_signal(doc: &Document) -> i32 {
    let annotations = doc.get("spec").and_then(|spec| spec.get("annotations"));
    let word = annotations.and_then(|a| a.get(STOP_SIGNAL)).and_then(Value::as_str);
    word.and_then(|word| container::parse_signal(word).ok()).unwrap_or(Signal::TERM.as_raw())
}

/// The process to be ended, if one runs or is just being started. A supervisor that waits to start the next is told to give up, and is gone
/// then. Call [`container::halt`] before, or it may start one after.
///
/// # Errors
/// `busy` where the supervisor does not end in ten seconds.
pub fn give_up(id: &str) -> Result<Option<State>> {
    let start = Instant::now();
    let mut told = false;
    loop {
        let state = match noted(id)? {
            Noted::Alive(state) => return Ok(Some(state)),
            Noted::Kept(state) => state,
            // One that is just being started, or whose end is just being recorded, is neither up nor down.
            _ if is_held(id)? && start.elapsed() < PATIENCE => {
                sleep(LOOK);
                continue;
            }
            Noted::Dead(_) | Noted::Nothing => return Ok(None),
        };
        let Some(supervisor) = state.supervisor.map(Handle::of).transpose()?.flatten() else { continue };
        if start.elapsed() > PATIENCE {
            let message = format!("the supervisor of container {} does not end", ident::short(id));
            return Err(Error::new(Code::Busy, message));
        }
        if state.status == "restarting" && !told {
            supervisor.signal(Signal::TERM.as_raw())?;
            told = true;
        }
        supervisor.wait(Some(LOOK))?;
    }
}
