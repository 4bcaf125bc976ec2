//! Ends what is in a container's groups, removes them, and gives the document back as it was.

use ctr_cgroup::{Groups, is_group_path, path_of};
use ctr_core::{Document, Map, Result, Value, container, json};
use std::path::{Path, PathBuf};

/// What of `spec.linux` this tool changes.
const KEYS: [&str; 3] = ["cgroupsPath", "resources", "devices"];

/// That, as it was.
pub fn before(linux: Option<&Value>) -> Map<String, Value> {
    let has = |key: &&str| Some((String::from(*key), linux?.get(*key)?.clone()));
    KEYS.iter().filter_map(has).collect()
}

/// Undoes one step.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let Some(id) = container::step_id(doc, undo)? else { return Ok(()) };
    let claimed = undo.get("claimed") == Some(&json!(true));
    // Before anything is ended: the container may not go while others need it.
    let _held = if claimed { container::hold_to_remove(id)? } else { None };
    let parent = Path::new(undo.get("parent").and_then(Value::as_str).unwrap_or_default());
    Groups::at(&path(doc, parent, id))?.end()?;
    doc.remove("cgroup");
    let spec = doc.object("spec")?;
    if let Some(linux) = spec.get_mut("linux").and_then(Value::as_object_mut) {
        for key in KEYS {
            match undo.get("before").and_then(|before| before.get(key)) {
                Some(before) => drop(linux.insert(key.to_owned(), before.clone())),
                None => drop(linux.shift_remove(key)),
            }
        }
        if linux.is_empty() {
            spec.shift_remove("linux");
        }
    }
    if spec.is_empty() {
        doc.remove("spec");
    }
    if claimed {
        container::remove_begun(doc, id)?;
    }
    Ok(())
}

/// The groups' path, made of the parent and the id. That of the document is believed where it differs in the name of the
/// root's directory alone: the root may have been moved since, or was named by another path.
fn path(doc: &Document, parent: &Path, id: &str) -> PathBuf {
    let made = path_of(parent, id);
    let written = doc.get("cgroup").and_then(|cgroup| cgroup.get("path")).and_then(Value::as_str).map(PathBuf::from);
    let beside = |path: &PathBuf| is_group_path(path, id) && path.ancestors().nth(2) == made.ancestors().nth(2);
    written.filter(beside).unwrap_or(made)
}
