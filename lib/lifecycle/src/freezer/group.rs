//! A control group that can be frozen (kernel, cgroup-v2.rst and freezer-subsystem.rst).

use super::place::{DIR, plain};
use ctr_core::{Cannot, Result};
use std::{collections::BTreeSet, fs, io::ErrorKind, path::PathBuf, thread::sleep, time::Duration};

/// How often a removal is tried.
const PASSES: usize = 50;

/// One group in one hierarchy.
#[derive(Clone)]
pub struct Group {
    pub(super) hierarchy: PathBuf,
    pub(super) version: u8,
    pub(super) path: PathBuf,
    pub(super) ours: bool,
}

impl Group {
    /// Its directory.
    pub fn dir(&self) -> PathBuf {
        self.hierarchy.join(&self.path)
    }

    /// Whether it was made for freezing, and goes after it.
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// The processes in it and in the groups below it.
    pub fn processes(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        let mut dirs = vec![self.dir()];
        while let Some(dir) = dirs.pop() {
            let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            let below = fs::read_dir(&dir).into_iter().flatten().flatten();
            dirs.extend(below.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
        }
        found
    }

    /// Moves process `pid` into it; one that is gone is no failure.
    pub fn take(&self, pid: i32) -> Result<()> {
        match fs::write(self.dir().join("cgroup.procs"), pid.to_string()) {
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(()),
            other => other.cannot(|| format!("move process {pid} to control group {}", self.dir().display())),
        }
    }

    /// Says that it is to be frozen, or to go on.
    pub fn set_frozen(&self, frozen: bool) -> Result<()> {
        let (file, text) = match (self.version, frozen) {
            (1, true) => ("freezer.state", "FROZEN"),
            (1, false) => ("freezer.state", "THAWED"),
            (_, true) => ("cgroup.freeze", "1"),
            (_, false) => ("cgroup.freeze", "0"),
        };
        let file = self.dir().join(file);
        fs::write(&file, text).cannot(|| format!("write {}", file.display()))
    }

    /// Whether it was said that it is to be frozen.
    pub fn is_freezing(&self) -> bool {
        match self.version {
            1 => self.reads("freezer.state", |text| text.trim_end() != "THAWED"),
            _ => self.reads("cgroup.freeze", |text| text.trim_end() == "1"),
        }
    }

    /// Whether every process in it stands still.
    pub fn is_frozen(&self) -> bool {
        match self.version {
            1 => self.reads("freezer.state", |text| text.trim_end() == "FROZEN"),
            _ => self.reads("cgroup.events", |text| text.lines().any(|line| line == "frozen 1")),
        }
    }

    fn reads(&self, file: &str, says: impl FnOnce(&str) -> bool) -> bool {
        fs::read_to_string(self.dir().join(file)).is_ok_and(|text| says(&text))
    }

    /// The group that process `pid` is in, in this hierarchy.
    pub fn of(&self, pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let here = if self.version == 1 { controllers.split(',').any(|c| c == "freezer") } else { number == "0" };
            here.then(|| plain(path)).flatten()
        })?;
        let group = Self { path, ours: false, ..self.clone() };
        (group.path != self.path && group.dir().is_dir()).then_some(group)
    }

    /// Removes it, and the directory above, if nobody is in them. A process that just died may be in the way for a
    /// moment.
    pub fn remove(&self) -> Option<PathBuf> {
        let mut removed = Err(ErrorKind::ResourceBusy.into());
        for _ in 0..PASSES {
            removed = fs::remove_dir(self.dir());
            let is_busy = removed.as_ref().is_err_and(|e| e.kind() == ErrorKind::ResourceBusy);
            if !is_busy || !self.processes().is_empty() {
                break;
            }
            sleep(Duration::from_millis(1));
        }
        let _ = fs::remove_dir(self.hierarchy.join(DIR));
        removed.ok().map(|()| self.dir())
    }
}
