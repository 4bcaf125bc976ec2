//! The record: the document saved under the container's directory is the container.
//!
//! `containers/<id>/` is the container, `names/<name>` a symbolic link whose text is the id.
//! What only the running kernel knows (`state` while the process runs) lies in the run
//! directory and is lost by a reboot; the record then reads as stopped.

use crate::{Cannot, Code, Document, Error, Lock, Result, State, files, ident, paths, trace};
use rustix::process::{Pid, getpgrp, test_kill_process_group};
use serde_json::json;
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

const RECORD: &str = "document.json";
const STATE: &str = "state.json";
const OWNER: &str = "owner";

/// The directory of container `id`.
pub fn dir(id: &str) -> PathBuf {
    paths::containers().join(id)
}

/// Gives the document an id and a name if it has none: makes the container's directory and claims the name.
///
/// Hold [`Lock::store`] (`_lock`; `None` only under `--dry-run`, where nothing is made), so that a name is claimed once and gc does not see half a claim.
/// The caller writes the record ([`begin`]) before it lets the lock go.
///
/// # Errors
/// `exists`, naming the holder, if the name is taken; `invalid` if it has not the form of one.
pub fn claim(doc: &mut Document, name: Option<&str>, _lock: Option<&Lock>) -> Result<String> {
    if let Some(id) = doc.str("id") {
        return checked_id(id).map(str::to_owned);
    }
    let name = match name {
        Some(name) => {
            ident::check_name(name)?;
            if let Some(holder) = holder(name)? {
                return Err(Error::new(
                    Code::Exists,
                    format!("cannot claim name {name}: held by container {}", ident::short(&holder)),
                )
                .hint("remove or rename that container, or choose another name"));
            }
            name.to_owned()
        }
        None => free_name()?,
    };
    let id = ident::new_id();
    trace::act(
        "claim",
        || json!({"id": id, "name": name}),
        || {
            let dir = dir(&id);
            files::make_dir(&dir)?;
            files::make_dir(&paths::names())?;
            let link = paths::names().join(&name);
            // Without a holder a link of that name is what a crash left of a removed container.
            files::remove_file(&link)?;
            symlink(&id, &link).cannot(|| format!("claim name {name}")).inspect_err(|_| drop(fs::remove_dir(&dir)))
        },
    )?;
    doc.set("id", &id)?;
    doc.set("name", &name)?;
    doc.set("created", &jiff::Timestamp::now().to_string())?;
    Ok(id)
}

fn free_name() -> Result<String> {
    loop {
        let name = ident::random_name();
        if holder(&name)?.is_none() {
            return Ok(name);
        }
    }
}

/// The id of the container that holds `name`; `None` where it is free.
pub fn holder(name: &str) -> Result<Option<String>> {
    let link = paths::names().join(name);
    match fs::read_link(&link) {
        Ok(target) => {
            let id = target.to_string_lossy().into_owned();
            Ok(Some(id).filter(|id| ident::is_id(id) && dir(id).exists()))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).cannot(|| format!("read {}", link.display())),
    }
}

/// Checks an id that came from a document before it becomes part of a path.
///
/// # Errors
/// `invalid` if it is not an id of ours.
pub fn checked_id(id: &str) -> Result<&str> {
    if ident::is_id(id) {
        return Ok(id);
    }
    Err(Error::new(Code::Invalid, format!("document: id {id:?} is not 64 hex digits")))
}

/// Writes the first record of a container just claimed, `partial` until its tool [`save`]s it whole, and whose it is:
/// the process group of the pipe that makes it. gc takes a partial container once that group is gone.
///
/// Not durable: what a power cut leaves of it is a half-made container.
pub fn begin(doc: &Document, _lock: &Lock) -> Result<()> {
    let id = checked_id(doc.str("id").unwrap_or_default())?;
    let run = paths::run_dir(id);
    files::make_dir(&run)?;
    let owner = run.join(OWNER);
    fs::write(&owner, getpgrp().as_raw_nonzero().to_string()).cannot(|| format!("write {}", owner.display()))?;
    let mut partial = doc.clone();
    partial.set("partial", &true)?;
    write_record(&partial, false)
}

/// Whether nobody works on the container any more: its process is gone, and the pipe that made it. After a reboot
/// both are, with the run directory. A group that cannot be asked counts as alive.
pub fn is_orphan(id: &str) -> bool {
    let owner = fs::read_to_string(paths::run_dir(id).join(OWNER));
    let group = owner.ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let group_gone = group.is_none_or(|pgid| test_kill_process_group(pgid) == Err(rustix::io::Errno::SRCH));
    group_gone && matches!(live_state(id), Ok(None))
}

/// Saves the document as the container's record, without what only the running kernel knows.
/// Durable unless its writable layer is volatile, for then a reboot takes the container anyway.
pub fn save(doc: &Document) -> Result<()> {
    write_record(doc, !is_volatile(doc))
}

/// Whether the container goes with a crash of the machine (`rootfs.volatile`).
pub fn is_volatile(doc: &Document) -> bool {
    doc.get("rootfs").and_then(|r| r.get("volatile")) == Some(&json!(true))
}

fn write_record(doc: &Document, durable: bool) -> Result<()> {
    let id = checked_id(doc.str("id").unwrap_or_default())?;
    let path = dir(id).join(RECORD);
    trace::act(
        "save",
        || json!({"record": id}),
        || files::replace(&path, format!("{}\n", doc.to_line()).as_bytes(), durable),
    )
}

