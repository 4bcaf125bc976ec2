//! Ends what is in a container's groups, removes them, and gives the document back as it was.

use ctr_cgroup::{Groups, path_of};
use ctr_core::{Document, Map, Result, Value, container, json};
use std::path::Path;

/// What of `spec.linux` this tool changes.
const KEYS: [&str; 3] = ["cgroupsPath", "resources", "devices"];

/// That, as it was.
pub fn before(linux: Option<&Value>) -> Map<String, Value> {
    let has = |key: &&str| Some((String::from(*key), linux?.get(*key)?.clone()));
    KEYS.iter().filter_map(has).collect()
}

/// Undoes one step. The path is made of the parent and the id; never is one believed that a document says.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let text = |key: &str| undo.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = container::checked_id(text("id"))?;
    Groups::at(&path_of(Path::new(text("parent")), id))?.end()?;
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
    if undo.get("claimed") == Some(&json!(true)) {
        container::remove(id)?;
        for key in ["id", "name", "created", "labels"] {
            doc.remove(key);
        }
    }
    Ok(())
}
