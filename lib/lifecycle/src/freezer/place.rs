//! Which group of a container is frozen: in the version 2 tree, which hybrid hosts have beside the others, else in
//! version 1's freezer hierarchy.

use ctr_cgroup::{Group, Hierarchy, Layout, instance, named, path_of};
use ctr_core::{Code, Document, Error, Result, ident};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A group that can be frozen.
#[derive(Clone)]
pub struct Place {
    /// Where it is.
    pub group: Group,
    /// It was made for freezing, and goes after it.
    pub ours: bool,
}

impl Place {
    /// That of the container where there is one: the one its document names, or one that was made for freezing.
    pub fn find(doc: &Document) -> Option<Self> {
        candidates(doc).into_iter().find(|place| place.group.exists())
    }

    /// The same, or one made now.
    pub fn make(doc: &Document) -> Result<Self> {
        let candidates = candidates(doc);
        if let Some(place) = candidates.iter().find(|place| place.group.exists()) {
            return Ok(place.clone());
        }
        let place = candidates.into_iter().find(|place| place.ours).ok_or_else(|| {
            Error::new(Code::Unsupported, "there is neither cgroup v2 nor a freezer below /sys/fs/cgroup")
        })?;
        place.group.make()?;
        Ok(place)
    }
}

/// Every group that lies where those for freezing are made, with the id of its container.
pub fn made() -> Vec<(String, Group)> {
    let mut found = Vec::new();
    for hierarchy in hierarchies() {
        let names = fs::read_dir(hierarchy.dir.join(instance())).into_iter().flatten().flatten();
        let ids = names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| ident::is_id(name));
        found.extend(ids.map(|id| {
            let path = path_of(Path::new(""), &id);
            (id, Group::new(hierarchy.clone(), path))
        }));
    }
    found
}

fn candidates(doc: &Document) -> Vec<Place> {
    let named = named(doc).map(|path| (path, false));
    let made = doc.str("id").filter(|id| ident::is_id(id)).map(|id| (path_of(Path::new(""), id), true));
    let in_each = |(path, ours): (PathBuf, bool)| {
        hierarchies().into_iter().map(move |hierarchy| Place { group: Group::new(hierarchy, path.clone()), ours })
    };
    named.into_iter().chain(made).flat_map(in_each).collect()
}

/// Hierarchies that can freeze, the better one first.
fn hierarchies() -> Vec<Arc<Hierarchy>> {
    let Ok(layout) = Layout::read() else { return Vec::new() };
    layout.version_2().into_iter().chain(layout.of("freezer").filter(|h| h.version == 1)).cloned().collect()
}