/// Saves the state of a running container in the run directory.
pub fn save_state(id: &str, state: &State) -> Result<()> {
    let dir = paths::run_dir(checked_id(id)?);
    files::make_dir(&dir)?;
    let text = serde_json::to_string(state).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    files::replace(&dir.join(STATE), text.as_bytes(), false)
}

/// The container's document as it is now: the record, with the state of its process told by the kernel.
///
/// # Errors
/// `not-found` where there is no such container, `corrupt` where its record does not parse.
pub fn load(id: &str) -> Result<Document> {
    let path = dir(checked_id(id)?).join(RECORD);
    let text = fs::read_to_string(&path).map_err(|e| {
        if e.kind() == ErrorKind::NotFound {
            Error::new(Code::NotFound, format!("no container {}", ident::short(id)))
        } else {
            Error::io(format!("read {}", path.display()), &e)
        }
    })?;
    let corrupt = |e: String| Error::new(Code::Corrupt, format!("record {}: {e}", path.display()));
    let value = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
    let mut doc = Document::from_value(value).map_err(|e| corrupt(e.message))?;
    if let Some(state) = live_state(id)? {
        doc.set("state", &state)?;
    }
    Ok(doc)
}

/// The state in the run directory, if its process is still that process.
pub fn live_state(id: &str) -> Result<Option<State>> {
    let path = paths::run_dir(id).join(STATE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).cannot(|| format!("read {}", path.display())),
    };
    let state: State =
        serde_json::from_str(&text).map_err(|e| Error::new(Code::Corrupt, format!("state {}: {e}", path.display())))?;
    Ok(Some(state).filter(is_alive))
}

/// Whether the process of `state` runs: same pid, same start time, not a zombie.
pub fn is_alive(state: &State) -> bool {
    let (Some(pid), Some(start)) = (state.pid, state.pid_start) else { return false };
    process_start(pid) == Some(start)
}

/// Start time of process `pid` in clock ticks since boot; `None` if it is gone or a zombie.
pub fn process_start(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in field 2 may hold spaces and brackets: count from the last bracket (proc(5)).
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The ids of all containers that have a record, in no order.
pub fn ids() -> Result<Vec<String>> {
    Ok(directories()?.into_iter().filter(|id| dir(id).join(RECORD).exists()).collect())
}

/// Every directory with the name of an id under `containers/`, with a record or without.
pub fn directories() -> Result<Vec<String>> {
    list(&paths::containers()).map(|names| names.into_iter().filter(|n| ident::is_id(n)).collect())
}

/// The container that `word` means: its id, its name, or a prefix of its id that no other has.
///
/// # Errors
/// `not-found`, or `invalid` with the candidates where a prefix is ambiguous.
pub fn find(word: &str) -> Result<String> {
    if ident::is_id(word) && dir(word).join(RECORD).exists() {
        return Ok(word.to_owned());
    }
    if ident::check_name(word).is_ok()
        && let Some(id) = holder(word)?
    {
        return Ok(id);
    }
    let mut found: Vec<_> = ids()?.into_iter().filter(|id| !word.is_empty() && id.starts_with(word)).collect();
    match found.len() {
        0 => Err(Error::new(Code::NotFound, format!("no container {word}"))),
        1 => Ok(found.remove(0)),
        _ => {
            found.sort();
            let short: Vec<_> = found.iter().map(|id| ident::short(id)).collect();
            Err(Error::new(Code::Invalid, format!("container {word} is ambiguous: {}", short.join(", "))))
        }
    }
}

/// Removes the container's directories and frees its name. Its mounts must be gone.
///
/// The directory is renamed aside first: from then on there is no such container, whatever becomes of the rest.
pub fn remove(id: &str) -> Result<()> {
    let id = checked_id(id)?;
    let dir = dir(id);
    trace::act(
        "remove",
        || json!({"container": id}),
        || {
            let aside = paths::containers().join(format!(".{id}.removed"));
            match fs::rename(&dir, &aside) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                other => other.cannot(|| format!("remove {}", dir.display()))?,
            }
            free_names_of(id)?;
            files::remove_tree(&paths::run_dir(id))?;
            files::remove_tree(&aside)
        },
    )
}

fn free_names_of(id: &str) -> Result<()> {
    let names = paths::names();
    for name in list(&names)? {
        let link = names.join(name);
        if fs::read_link(&link).is_ok_and(|target| target == Path::new(id)) {
            files::remove_file(&link)?;
        }
    }
    Ok(())
}

/// Removes what crashes left: directories without a record, names without a container, half-removed trees,
/// run directories of containers that are gone. Hold [`Lock::store`]. Gives what was removed.
pub fn gc(_lock: &Lock) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for name in list(&paths::containers())? {
        let path = paths::containers().join(&name);
        let half_removed = name.starts_with('.');
        let half_made = ident::is_id(&name) && !path.join(RECORD).exists();
        if half_removed || half_made {
            files::discard(&path)?;
            removed.push(path);
        }
    }
    for name in list(&paths::names())? {
        if holder(&name)?.is_none() {
            let path = paths::names().join(name);
            files::discard(&path)?;
            removed.push(path);
        }
    }
    let run = paths::run().join("containers");
    for id in list(&run)? {
        if ident::is_id(&id) && !dir(&id).exists() {
            let path = run.join(id);
            files::discard(&path)?;
            removed.push(path);
        }
    }
    Ok(removed)
}

/// The names in a directory; none where there is no directory.
fn list(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).cannot(|| format!("read {}", dir.display())),
    };
    entries
        .map(|entry| Ok(entry.cannot(|| format!("read {}", dir.display()))?.file_name().to_string_lossy().into_owned()))
        .collect()
}
