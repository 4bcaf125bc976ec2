//! The record: the document in the container's directory.

use super::{checked_id, last_exit, live_state};
use crate::{Code, Document, Error, Result, State, files, ident, paths, trace};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{fs, io::ErrorKind, path::PathBuf};

/// Its name in the directory.
pub(super) const RECORD: &str = "document.json";

/// The directory of container `id`.
pub fn dir(id: &str) -> PathBuf {
    paths::containers().join(id)
}

/// Saves the document as the container's record, without what only the running kernel knows: of a process that runs
/// it says `stopped`, without an exit status, for that is what is true of it should the machine crash.
/// Durable unless its writable layer is volatile, for then a reboot takes the container anyway.
pub fn save(doc: &Document) -> Result<()> {
    let mut record = doc.clone();
    if let Some(state) = doc.section::<State>("state")?.filter(State::is_live) {
        record.set("state", &state.ended_unseen())?;
    }
    write(&record, !is_volatile(doc))
}

/// Whether the container goes with a crash of the machine (`rootfs.volatile`).
pub fn is_volatile(doc: &Document) -> bool {
    doc.get("rootfs").and_then(|r| r.get("volatile")) == Some(&json!(true))
}

/// Writes it, flushed to the disk where `durable`.
pub(super) fn write(doc: &Document, durable: bool) -> Result<()> {
    let id = checked_id(doc.str("id").unwrap_or_default())?;
    let path = dir(id).join(RECORD);
    let text = format!("{}\n", doc.to_line());
    if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    trace::act("save", || json!({"record": id}), || files::replace(&path, text.as_bytes(), durable))
}

/// The container's document as it is now: the record, with the state of its process told by the kernel.
///
/// # Errors
/// `not-found` where there is no such container, `corrupt` where its record does not parse.
pub fn load(id: &str) -> Result<Document> {
    let mut doc = recorded(id)?;
    if let Some(state) = live_state(id)?.or(last_exit(id)?) {
        doc.set("state", &state)?;
    }
    Ok(doc)
}

/// The record alone, as it was last saved.
///
/// # Errors
/// As [`load`].
pub fn recorded(id: &str) -> Result<Document> {
    let value = read(id)?;
    Document::from_value(value).map_err(|e| corrupt(id, e.message))
}

/// What `T` takes of the record alone, for who looks at many: a record has some 14 kB, and to make values of all of it
/// costs a tenth of a millisecond.
///
/// # Errors
/// As [`load`].
pub fn recorded_as<T: DeserializeOwned>(id: &str) -> Result<T> {
    read(id)
}

/// Whether container `id` has a record.
pub(super) fn exists(id: &str) -> bool {
    dir(id).join(RECORD).exists()
}

fn read<T: DeserializeOwned>(id: &str) -> Result<T> {
    let path = dir(checked_id(id)?).join(RECORD);
    let text = fs::read_to_string(&path).map_err(|e| {
        if e.kind() == ErrorKind::NotFound {
            Error::new(Code::NotFound, format!("no container {}", ident::short(id)))
        } else {
            Error::io(format!("read {}", path.display()), &e)
        }
    })?;
    serde_json::from_str(&text).map_err(|e| corrupt(id, e.to_string()))
}

fn corrupt(id: &str, why: String) -> Error {
    Error::new(Code::Corrupt, format!("record {}: {why}", dir(id).join(RECORD).display()))
}

/// The log of a detached container: the file that is being written, in the container's directory. Full ones are
/// beside it, `log.1` the youngest. Each line is a JSON object: `log`, `stream`, `time` (docker's json-file).
pub fn log_file(id: &str) -> PathBuf {
    dir(id).join("log")
}

/// The socket that serves attach while the container's supervisor lives.
pub fn attach_socket(id: &str) -> PathBuf {
    paths::run_dir(id).join("attach")
}

/// Where the commands entered beside the container's own are listed, one JSON file each.
pub fn execs_dir(id: &str) -> PathBuf {
    paths::run_dir(id).join("exec")
}
