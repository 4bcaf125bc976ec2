//! Whether what the document says is mounted is there: its sources, and while the container runs the mounts themselves.

use ctr_core::{Code, Document, Error, Result, Value, container, mountinfo};
use std::path::Path;

/// One error for each thing that differs.
///
/// # Errors
/// `invalid` for a document that no container is in.
pub fn check(doc: &Document) -> Result<Vec<Error>> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    let inside = match container::live_state(id)?.and_then(|state| state.pid) {
        Some(pid) => Some(mountinfo::of(pid)?),
        None => None,
    };
    let mut findings = Vec::new();
    for mount in own(doc)? {
        let place = mount["destination"].as_str().unwrap_or_default();
        let source = mount["source"].as_str().unwrap_or_default();
        if mount["type"] == "bind" && !Path::new(source).exists() {
            findings.push(Error::new(Code::NotFound, format!("{source}, to be mounted on {place}, is not there")));
        }
        if inside.as_ref().is_some_and(|mounts| !mounts.iter().any(|m| m.point == Path::new(place))) {
            findings.push(Error::new(Code::NotFound, format!("nothing is mounted on {place}")));
        }
    }
    for name in ctr_vol::used_by(doc) {
        let Ok(volume) = ctr_vol::load(&name) else { continue };
        if volume.is_mount() && !mountinfo::is_mounted(&ctr_vol::data(&name)) {
            findings.push(Error::new(Code::NotFound, format!("volume {name} is not mounted")));
        }
    }
    Ok(findings)
}

/// The entries of `spec.mounts` that this tool wrote.
pub fn own(doc: &Document) -> Result<Vec<Value>> {
    let steps = doc.steps()?;
    let own: Vec<_> =
        steps.iter().filter(|step| step.tool == "vol-mount").map(|step| ctr_vol::is_own(&step.undo)).collect();
    let mounts = doc.get("spec").and_then(|spec| spec.get("mounts")).and_then(Value::as_array);
    Ok(mounts.into_iter().flatten().filter(|mount| own.iter().any(|own| own(mount))).cloned().collect())
}
