//! Whether what the document says is mounted is there: its sources, and while the container runs the mounts themselves.

use ctr_core::{Code, Document, Error, Result, Root, Value, container, mountinfo};
use rustix::fs::OFlags;
use std::path::Path;

/// One error for each thing that differs.
///
/// # Errors
/// `invalid` for a document that no container is in.
pub fn check(doc: &Document) -> Result<Vec<Error>> {
    let inside = root(doc)?;
    let mut findings = Vec::new();
    for mount in own(doc)? {
        let place = mount["destination"].as_str().unwrap_or_default();
        let source = mount["source"].as_str().unwrap_or_default();
        if mount["type"] == "bind" && !Path::new(source).exists() {
            findings.push(Error::new(Code::NotFound, format!("{source}, to be mounted on {place}, is not there")));
        }
        if inside.as_ref().is_some_and(|root| !is_mounted(root, place)) {
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

/// The root as the container's process sees it; `None` where it does not run.
///
/// # Errors
/// The kernel's.
pub fn root(doc: &Document) -> Result<Option<Root>> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    if container::live_state(id)?.is_none() {
        return Ok(None);
    }
    let (root, is_seen) = ctr_rootfs::seen(doc)?;
    Ok(is_seen.then_some(root))
}

/// Whether something is mounted on `place`, wherever links lead (statx(2), `STATX_ATTR_MOUNT_ROOT`).
pub fn is_mounted(root: &Root, place: &str) -> bool {
    root.open(place, OFlags::PATH).is_ok_and(|fd| mountinfo::is_mounted_at(fd, ""))
}

/// The entries of `spec.mounts` that this tool wrote.
pub fn own(doc: &Document) -> Result<Vec<Value>> {
    let steps = doc.steps()?;
    let own: Vec<_> =
        steps.iter().filter(|step| step.tool == "vol-mount").map(|step| ctr_vol::is_own(&step.undo)).collect();
    Ok(doc.mounts().iter().filter(|mount| own.iter().any(|own| own(mount))).cloned().collect())
}
