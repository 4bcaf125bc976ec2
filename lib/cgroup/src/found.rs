//! The groups of this root that there are, whoever made them: by the directory they are in, for no log is kept.

use crate::{Group, Layout, instance};
use ctr_core::Result;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The groups below any directory named [`instance`], in every hierarchy that has limits, each with its name: the id of
/// its container, or what else its maker called it.
///
/// # Errors
/// Where `/proc` cannot be read.
pub fn found() -> Result<Vec<(String, Group)>> {
    let mut all = Vec::new();
    for hierarchy in Layout::read()?.hierarchies().filter(|h| !h.is_named) {
        for path in holders(&hierarchy.dir) {
            let names = directories(&hierarchy.dir.join(&path));
            all.extend(names.map(|name| (name.clone(), Group::new(hierarchy.clone(), path.join(name)))));
        }
    }
    Ok(all)
}

/// The directories that hold groups of ours, beneath `top`; what is in them is not looked through.
fn holders(top: &Path) -> Vec<PathBuf> {
    let ours = instance();
    let (mut found, mut next) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(path) = next.pop() {
        for name in directories(&top.join(&path)) {
            if name == ours { found.push(path.join(name)) } else { next.push(path.join(name)) }
        }
    }
    found
}

fn directories(dir: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
}
