//! Mounts of a container that runs: in the kernel, then in its record, so that it has them at its next start too. Who is killed
//! between leaves a mount that nothing says, until the container ends.

use crate::{
    add::append,
    check,
    entry::Entry,
    fill, image,
    word::{self, Wanted, What},
};
use ctr_core::{
    Cannot, Code, Document, Error, Lock, Process, Result, State, Step, Value, container, json, mountinfo, trace,
};
use ctr_runtime::{run, spec};
use oci_spec::runtime::Mount;
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
};
use std::path::Path;

/// Mounts one in the container that `word` means.
///
/// # Errors
/// `invalid` where it does not run; `exists` where something is mounted there.
pub fn add(word: &str, wanted: &Wanted) -> Result<()> {
    let id = container::find(word)?;
    // A start reads the record too, and writes it back.
    let _change = container::hold_limits(&id)?;
    let process = running(word, &id)?;
    let layers = match &wanted.what {
        What::Image(reference) => Some(image::layers(reference)?),
        _ => None,
    };
    if layers.as_ref().is_some_and(|layers| layers.len() > 1) {
        let message = format!("cannot mount {}: an image of several layers, in a container that runs", wanted.word);
        return Err(Error::new(Code::Unsupported, message).hint("give it at the start"));
    }
    let before = container::recorded(&id)?;
    if is_taken(&before, &wanted.target) {
        return Err(Error::new(Code::Exists, format!("something is mounted on {} already", wanted.target)));
    }
    let entry = {
        let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
        let entry = Entry::ready(wanted, layers.as_deref(), lock.as_ref())?;
        if lock.is_some() {
            record(&id, &entry).inspect_err(|_| entry.take_back())?;
        }
        entry
    };
    let mounted = || {
        if let Some(name) = &entry.fill {
            fill::fill(&before, name, &wanted.target)?;
        }
        mount(&before, process, &entry.mount)
    };
    mounted().inspect_err(|_| {
        let taken_back = || {
            forget(&id, &wanted.target)?;
            entry.made.as_ref().map_or(Ok(()), Entry::remove_made)
        };
        taken_back().unwrap_or_else(|e| trace::warn(&format!("rollback: {e}")));
    })
}

fn mount(doc: &Document, process: Process, entry: &Value) -> Result<()> {
    let spec = spec::read(doc.get("spec").unwrap_or(&Value::Null))?;
    let mount: Mount =
        serde_json::from_value(entry.clone()).map_err(|e| Error::new(Code::Internal, format!("mount: {e}")))?;
    run::mount_into(process, &spec, &mount)
}

/// Takes what is mounted on `target` out of the container.
///
/// # Errors
/// `not-found` where its record has nothing there; `busy` where a process uses it.
pub fn undo(word: &str, target: &str) -> Result<()> {
    let id = container::find(word)?;
    let target = word::target(target, target)?;
    let _change = container::hold_limits(&id)?;
    let doc = container::recorded(&id)?;
    let Some(mount) = check::own(&doc)?.into_iter().find(|mount| mount["destination"] == json!(target)) else {
        return Err(Error::new(Code::NotFound, format!("container {word} has nothing of ours mounted on {target}")));
    };
    if let Some(process) = container::live_state(&id)?.and_then(|state| of(&state)) {
        let source = source(&mount)?;
        run::unmount_from(process, Path::new(&target), source.as_ref())?;
    }
    if trace::dry_run() { Ok(()) } else { forget(&id, &target) }
}

/// What was bound, to tell it from another mount.
fn source(mount: &Value) -> Result<Option<OwnedFd>> {
    let path = mount["source"].as_str().unwrap_or_default();
    if mount["type"] != "bind" {
        return Ok(None);
    }
    openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map(Some).cannot(|| format!("open {path}"))
}

/// Makes what the record says is mounted in the container that runs, and is not.
///
/// # Errors
/// Those of the mounts.
pub fn repair(doc: &Document) -> Result<()> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let Some(process) = container::live_state(id)?.and_then(|state| of(&state)) else { return Ok(()) };
    let there = mountinfo::of(process.pid)?;
    for entry in check::own(doc)? {
        let place = entry["destination"].as_str().unwrap_or_default();
        if !there.iter().any(|mount| mount.point == Path::new(place)) {
            mount(doc, process, &entry)?;
        }
    }
    Ok(())
}

fn of(state: &State) -> Option<Process> {
    Some(Process { pid: state.pid?, pid_start: state.pid_start? })
}

fn running(word: &str, id: &str) -> Result<Process> {
    container::live_state(id)?.and_then(|state| of(&state)).ok_or_else(|| {
        Error::new(Code::Invalid, format!("container {word} is not running")).hint("give -v when it is made")
    })
}

/// Adds the entry to the record, and to its step.
fn record(id: &str, entry: &Entry) -> Result<()> {
    let mut doc = container::recorded(id)?;
    append(&mut doc, vec![entry.mount.clone()])?;
    let mut steps: Vec<Step> = doc.steps()?;
    let anonymous: Vec<_> = entry.made.iter().filter(|made| made.anonymous).map(|made| json!(made.name)).collect();
    let own = |step: &&mut Step| step.tool == "vol-mount";
    if let Some(step) = steps.iter_mut().find(own) {
        push(&mut step.undo, "mounts", [json!(entry.target())]);
        push(&mut step.undo, "anonymous", anonymous);
        doc.set_steps(&steps)?;
    } else {
        // Before the step of ns-spawn, whose undo gives the spec back as it was before that.
        let undo = json!({"id": id, "mounts": [entry.target()], "anonymous": anonymous});
        let step = Step { tool: "vol-mount".to_owned(), undo, rest: ctr_core::Map::new() };
        let at = steps.iter().position(|step| step.tool == "ns-spawn").unwrap_or(steps.len());
        steps.insert(at, step);
        doc.set_steps(&steps)?;
    }
    container::save(&doc)
}

fn push(undo: &mut Value, key: &str, more: impl IntoIterator<Item = Value>) {
    if let Some(undo) = undo.as_object_mut()
        && let Some(list) = undo.entry(key).or_insert_with(|| json!([])).as_array_mut()
    {
        list.extend(more);
    }
}

fn is_taken(doc: &Document, target: &str) -> bool {
    let mounts = doc.get("spec").and_then(|spec| spec.get("mounts")).and_then(Value::as_array);
    mounts
        .into_iter()
        .flatten()
        .any(|mount| mount["destination"].as_str().is_some_and(|d| Path::new(d) == Path::new(target)))
}

/// Takes the entry out of the record and its step.
fn forget(id: &str, target: &str) -> Result<()> {
    let _lock = Lock::store()?;
    let mut doc = container::recorded(id)?;
    if let Some(mounts) = doc.object("spec")?.get_mut("mounts").and_then(Value::as_array_mut) {
        mounts.retain(|mount| mount["destination"] != json!(target));
    }
    let mut steps = doc.steps()?;
    for step in steps.iter_mut().filter(|step| step.tool == "vol-mount") {
        if let Some(list) = step.undo.get_mut("mounts").and_then(Value::as_array_mut) {
            list.retain(|place| *place != json!(target));
        }
    }
    doc.set_steps(&steps)?;
    container::save(&doc)
}
