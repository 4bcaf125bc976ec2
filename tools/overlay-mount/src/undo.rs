//! Takes the container away again: its mount, its writable layer, its name.

use crate::{mount, writable};
use ctr_core::{Document, Error, Result, Value, container, json, mountinfo::is_mounted, paths, trace};

/// Undoes one step. What is unmounted and removed derives from the id alone, never from a path in the document.
///
/// # Errors
/// `busy` while the container's process runs.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let Some(id) = container::step_id(doc, undo)? else { return Ok(()) };
    let hint = |e: Error| e.hint("stop it, or undo the later steps first");
    // Where its directory is gone there is nothing to hold, and nothing to make for it.
    let _held = if paths::run_dir(id).exists() { container::hold_ended(id).map_err(hint)? } else { None };
    let point = paths::run_dir(id).join("rootfs");
    if is_mounted(&point) {
        trace::act("unmount", || json!({"target": point}), || mount::unmount(&point))?;
    }
    if undo.get("claimed") == Some(&json!(true)) {
        writable::let_go(id)?;
        container::remove_begun(doc, id)?;
    } else {
        writable::unmount(id)?;
    }
    doc.remove("rootfs");
    let spec = doc.object("spec")?;
    spec.shift_remove("root");
    if spec.is_empty() {
        doc.remove("spec");
    }
    Ok(())
}
