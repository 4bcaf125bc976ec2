//! Finds the groups that crashes left: by their names, in every hierarchy.

use crate::alone;
use ctr_cgroup::{Group, Groups, found};
use ctr_core::{Result, Value, container, ident, json, trace};
use std::{collections::BTreeMap, path::PathBuf};

/// Ends and removes the groups of containers that are gone, and of commands whose cg-limit is.
///
/// A container is claimed before its groups are made, and they go before it does: one that is not there has nobody who
/// makes them.
pub fn gc() -> Result<Vec<Value>> {
    let mut gone: BTreeMap<PathBuf, Vec<Group>> = BTreeMap::new();
    for (name, group) in found()? {
        let is_gone = if ident::is_id(&name) { !container::dir(&name).exists() } else { alone::is_left(&name) };
        if is_gone {
            gone.entry(group.path.clone()).or_default().push(group);
        }
    }
    let mut removed = Vec::new();
    for list in gone.into_values() {
        let groups = Groups { list, ..Groups::default() };
        if let Err(e) = groups.end() {
            trace::warn(&e.to_string());
        }
        let gone = groups.list.iter().filter(|group| trace::dry_run() || !group.exists());
        removed.extend(gone.map(|group| json!({"removed": "cgroup", "path": group.dir()})));
    }
    Ok(removed)
}
