//! Mounts of a container that runs: in its record, so that it has them at its next start too, and then in the kernel. Who is
//! killed between leaves a record that `--check` finds wrong and `--repair` makes true.

use crate::{
    add::{append, taken},
    check,
    entry::{self, Entry},
    fill, image,
    word::{self, Wanted, What},
};
use ctr_core::{
    Code, Document, Error, Lock, Process, Result, State, Step, Value, container, files, json, paths, trace,
};
use ctr_runtime::{run, spec};
use oci_spec::runtime::Mount;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Mounts one in the container that `word` means.
///
/// # Errors
/// `invalid` where it does not run; `exists` where something is mounted there.
pub fn add(word: &str, wanted: &Wanted) -> Result<()> {
    let id = container::find(word)?;
    running(word, &id)?;
    let layers = match &wanted.what {
        What::Image(reference) => Some(image::layers(reference)?),
        _ => None,
    };
    if layers.as_ref().is_some_and(|layers| layers.len() > 1) {
        let message = format!("cannot mount {}: an image of several layers, in a container that runs", wanted.word);
        return Err(Error::new(Code::Unsupported, message).hint("give it at the start"));
    }
    let entry = {
        let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
        Entry::ready(wanted, layers.as_deref(), true, lock.as_ref())?
    };
    mount_entry(word, &id, wanted, &entry).inspect_err(|_| {
        let removed = entry.made.as_ref().map_or(Ok(()), Entry::remove_made);
        removed.unwrap_or_else(|e| trace::warn(&format!("rollback: {e}")));
    })
}

/// First what takes long, when nobody is kept from a start; then, while nobody starts it, record and mount.
fn mount_entry(word: &str, id: &str, wanted: &Wanted, entry: &Entry) -> Result<()> {
    let source = entry.mount["source"].as_str().and_then(|source| paths::volume_at(Path::new(source)));
    let volume = source.map(|(name, _)| name.to_owned());
    entry::mount_volumes(volume.clone())?;
    if let Some(name) = &entry.fill {
        fill::fill(&container::recorded(id)?, name, &wanted.target)?;
    }
    let _change = container::hold_limits(id)?;
    let process = running(word, id)?;
    let doc = container::recorded(id)?;
    if taken(&doc).contains_key(&wanted.target) {
        return Err(Error::new(
            Code::Exists,
            format!("container {word}: something is mounted on {} already", wanted.target),
        ));
    }
    if !trace::dry_run() {
        let _lock = Lock::store()?;
        record(id, entry)?;
    }
    // Its last user may have ended before the record said that this one has it.
    let mounted = entry::mount_volumes(volume).and_then(|()| mount(&doc, process, &entry.mount));
    mounted.inspect_err(|_| {
        forget(id, &wanted.target).unwrap_or_else(|e| trace::warn(&format!("rollback: {e}")));
    })
}

fn mount(doc: &Document, process: Process, entry: &Value) -> Result<()> {
    let spec = spec::read(doc.get("spec").unwrap_or(&Value::Null))?;
    let number = run::mount_into(process, &spec, &parse(entry)?)?;
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    number.map_or(Ok(()), |number| Numbers::of(id, process).note(&entry["destination"], number))
}

fn parse(entry: &Value) -> Result<Mount> {
    serde_json::from_value(entry.clone()).map_err(|e| Error::new(Code::Internal, format!("mount: {e}")))
}

/// The numbers of mounts that were made in a running container, by which they are told from others: in the run directory, and of
/// one process of it.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    pid_start: u64,
    mounts: BTreeMap<String, u64>,
    #[serde(skip)]
    path: PathBuf,
}

impl Numbers {
    fn of(id: &str, process: Process) -> Self {
        let path = paths::run_dir(id).join("mounts.json");
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let of_it = read.filter(|numbers| numbers.pid_start == process.pid_start).unwrap_or_default();
        Self { pid_start: process.pid_start, path, ..of_it }
    }

    fn note(mut self, target: &Value, number: u64) -> Result<()> {
        self.mounts.insert(target.as_str().unwrap_or_default().to_owned(), number);
        files::replace(&self.path, json!(self).to_string().as_bytes(), false)
    }
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
        let number = Numbers::of(&id, process).mounts.get(&target).copied();
        run::unmount_from(process, &parse(&mount)?, number)?;
    }
    if trace::dry_run() { Ok(()) } else { forget(&id, &target) }
}

/// Makes what the record says is mounted in the container that runs, and is not.
///
/// # Errors
/// Those of the mounts.
pub fn repair(doc: &Document) -> Result<()> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let Some(process) = container::live_state(id)?.and_then(|state| of(&state)) else { return Ok(()) };
    let Some(root) = check::root(doc)? else { return Ok(()) };
    for entry in check::own(doc)? {
        if !check::is_mounted(&root, entry["destination"].as_str().unwrap_or_default()) {
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
