//! What happened to containers, as JSON lines that `ctr-events` reads: a file in the run directory, lost by a reboot.

use crate::{Cannot, Document, Lock, Result, files, paths};
use serde_json::{Map, Value, json};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

/// At this size the file becomes the old one, and a new one begins.
const MAX_SIZE: u64 = 1 << 20;

/// Bytes of labels in one event: those of an image that has more must not push all others out of the file.
const LABELS: usize = 4 << 10;

/// The file that is written to, and the one before it.
pub fn files() -> [PathBuf; 2] {
    [paths::run().join("events.jsonl"), paths::run().join("events.1.jsonl")]
}

/// Notes that `action` (docker's word: `create`, `start`, `die`, …) happened to the container of `doc`. Its attributes are
/// `attributes`, the image, and the labels of both.
///
/// Best effort: an event that cannot be written stops nothing.
pub fn emit(action: &str, doc: &Document, attributes: &Value) {
    let image = doc.get("image");
    let labels = [image.map(|image| &image["config"]["config"]["Labels"]), doc.get("labels")];
    let mut all = Map::new();
    let mut room = LABELS;
    for (key, value) in labels.into_iter().flatten().filter_map(Value::as_object).flatten() {
        let size = key.len() + value.as_str().map_or(0, str::len);
        if size <= room {
            room -= size;
            all.insert(key.clone(), value.clone());
        }
    }
    all.extend(attributes.as_object().cloned().unwrap_or_default());
    if let Some(reference) = image.and_then(|image| image.get("ref")) {
        all.insert("image".to_owned(), reference.clone());
    }
    let text = |key| doc.str(key).unwrap_or_default();
    emit_of("container", action, text("id"), text("name"), &Value::Object(all));
}

/// The same for what is no container, with docker's word for its `kind`.
pub fn emit_of(kind: &str, action: &str, id: &str, name: &str, attributes: &Value) {
    let line = json!({
        "time": jiff::Timestamp::now().to_string(), "type": kind, "action": action,
        "id": id, "name": name, "attributes": attributes,
    });
    let _ = append(&format!("{line}\n"));
}

/// One write(2) to a file opened for appending: lines of several writers do not mix.
fn append(line: &str) -> Result<()> {
    let [path, old] = files();
    files::make_dir(paths::run())?;
    let full = || fs::metadata(&path).is_ok_and(|m| m.len() > MAX_SIZE);
    if full() {
        // Two who both saw it full must not both rename it.
        let _lock = Lock::exclusive(&paths::run().join("events.lock"))?;
        if full() {
            let _ = fs::rename(&path, &old);
        }
    }
    let what = || format!("write {}", path.display());
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).cannot(what)?;
    file.write_all(line.as_bytes()).cannot(what)
}
