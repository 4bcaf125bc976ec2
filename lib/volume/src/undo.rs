//! Takes a step of vol-mount back, by its own words: without mount code, so that whoever ends a container can do it itself.

use crate::{local, remove, users, volume};
use ctr_core::{Code, Document, Failures, Lock, Result, Step, Value, container, mountinfo::is_mounted};
use std::collections::BTreeSet;

/// The tool whose steps these are.
const TOOL: &str = "vol-mount";

/// Takes the step's mounts out of `spec.mounts` and removes the volumes without a name that it made, or that the container's record
/// says it has by now. Others stay; what is mounted as one of them goes with its last user.
///
/// # Errors
/// `invalid` for a step about another container; the last failure, once all was tried.
pub fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
    let Some(id) = container::step_id(doc, undo)?.map(str::to_owned) else { return Ok(()) };
    // Of the record too: what was mounted while it ran is not in a document of before.
    let mut used = users::of(doc);
    used.extend(container::recorded(&id).iter().flat_map(users::of));
    let own = is_own(undo);
    let spec = doc.object("spec")?;
    if let Some(mounts) = spec.get_mut("mounts").and_then(Value::as_array_mut) {
        mounts.retain(|mount| !own(mount));
        if mounts.is_empty() {
            spec.shift_remove("mounts");
        }
    }
    if spec.is_empty() {
        doc.remove("spec");
    }
    let mut failures = Failures::default();
    let anonymous: Vec<&str> = undo["anonymous"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in &anonymous {
        // Only what has no name of its own: a document does not get to name another's.
        let is_meant = volume::load(name).is_ok_and(|volume| volume.anonymous);
        if is_meant {
            failures.note(match remove::remove(name, Some(&id)) {
                // Another container has it too (`--volumes-from`), or it is gone.
                Err(e) if matches!(e.code, Code::Busy | Code::NotFound) => Ok(()),
                other => other,
            });
        }
    }
    failures.note(let_go(&id, used));
    failures.end()
}

/// Takes off what is mounted as volumes that only container `id` has used.
fn let_go(id: &str, used: BTreeSet<String>) -> Result<()> {
    let mounted: Vec<_> = used.into_iter().filter(|name| is_mounted(&volume::data(name))).collect();
    if mounted.is_empty() {
        return Ok(());
    }
    let lock = Lock::store()?;
    for name in mounted {
        if users::users(&name)?.iter().all(|user| user == id) {
            local::let_go(&name, &lock)?;
        }
    }
    Ok(())
}

/// Whether an entry of `spec.mounts` is one that the step wrote: it has a source and a destination that the step names.
pub fn is_own(undo: &Value) -> impl Fn(&Value) -> bool {
    let places: Vec<_> = undo["mounts"].as_array().cloned().unwrap_or_default();
    move |mount| places.contains(&mount["destination"])
}

/// The document for an undo that keeps the volumes without a name, as `docker rm` does without `-v`.
///
/// # Errors
/// `invalid` for a document whose steps do not have their form.
pub fn keep_anonymous(doc: &mut Document) -> Result<()> {
    let mut steps: Vec<Step> = doc.steps()?;
    for step in steps.iter_mut().filter(|step| step.tool == TOOL) {
        if let Some(undo) = step.undo.as_object_mut() {
            undo.shift_remove("anonymous");
        }
    }
    doc.set_steps(&steps)
}
