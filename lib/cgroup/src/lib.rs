//! Control groups (cgroups(7); kernel, cgroup-v2.rst and cgroup-v1/): where the hierarchies are, and the groups of one
//! container in them.
//!
//! Version 2 is one hierarchy for all controllers, version 1 a hierarchy a controller, and hybrid hosts have both: a
//! version 2 tree without controllers, that can still freeze and kill, beside those of version 1.

pub mod devices;
mod found;
mod group;
mod layout;
pub mod limits;
mod make;
mod mark;
mod oom;
mod place;
pub mod resources;
pub mod section;
pub mod sys;

pub use found::{Found, found};
pub use group::Group;
pub use layout::{Hierarchy, Layout};
pub use mark::Mark;
pub use oom::Oom;
pub use place::{instance, instance_of, is_group_path, named, named_by, path_of, plain};
pub use resources::Resources;
pub use section::Cgroup;

use ctr_core::{Cannot, Code, Error, Process, Result};
use rustix::fs::{Mode, OFlags};
use std::{fs::File, os::fd::OwnedFd, path::Path};

/// Kills whoever is left in the groups of container `id` at `path`, and takes away what its processes made below them, so
/// that it can be started in them again; those of another path are not its own to end.
///
/// # Errors
/// `busy` where one does not die; `denied`.
pub fn end(path: &Path, id: &str) -> Result<()> {
    let Some(path) = plain(path).filter(|path| is_group_path(path, id)) else { return Ok(()) };
    let layout = Layout::read()?;
    // All processes are in every hierarchy's group alike; version 2 kills them at once.
    let mut list: Vec<Group> = layout.groups(&path).filter(Group::exists).collect();
    list.sort_by_key(|group| group.hierarchy.version != 2);
    let groups = Groups { list, ..Groups::default() };
    groups.kill_frozen()?;
    groups.list.first().map_or(Ok(()), Group::kill)?;
    groups.list.iter().try_for_each(Group::clear)
}

/// The groups that a process is to be in, one a hierarchy.
#[derive(Debug, Default)]
pub struct Groups {
    /// There is one hierarchy for all controllers.
    pub unified: bool,
    /// Its group in each hierarchy.
    pub list: Vec<Group>,
    /// Whether they are others than this process's own: it has to be put there.
    pub named: bool,
}

impl Groups {
    /// Those at `path` (runtime-spec, `linux.cgroupsPath`), or without one those of this process.
    ///
    /// # Errors
    /// `invalid` if the path has `..` in it; `not-found` if no hierarchy has such a group.
    pub fn find(path: Option<&Path>) -> Result<Self> {
        let layout = Layout::read()?;
        let unified = layout.is_unified();
        let Some(path) = path else {
            return Ok(Self { unified, list: layout.own().collect(), named: false });
        };
        let list = plain(path).ok_or_else(|| Error::new(Code::Invalid, "cgroupsPath has '..' in it"))?;
        let list: Vec<Group> = layout.groups(&list).filter(Group::exists).collect();
        if list.is_empty() {
            return Err(Error::new(Code::NotFound, format!("no control group {}", path.display()))
                .hint("put cg-limit before this tool"));
        }
        Ok(Self { unified, list, named: true })
    }

    /// The groups of `process` that are not this process's too.
    ///
    /// # Errors
    /// `not-found` for a process that is gone.
    pub fn beside(process: Process) -> Result<Self> {
        let own = Layout::read()?;
        let theirs = Layout::of_process(process.pid)?;
        let mine: Vec<Group> = own.own().collect();
        let list: Vec<Group> = theirs.own().filter(|group| !mine.contains(group)).collect();
        Ok(Self { unified: own.is_unified(), named: !list.is_empty(), list })
    }

    /// The version 2 group to clone into (`CLONE_INTO_CGROUP`): no moment outside of it, no write.
    ///
    /// # Errors
    /// `not-found` for a group that is gone.
    pub fn clone_into(&self) -> Result<Option<OwnedFd>> {
        let Some(group) = self.list.iter().find(|group| self.named && group.hierarchy.version == 2) else {
            return Ok(None);
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = group.dir();
        rustix::fs::open(&dir, flags, Mode::empty())
            .map(Some)
            .cannot(|| format!("open control group {}", dir.display()))
    }

    /// The version 1 groups, each as the open file by which a process of one thread joins it: it writes "0".
    ///
    /// Only so it costs nothing. To move another process, or one of several threads, the kernel stops every fork and exit
    /// of the machine, and waits for an RCU grace period first (`cgroup_attach_lock`): 13 ms on an idle machine.
    ///
    /// # Errors
    /// `not-found` for a group that is gone, `denied`.
    pub fn doors(&self) -> Result<Vec<File>> {
        let groups = self.list.iter().filter(|group| self.named && group.hierarchy.version == 1);
        groups
            .map(|group| {
                let tasks = group.dir().join("tasks");
                File::options().write(true).open(&tasks).cannot(|| format!("open {}", tasks.display()))
            })
            .collect()
    }
}
