//! Finds the groups that crashes left: by their names and marks, in every hierarchy.

use crate::alone;
use ctr_cgroup::{Found, Group, Groups, Mark, found};
use ctr_core::{Result, Value, container, ident, json, trace};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// Ends and removes the groups of containers that are gone, and of commands whose cg-limit is.
///
/// A container is claimed before its groups are made, and they go before it does: one that is not there has nobody who
/// makes them. Nothing is killed in a group that another made: a ctr of another root, or in a container.
pub fn gc() -> Result<Vec<Value>> {
    let own = Mark::own();
    let mut gone: BTreeMap<PathBuf, Vec<Group>> = BTreeMap::new();
    let mut removed = Vec::new();
    for Found { name, group, mark } in found()? {
        let is_gone = || if ident::is_id(&name) { container::is_gone(&name) } else { alone::is_left(&name) };
        let is_ours = |mark: &Mark| {
            if ident::is_id(&name) { mark.is_of_root(&own) } else { mark.is_of_pid_namespace(&own) }
        };
        match mark {
            Some(mark) if is_ours(&mark) && is_gone() => gone.entry(group.path.clone()).or_default().push(group),
            None if is_gone() => removed.extend(never_marked(&group)),
            _ => {}
        }
    }
    for list in gone.into_values() {
        let groups = Groups { list, ..Groups::default() };
        if let Err(e) = groups.end() {
            trace::warn(&e.to_string());
        }
        removed.extend(groups.list.iter().filter(|group| trace::dry_run() || !group.exists()).map(line));
    }
    Ok(removed)
}

/// Its maker was killed between two system calls, and then nobody is in it, and nothing below it: so the kernel says.
/// A maker that lives makes it again ([`Group::make`]).
fn never_marked(group: &Group) -> Option<Value> {
    let dir = group.dir();
    if !group.processes().is_empty() {
        return None;
    }
    let gone = trace::act("rmdir", || json!({"cgroup": dir}), || Ok(fs::remove_dir(&dir).is_ok())).ok()?;
    if !gone {
        return None;
    }
    group.remove_empty_above();
    Some(line(group))
}

fn line(group: &Group) -> Value {
    json!({"removed": "cgroup", "path": group.dir()})
}
