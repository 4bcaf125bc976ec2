//! The record: the document in the container's directory.

use super::{checked_id, last_exit, live_state};
use crate::{Cannot, Code, Document, Error, Result, State, files, ident, paths, trace};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{fs, io::ErrorKind, path::PathBuf};

/// Its name in the directory.
pub(super) const RECORD: &str = "document.json";

/// The directory of container `id`.
pub fn dir(id: &str) -> PathBuf {
    paths::containers().join(id)
}

/// The record of a container that need not be there after a reboot: in the run directory, where it counts more than one on
/// the disk.
pub(super) fn passing(id: &str) -> PathBuf {
    paths::run_dir(id).join(RECORD)
}

/// The file that is the record now.
pub fn record_file(id: &str) -> PathBuf {
    let passing = passing(id);
    if passing.exists() { passing } else { dir(id).join(RECORD) }
}

/// Whether `ns-spawn` has completed the container: it can be started.
pub fn is_complete(doc: &Document) -> bool {
    doc.steps().is_ok_and(|steps| steps.iter().any(|step| step.tool == "ns-spawn"))
}

/// Whether the container's record is one that a reboot takes until `ns-spawn` has completed it.
pub fn is_provisional(doc: &Document) -> bool {
    !is_complete(doc) && doc.str("id").is_some_and(|id| ident::is_id(id) && passing(id).exists())
}

/// Saves the document as the container's record, without what only the running kernel knows: of a process that runs
/// it says `stopped`, without an exit status, for that is what is true of it should the machine crash.
/// Durable unless its writable layer is volatile, for then a reboot takes the container anyway.
pub fn save(doc: &Document) -> Result<()> {
    save_as(doc, !is_volatile(doc))
}

/// The same, until the next reboot: a container that is being made is nothing after it, and one that is being removed is as it
/// was.
pub fn save_for_now(doc: &Document) -> Result<()> {
    save_as(doc, false)
}

fn save_as(doc: &Document, durable: bool) -> Result<()> {
    let line = match doc.section::<State>("state")?.filter(State::is_live) {
        Some(state) => doc.to_line_with("state", &json!(state.ended_unseen())),
        None => doc.to_line(),
    };
    write(doc, line, durable)
}

/// Whether the container goes with a crash of the machine (`rootfs.volatile`).
pub fn is_volatile(doc: &Document) -> bool {
    doc.get("rootfs").and_then(|r| r.get("volatile")) == Some(&json!(true))
}

/// Writes it: flushed to the disk where `durable`, else into the run directory.
fn write(doc: &Document, mut text: String, durable: bool) -> Result<()> {
    let id = checked_id(doc.str("id").unwrap_or_default())?;
    text.push('\n');
    let passing = passing(id);
    if !durable {
        files::make_dir(&paths::run_dir(id))?;
        return trace::act("save", || json!({"record": id}), || files::replace(&passing, text.as_bytes(), false));
    }
    let path = dir(id).join(RECORD);
    if !fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        trace::act("save", || json!({"record": id}), || files::replace(&path, text.as_bytes(), true))?;
    }
    // In this order: there is no moment without one.
    files::remove_file(&passing)
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

/// The record of a container that is whole: nobody makes it any more, or removes it.
///
/// # Errors
/// `busy` where somebody does; as [`load`].
pub fn whole(id: &str) -> Result<Document> {
    let doc = recorded(id)?;
    if doc.is_partial() {
        return Err(removed(id));
    }
    Ok(doc)
}

/// That a container is being removed.
pub(super) fn removed(id: &str) -> Error {
    Error::new(Code::Busy, format!("container {} is being removed", ident::short(id)))
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
pub fn exists(id: &str) -> bool {
    let dir = dir(id);
    // In this order, for a record goes from the one place to the other.
    (passing(id).exists() && dir.exists()) || dir.join(RECORD).exists()
}

fn read<T: DeserializeOwned>(id: &str) -> Result<T> {
    for path in [passing(checked_id(id)?), dir(id).join(RECORD)] {
        match fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            other => {
                let text = other.cannot(|| format!("read {}", path.display()))?;
                return serde_json::from_str(&text).map_err(|e| corrupt(id, e.to_string()));
            }
        }
    }
    Err(Error::new(Code::NotFound, format!("no container {}", ident::short(id))))
}

fn corrupt(id: &str, why: String) -> Error {
    Error::new(Code::Corrupt, format!("record {}: {why}", record_file(id).display()))
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
