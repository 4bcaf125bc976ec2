//! Where groups that can be frozen are: in the version 2 tree, which hybrid hosts have beside the others, else in
//! version 1's freezer hierarchy.

use super::group::Group;
use ctr_core::{Cannot, Code, Document, Error, Result, Value, ident};
use rustix::fs::statfs;
use std::{
    fs,
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

/// linux/magic.h.
const CGROUP2: i64 = 0x6367_7270;
const CGROUP1: i64 = 0x0027_e0eb;

/// Where groups that are made for freezing lie in a hierarchy, each named by its container's id.
pub const DIR: &str = "ctr";

impl Group {
    /// The group of the container where there is one: that which its document names, or one that was made for freezing.
    pub fn find(doc: &Document) -> Option<Self> {
        Self::candidates(doc).into_iter().find(|group| group.dir().is_dir())
    }

    /// The same, or one made now.
    pub fn make(doc: &Document) -> Result<Self> {
        if let Some(group) = Self::find(doc) {
            return Ok(group);
        }
        let group = Self::candidates(doc).into_iter().find(Self::is_ours).ok_or_else(|| {
            Error::new(Code::Unsupported, "there is neither cgroup v2 nor a freezer below /sys/fs/cgroup")
        })?;
        // Another, whose container is thawed, may just take the directory above away.
        let mut made = Ok(());
        for _ in 0..10 {
            made = fs::create_dir_all(group.dir());
            if !made.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
                break;
            }
        }
        made.cannot(|| format!("make control group {}", group.dir().display()))?;
        Ok(group)
    }

    /// Every group that was made for freezing, with the id of its container.
    pub fn made() -> Vec<(String, Self)> {
        let mut found = Vec::new();
        for (hierarchy, version) in hierarchies() {
            let names = fs::read_dir(hierarchy.join(DIR)).into_iter().flatten().flatten();
            let ids = names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| ident::is_id(name));
            found.extend(ids.map(|id| {
                let path = Path::new(DIR).join(&id);
                (id, Self { hierarchy: hierarchy.clone(), version, path, ours: true })
            }));
        }
        found
    }

    fn candidates(doc: &Document) -> Vec<Self> {
        let named = named(doc).map(|path| (path, false));
        let made = doc.str("id").filter(|id| ident::is_id(id)).map(|id| (Path::new(DIR).join(id), true));
        let paths = named.into_iter().chain(made);
        paths
            .flat_map(|(path, ours)| {
                let in_each = |(hierarchy, version)| Self { hierarchy, version, path: path.clone(), ours };
                hierarchies().into_iter().map(in_each).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Hierarchies that can freeze, the better one first.
fn hierarchies() -> Vec<(PathBuf, u8)> {
    [("/sys/fs/cgroup", 2), ("/sys/fs/cgroup/unified", 2), ("/sys/fs/cgroup/freezer", 1)]
        .into_iter()
        .filter(|(dir, version)| {
            statfs(*dir).is_ok_and(|fs| fs.f_type == if *version == 2 { CGROUP2 } else { CGROUP1 })
        })
        .map(|(dir, version)| (PathBuf::from(dir), version))
        .collect()
}

/// The group that the document says the container is in.
fn named(doc: &Document) -> Option<PathBuf> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).and_then(plain).filter(|p| *p != Path::new(""));
    text(doc.get("cgroup").and_then(|c| c.get("path")))
        .or_else(|| text(doc.get("spec").and_then(|s| s.get("linux")).and_then(|l| l.get("cgroupsPath"))))
}

/// A path beneath a hierarchy; none that leads out of it, and not all of it.
pub fn plain(path: &str) -> Option<PathBuf> {
    let path = Path::new(path.trim_start_matches('/'));
    path.components().all(|c| matches!(c, Component::Normal(_))).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_beneath_the_hierarchy() {
        assert_eq!(plain("/a/b"), Some(PathBuf::from("a/b")));
        assert_eq!(plain("/"), Some(PathBuf::new()));
        assert_eq!(plain("/a/../../b"), None);
    }
}
