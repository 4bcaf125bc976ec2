//! Id and name of a container, and whose it is while it is being made.

use super::{dir, live_state, record};
use crate::{Cannot, Code, Document, Error, Lock, Result, events, files, ident, paths, trace};
use rustix::process::{Pid, getpgrp, test_kill_process_group};
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::symlink,
    path::Path,
};

const OWNER: &str = "owner";

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
            check_free(name)?;
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

/// The same for a tool that takes a document with a container or without one: claims id, name and labels and writes the
/// first record, unless the document has an id. Gives whether it did.
///
/// # Errors
/// `exists` if the name is taken, or the container has another; `not-found` for a container that was removed: its name may be
/// another's by now.
pub fn claim_unless_there(doc: &mut Document, name: Option<&str>, labels: &[String]) -> Result<bool> {
    if let Some(id) = doc.str("id") {
        record::recorded(checked_id(id)?)?;
        return match name {
            Some(name) if doc.str("name") != Some(name) => Err(Error::new(
                Code::Exists,
                format!("the container has a name already, {}", doc.str("name").unwrap_or("its id")),
            )
            .hint("give --name to the tool that begins the container")),
            _ => Ok(false),
        };
    }
    let labels = self::labels(doc, labels)?;
    let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
    let id = claim(doc, name, lock.as_ref())?;
    doc.set("labels", &labels)?;
    if let Some(lock) = &lock {
        begin(doc, lock).inspect_err(|_| drop(super::remove_locked(&id, lock)))?;
    }
    Ok(true)
}

/// Gives container `id` the name `name`; gives the one that it had.
///
/// The new link is made first, then the record is replaced: at that instant the name changes, for a link counts only
/// while the record of its container has the name ([`holder`]). Then the old link goes. A crash or a failure between leaves two
/// links; the one whose name is not the record's is nobody's: no look-up follows it, a claim of that name replaces it,
/// [`gc`](super::gc) removes it.
///
/// Nobody else may save the record meanwhile.
///
/// # Errors
/// `exists`, naming the holder, if the name is taken; `invalid` if it has not the form of one.
pub fn rename(id: &str, name: &str, _lock: &Lock) -> Result<String> {
    ident::check_name(name)?;
    let mut doc = record::recorded(id)?;
    let old = doc.str("name").unwrap_or_default().to_owned();
    check_free(name)?;
    let names = paths::names();
    trace::act(
        "rename",
        || json!({"id": id, "name": name, "old": old}),
        || {
            let link = names.join(name);
            files::remove_file(&link)?;
            symlink(id, &link).cannot(|| format!("claim name {name}"))?;
            // The link is on the disk before the record that needs it: a container without its link would lose its
            // name to the next who claims it.
            File::open(&names).and_then(|dir| dir.sync_all()).cannot(|| format!("claim name {name}"))?;
            doc.set("name", &name)?;
            record::save(&doc)?;
            if holds_link(id, &old) { files::remove_file(&names.join(&old)) } else { Ok(()) }
        },
    )?;
    Ok(old)
}

/// Whether the link of that name leads to the container, whatever its record says.
fn holds_link(id: &str, name: &str) -> bool {
    ident::check_name(name).is_ok() && fs::read_link(paths::names().join(name)).is_ok_and(|to| to == Path::new(id))
}

/// The document's labels with those of `KEY[=VALUE]` words added; the caller sets them.
///
/// # Errors
/// `usage` for a word without a key.
pub fn labels(doc: &Document, words: &[String]) -> Result<Map<String, Value>> {
    let mut labels = doc.section::<Map<String, Value>>("labels")?.unwrap_or_default();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if key.is_empty() {
            return Err(Error::new(Code::Usage, format!("label {word:?} has no key")));
        }
        labels.insert(key.to_owned(), json!(value));
    }
    Ok(labels)
}

fn free_name() -> Result<String> {
    loop {
        let name = ident::random_name();
        if holder(&name)?.is_none() {
            return Ok(name);
        }
    }
}

fn check_free(name: &str) -> Result<()> {
    let Some(holder) = holder(name)? else { return Ok(()) };
    Err(Error::new(Code::Exists, format!("cannot claim name {name}: held by container {}", ident::short(&holder)))
        .hint("remove or rename that container, or choose another name"))
}

/// Of a record the name alone.
#[derive(serde::Deserialize)]
struct Named {
    name: Option<String>,
}

/// The name in the record of container `id`, and nothing else of it; `None` without one, or where the record does not read.
pub fn recorded_name(id: &str) -> Option<String> {
    record::recorded_as::<Named>(id).ok()?.name
}

/// The id of the container that holds `name`; `None` where it is free, and where the link is what a rename that was
/// killed left: the record has another name. A record that does not read gives its name to nobody.
pub fn holder(name: &str) -> Result<Option<String>> {
    let link = paths::names().join(name);
    match fs::read_link(&link) {
        Ok(target) => {
            let id = target.to_string_lossy().into_owned();
            let has_other = |id: &str| recorded_name(id).is_some_and(|n| n != name);
            Ok(Some(id).filter(|id| ident::is_id(id) && dir(id).exists() && !has_other(id)))
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

/// The id in the `undo` of a step, where it is the document's own: no tool writes a step about another container, and
/// whoever made up the document does not get to name one. A document that is nothing but its steps undoes those that the
/// container's record has, or that nobody has a record of; `None` for another, which was undone before.
///
/// # Errors
/// `invalid` if it is another's, or not an id of ours.
pub fn step_id<'a>(doc: &Document, undo: &'a Value) -> Result<Option<&'a str>> {
    let id = checked_id(undo.get("id").and_then(Value::as_str).unwrap_or_default())?;
    match doc.str("id") {
        Some(own) if own == id => Ok(Some(id)),
        Some(_) => {
            let message =
                format!("document: a step is about container {}, which is not the document's", ident::short(id));
            Err(Error::new(Code::Invalid, message))
        }
        None => match record::recorded(id) {
            Ok(record) => Ok(Some(id).filter(|_| record.steps().is_ok_and(|s| s.iter().any(|s| s.undo == *undo)))),
            Err(e) if e.code == Code::NotFound => Ok(Some(id)),
            Err(e) => Err(e),
        },
    }
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
    record::save_for_now(&partial)?;
    events::emit("create", doc, &json!({}));
    Ok(())
}

/// The pipe that made the container is no longer its owner: from here on a partial record is of one that is being removed,
/// and anybody's to take.
pub fn disown(id: &str) -> Result<()> {
    files::remove_file(&paths::run_dir(checked_id(id)?).join(OWNER))
}

/// Whether the pipe that made the container goes on: a partial record is of one that it makes, and else of one that is being
/// removed. A group that cannot be asked counts as alive.
pub fn is_being_made(id: &str) -> bool {
    let owner = fs::read_to_string(paths::run_dir(id).join(OWNER));
    let group = owner.ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    group.is_some_and(|pgid| test_kill_process_group(pgid) != Err(rustix::io::Errno::SRCH))
}

/// Whether nobody works on the container any more: its process is gone, and the pipe that made it. After a reboot
/// both are, with the run directory.
pub fn is_orphan(id: &str) -> bool {
    !is_being_made(id) && matches!(live_state(id), Ok(None))
}
