//! The control group of the process: found from `cgroupsPath`, entered before the process goes on.

use ctr_core::{Cannot, Code, Error, Process, Result, json, trace};
use oci_spec::runtime::Linux;
use rustix::fs::{Mode, OFlags};
use std::{
    fs,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

const MOUNT: &str = "/sys/fs/cgroup";

/// The groups of the container, one a hierarchy.
pub struct Groups {
    /// One hierarchy for all controllers (cgroups(7), version 2).
    pub unified: bool,
    /// Its group in each hierarchy.
    pub list: Vec<Group>,
    /// Whether the spec names the group: the process is put there. Else it stays in the caller's.
    pub named: bool,
}

/// The group in one hierarchy.
pub struct Group {
    /// The hierarchy's directory below `/sys/fs/cgroup`: its controllers, as in `cpu,cpuacct`; empty in version 2.
    pub hierarchy: String,
    /// Where the group is.
    pub dir: PathBuf,
}

/// The group that the spec names; an empty path is none.
pub fn named(linux: &Linux) -> Option<&Path> {
    linux.cgroups_path().as_deref().filter(|path| !path.as_os_str().is_empty())
}

impl Groups {
    /// The groups that `path` (`linux.cgroupsPath`) names, or those of this process.
    ///
    /// # Errors
    /// `invalid` if the path has `..` in it; `not-found` if no hierarchy has such a group.
    pub fn find(path: Option<&Path>) -> Result<Self> {
        if path.is_some_and(|p| p.components().any(|c| c == Component::ParentDir)) {
            return Err(Error::new(Code::Invalid, "cgroupsPath has '..' in it"));
        }
        let unified = is_unified();
        let own = fs::read_to_string("/proc/self/cgroup").cannot(|| "read /proc/self/cgroup")?;
        let list: Vec<Group> = own
            .lines()
            .filter_map(|line| Group::parse(line, path))
            .filter(|g| !unified || g.hierarchy.is_empty())
            .filter(|g| path.is_none() || g.dir.is_dir())
            .collect();
        match path {
            Some(path) if list.is_empty() => {
                Err(Error::new(Code::NotFound, format!("no control group {}", path.display()))
                    .hint("put cg-limit before this tool"))
            }
            _ => Ok(Self { unified, list, named: path.is_some() }),
        }
    }

    /// The groups of `process` that are not this process's too.
    pub fn beside(process: Process) -> Result<Self> {
        let theirs = format!("/proc/{}/cgroup", process.pid);
        let theirs = fs::read_to_string(&theirs).cannot(|| format!("read {theirs}"))?;
        let own = fs::read_to_string("/proc/self/cgroup").cannot(|| "read /proc/self/cgroup")?;
        let unified = is_unified();
        let list: Vec<Group> = theirs
            .lines()
            .filter(|line| !own.lines().any(|mine| mine == *line))
            .filter_map(|line| Group::parse(line, None))
            .filter(|g| !unified || g.hierarchy.is_empty())
            .collect();
        Ok(Self { unified, named: !list.is_empty(), list })
    }

    /// The directory to clone into (`CLONE_INTO_CGROUP`, version 2): no moment outside of it, no write.
    pub fn clone_into(&self) -> Result<Option<OwnedFd>> {
        let Some(group) = self.list.first().filter(|_| self.named && self.unified) else { return Ok(None) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&group.dir, flags, Mode::empty())
            .map(Some)
            .cannot(|| format!("open control group {}", group.dir.display()))
    }

    /// Whether the parent has to move the new process (version 1).
    pub fn must_place(&self) -> bool {
        self.named && !self.unified
    }

    /// Moves process `pid` into the groups.
    pub fn place(&self, pid: i32) -> Result<()> {
        for group in &self.list {
            let procs = group.dir.join("cgroup.procs");
            trace::act(
                "cgroup",
                || json!({"write": procs, "pid": pid}),
                || fs::write(&procs, pid.to_string()).cannot(|| format!("write {}", procs.display())),
            )?;
        }
        Ok(())
    }
}

fn is_unified() -> bool {
    rustix::fs::statfs(MOUNT).is_ok_and(|s| s.f_type == libc::CGROUP2_SUPER_MAGIC)
}

impl Group {
    /// A line of `/proc/PID/cgroup`: `4:cpu,cpuacct:/path`. The `0::` hierarchy of a hybrid layout is at `unified`.
    fn parse(line: &str, named: Option<&Path>) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, own) = (fields.next()?, fields.next()?, fields.next()?);
        let hierarchy = controllers.strip_prefix("name=").unwrap_or(controllers);
        let path = named.unwrap_or(Path::new(own));
        let path = path.strip_prefix("/").unwrap_or(path);
        if path.components().any(|c| c == Component::ParentDir) {
            return None; // outside of what our cgroup namespace shows
        }
        let mut dir = PathBuf::from(MOUNT);
        if number == "0" {
            if rustix::fs::statfs("/sys/fs/cgroup/unified").is_ok_and(|s| s.f_type == libc::CGROUP2_SUPER_MAGIC) {
                dir.push("unified");
            }
        } else {
            dir.push(hierarchy);
        }
        Some(Self { hierarchy: hierarchy.to_owned(), dir: dir.join(path) })
    }
}
