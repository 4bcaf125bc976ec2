//! Takes the container away again: its mount, its writable layer, its name.

use crate::mount;
use ctr_core::{Code, Document, Error, Result, Value, container, ident, json, paths, trace};

/// Undoes one step. What is unmounted and removed derives from the id alone, never from a path in the document.
///
/// # Errors
/// `busy` while the container's process runs.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let id = container::checked_id(undo.get("id").and_then(Value::as_str).unwrap_or_default())?;
    if let Some(state) = container::live_state(id)? {
        let pid = state.pid.unwrap_or_default();
        return Err(Error::new(Code::Busy, format!("container {} runs as process {pid}", ident::short(id)))
            .hint("stop it, or undo the later steps first"));
    }
    let point = paths::run_dir(id).join("rootfs");
    if mount::is_mounted(&point) {
        trace::act("unmount", || json!({"target": point}), || mount::unmount(&point))?;
    }
    if undo.get("claimed") == Some(&json!(true)) {
        container::remove(id)?;
        for key in ["id", "name", "created", "labels"] {
            doc.remove(key);
        }
    }
    doc.remove("rootfs");
    let spec = doc.object("spec")?;
    spec.shift_remove("root");
    if spec.is_empty() {
        doc.remove("spec");
    }
    Ok(())
}
