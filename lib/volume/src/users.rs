//! Who uses a volume: the containers whose record mounts what lies in it.

use ctr_core::{Code, Document, Result, Value, container, paths};
use serde::Deserialize;
use std::{collections::BTreeSet, path::Path};

/// Of a record what it mounts, and no more.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    mounts: Vec<Mount>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Mount {
    source: String,
}

/// The ids of the containers that use volume `name`, in no order.
///
/// # Errors
/// Those of a record that does not read: what it uses cannot be known.
pub fn users(name: &str) -> Result<Vec<String>> {
    let mut users = Vec::new();
    for id in container::ids()? {
        let record: Record = match container::recorded_as(&id) {
            // Removed since it was listed.
            Err(e) if e.code == Code::NotFound => continue,
            other => other?,
        };
        let mut sources = record.spec.mounts.iter().map(|mount| Path::new(&mount.source));
        if sources.any(|source| paths::volume_at(source).is_some_and(|(of, _)| of == name)) {
            users.push(id);
        }
    }
    Ok(users)
}

/// The volumes that a document mounts, by name.
pub fn of(doc: &Document) -> BTreeSet<String> {
    let sources = doc.mounts().iter().filter_map(|mount| mount.get("source").and_then(Value::as_str));
    sources.filter_map(|source| Some(paths::volume_at(Path::new(source))?.0.to_owned())).collect()
}
