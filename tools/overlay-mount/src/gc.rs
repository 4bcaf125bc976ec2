//! Finds what crashes left, by the ids in names: no log is kept.

use crate::{OverlayMount, layers, mount, undo};
use ctr_core::{Lock, Result, Tool, Value, container, json, mountinfo, steps, trace};

/// Removes dead volatile and provisional containers, mounts of containers that are gone, half-made and half-removed directories.
pub fn gc() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    for id in container::ids()? {
        // A record that does not read is for a person to look at, not for gc to throw away.
        let Ok(mut doc) = container::load(&id) else { continue };
        let half_made = doc.is_partial();
        let passing = container::is_volatile(&doc) || container::is_provisional(&doc) || half_made;
        if passing && container::is_orphan(&id) {
            let whole = doc.clone();
            let mut errors = steps::undo_all(&doc, &[]);
            for step in doc.steps()?.iter().rev().filter(|step| step.tool == OverlayMount::NAME) {
                errors.extend(undo::undo(&mut doc, &step.undo).err());
            }
            if half_made {
                errors.extend(undo::undo(&mut whole.clone(), &json!({"id": id, "claimed": true})).err());
            }
            if errors.is_empty() {
                removed.push(json!({"removed": "container", "path": container::dir(&id)}));
            }
            for e in &errors {
                trace::warn(&e.to_string());
            }
        }
    }
    let lock = Lock::store()?;
    for m in mountinfo::read()? {
        if let Some(id) = layers::id_of_point(&m.point)
            && container::is_gone(&id)
        {
            trace::act("unmount", || json!({"target": m.point}), || mount::unmount(&m.point))?;
            removed.push(json!({"removed": "mount", "path": m.point}));
        }
    }
    removed.extend(container::gc(lock)?.into_iter().map(|path| json!({"removed": "directory", "path": path})));
    Ok(removed)
}
