//! Ends the container's process and forgets it.

use ctr_core::{Document, Result, Value, container, events, ident, json, trace};
use ctr_lifecycle::freezer;
use std::time::Duration;

/// Undoes one step: kills the process if it still is that process, forgets its state, gives the spec back as it
/// was, and removes the container if this step began it.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let Some(id) = container::step_id(doc, undo)? else { return Ok(()) };
    if !trace::dry_run() {
        // In version 1 of cgroups a frozen process does not die.
        freezer::thaw(doc)?;
    }
    if end(id)? {
        events::emit("kill", doc, &json!({"signal": "9"}));
        events::emit("die", doc, &json!({"exitCode": 137}));
    }
    doc.remove("state");
    match undo.get("spec").and_then(Value::as_object) {
        Some(before) if !before.is_empty() => before.clone_into(doc.object("spec")?),
        _ => {
            doc.remove("spec");
        }
    }
    if undo.get("claimed") == Some(&json!(true)) {
        let _held = container::hold_to_remove(id)?;
        container::remove_begun(doc, id)?;
    }
    Ok(())
}

/// Longest wait for a killed supervisor.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives whether it ran. Ends the supervisor first, so that it starts nothing again and undoes nothing meanwhile; the process dies with it.
fn end(id: &str) -> Result<bool> {
    let live = container::live_state(id)?;
    if let Some(state) = &live {
        let what = || json!({"container": id, "pid": state.pid, "supervisor": state.supervisor});
        trace::act("kill", what, || {
            if let Some(supervisor) = state.supervisor.and_then(|process| container::Handle::of(process).transpose()) {
                let supervisor = supervisor?;
                supervisor.signal(libc::SIGKILL)?;
                // With it goes the lock that nobody else can hold meanwhile.
                supervisor.wait(Some(PATIENCE))?;
            }
            container::kill(state)
        })?;
    }
    if trace::dry_run() {
        return Ok(false);
    }
    container::forget_state(id)?;
    Ok(live.is_some())
}

/// How messages call a container.
pub fn named(id: &str) -> String {
    format!("container {}", ident::short(id))
}
