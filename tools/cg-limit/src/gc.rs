//! Finds the groups that crashes left: by their names, in every hierarchy.

use crate::alone;
use ctr_cgroup::{Group, found};
use ctr_core::{Result, Value, container, ident, json, trace};

/// Ends and removes the groups of containers that are gone, and of commands whose cg-limit is.
///
/// A container is claimed before its groups are made, and they go before it does: one that is not there has nobody who
/// makes them.
pub fn gc() -> Result<Vec<Value>> {
    let mut removed = Vec::new();
    for (name, group) in found()? {
        let gone = if ident::is_id(&name) { !container::dir(&name).exists() } else { alone::is_left(&name) };
        if gone {
            match Group::end(&group) {
                Ok(true) => removed.push(json!({"removed": "cgroup", "path": group.dir()})),
                Ok(false) => {}
                Err(e) => trace::warn(&e.to_string()),
            }
        }
    }
    Ok(removed)
}
