//! Which hierarchies this machine has, and where.

use crate::{Group, plain};
use ctr_core::{Cannot, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where every distribution mounts them.
const MOUNT: &str = "/sys/fs/cgroup";
// linux/magic.h.
const CGROUP1: i64 = 0x0027_e0eb;
const CGROUP2: i64 = 0x6367_7270;

/// One hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// 1 or 2.
    pub version: u8,
    /// What `/proc/PID/cgroup` calls it: the controllers of a version 1 one, as in `cpu,cpuacct`; a name without
    /// controllers, as in `systemd`; empty for version 2.
    pub name: String,
    /// Where it is mounted.
    pub dir: PathBuf,
    /// It has a name instead of controllers.
    pub is_named: bool,
}

impl Hierarchy {
    /// Whether `controller` is there to be used. In version 2 that is the kernel's answer at the root of what is seen.
    pub fn has(&self, controller: &str) -> bool {
        if self.version == 1 {
            return !self.is_named && self.name.split(',').any(|name| name == controller);
        }
        let text = fs::read_to_string(self.dir.join("cgroup.controllers")).unwrap_or_default();
        text.split_ascii_whitespace().any(|name| name == controller)
    }
}

/// The hierarchies, each with the path of one process's group in it.
#[derive(Debug)]
pub struct Layout {
    list: Vec<(Arc<Hierarchy>, Option<PathBuf>)>,
    unified: bool,
}

impl Layout {
    /// As this process sees them.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn read() -> Result<Self> {
        Self::parse("/proc/self/cgroup")
    }

    /// The same, with the groups of process `pid`.
    ///
    /// # Errors
    /// `not-found` for a process that is gone.
    pub fn of_process(pid: i32) -> Result<Self> {
        Self::parse(&format!("/proc/{pid}/cgroup"))
    }

    fn parse(file: &str) -> Result<Self> {
        let text = fs::read_to_string(file).cannot(|| format!("read {file}"))?;
        let unified = is(Path::new(MOUNT), CGROUP2);
        let list = text.lines().filter_map(|line| hierarchy(line, unified)).collect();
        Ok(Self { list, unified })
    }

    /// Whether there is one hierarchy for all controllers.
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// Every hierarchy that is mounted.
    pub fn hierarchies(&self) -> impl Iterator<Item = &Arc<Hierarchy>> {
        self.list.iter().map(|(hierarchy, _)| hierarchy)
    }

    /// The hierarchy of version 2.
    pub fn version_2(&self) -> Option<&Arc<Hierarchy>> {
        self.hierarchies().find(|hierarchy| hierarchy.version == 2)
    }

    /// The hierarchy that has `controller`.
    pub fn of(&self, controller: &str) -> Option<&Arc<Hierarchy>> {
        self.hierarchies().find(|hierarchy| hierarchy.has(controller))
    }

    /// The group at `path` in each hierarchy, whether it is there or not.
    pub fn groups(&self, path: &Path) -> impl Iterator<Item = Group> {
        self.hierarchies().map(move |hierarchy| Group::new(hierarchy.clone(), path.to_owned()))
    }

    /// The process's own group in each hierarchy; none where it is outside of what our cgroup namespace shows.
    pub fn own(&self) -> impl Iterator<Item = Group> {
        self.list.iter().filter_map(|(hierarchy, path)| Some(Group::new(hierarchy.clone(), path.clone()?)))
    }
}

/// Whether a file system of that kind is there; an empty directory may be all that is left of one.
fn is(dir: &Path, kind: i64) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|fs| fs.f_type == kind)
}

/// A line of `/proc/PID/cgroup`, `4:cpu,cpuacct:/path`, if what it names is mounted.
fn hierarchy(line: &str, unified: bool) -> Option<(Arc<Hierarchy>, Option<PathBuf>)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let version = if number == "0" { 2 } else { 1 };
    let bare = controllers.strip_prefix("name=");
    let name = bare.unwrap_or(controllers);
    let dir = match (version, unified) {
        (2, true) => PathBuf::from(MOUNT),
        (2, false) => Some(Path::new(MOUNT).join("unified")).filter(|dir| is(dir, CGROUP2))?,
        (_, true) => return None,
        (_, false) => Some(Path::new(MOUNT).join(name)).filter(|dir| is(dir, CGROUP1))?,
    };
    let hierarchy = Hierarchy { version, name: name.to_owned(), dir, is_named: bare.is_some() };
    Some((Arc::new(hierarchy), plain(Path::new(path))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn version_1_controllers_are_in_the_name() {
        let both = Hierarchy { version: 1, name: "cpu,cpuacct".to_owned(), dir: PathBuf::new(), is_named: false };
        assert!(both.has("cpuacct") && !both.has("cpuset"));
        let named = Hierarchy { name: "memory".to_owned(), is_named: true, ..both };
        assert!(!named.has("memory"), "a name is no controller");
    }

    #[test]
    fn a_unified_host_has_one() {
        assert!(hierarchy("4:memory:/a", true).is_none());
        let (hierarchy, path) = hierarchy("0::/../a", true).unwrap();
        assert_eq!((hierarchy.version, hierarchy.dir.as_path(), path), (2, Path::new(MOUNT), None));
    }
}
