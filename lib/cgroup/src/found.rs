//! The groups that have our names, whoever made them: by the directory they are in, for no log is kept.

use crate::{Group, Layout, Mark, instance};
use ctr_core::Result;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A group below a directory named [`instance`].
#[derive(Clone, Debug)]
pub struct Found {
    /// The id of its container, or what else its maker called it.
    pub name: String,
    /// Where it is.
    pub group: Group,
    /// Who made it; none where its maker was killed before it said so, or may not, or is none of us.
    pub mark: Option<Mark>,
}

/// All of them, in every hierarchy that has limits.
///
/// # Errors
/// Where `/proc` cannot be read.
pub fn found() -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for hierarchy in Layout::read()?.hierarchies().filter(|h| !h.is_named) {
        for path in holders(&hierarchy.dir) {
            all.extend(directories(&hierarchy.dir.join(&path)).map(|name| {
                let group = Group::new(hierarchy.clone(), path.join(&name));
                Found { name, mark: Mark::of(&group.dir()), group }
            }));
        }
    }
    Ok(all)
}

/// The directories that hold groups with our names, beneath `top`; what is in them is not looked through.
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
