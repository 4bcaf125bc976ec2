//! One group in one hierarchy: who is in it, stopping and ending them, its removal.

use crate::{Hierarchy, Layout, Mark};
use ctr_core::{Cannot, Result, container};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a process that just died may be in the way of a removal.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group, whether it is there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is in.
    pub hierarchy: Arc<Hierarchy>,
    /// Its path in that, without a slash before it.
    pub path: PathBuf,
}

impl Group {
    /// The group at `path`, which is [`plain`](crate::plain).
    pub fn new(hierarchy: Arc<Hierarchy>, path: PathBuf) -> Self {
        Self { hierarchy, path }
    }

    /// Its directory.
    pub fn dir(&self) -> PathBuf {
        self.hierarchy.dir.join(&self.path)
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.dir().is_dir()
    }

    /// The group above it; none above the root.
    pub fn above(&self) -> Option<Self> {
        let above = self.path.parent()?;
        Some(Self::new(self.hierarchy.clone(), above.to_owned()))
    }

    /// Whether it has a file of that name. One that is not there yet (`--dry-run`) is taken to have it.
    pub fn offers(&self, file: &str) -> bool {
        self.dir().join(file).exists() || !self.exists()
    }

    /// Makes it, and what is above it, and marks it as ours.
    ///
    /// # Errors
    /// `denied` where the file system is read-only or not ours.
    pub fn make(&self) -> Result<()> {
        let mut made = Ok(());
        // Another that ends its container may just take the directory above away, a gc the group that has no mark yet.
        for _ in 0..10 {
            made = fs::create_dir_all(self.dir()).and_then(|()| Mark::own().put_on(&self.dir()));
            if !made.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
                break;
            }
        }
        made.cannot(|| format!("make control group {}", self.dir().display()))
    }

    /// Reads one of its files.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.dir().join(file))
    }

    /// Writes one of its files, in one write(2).
    ///
    /// # Errors
    /// `not-found` for a file that this kernel does not have, `denied`; else what the kernel makes of the value.
    pub fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.dir().join(file);
        // Not created where it is not there: in cgroupfs that is EPERM, which would tell another story.
        let opened = fs::File::options().write(true).open(&path);
        let written = opened.and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()));
        written.cannot(|| format!("write {value} to {}", path.display()))
    }

    /// The processes in it and in the groups below it.
    pub fn processes(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for group in self.tree() {
            let text = group.read("cgroup.procs").unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        found
    }

    /// Moves process `pid` into it; one that is gone is no failure.
    ///
    /// # Errors
    /// `denied`; `not-found` for a group that is gone.
    pub fn take(&self, pid: i32) -> Result<()> {
        match fs::write(self.dir().join("cgroup.procs"), pid.to_string()) {
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(()),
            other => other.cannot(|| format!("move process {pid} to control group {}", self.dir().display())),
        }
    }

    /// Says that it is to be frozen, or to go on (version 2, and version 1's freezer).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn set_frozen(&self, frozen: bool) -> Result<()> {
        match (self.hierarchy.version, frozen) {
            (1, true) => self.write("freezer.state", "FROZEN"),
            (1, false) => self.write("freezer.state", "THAWED"),
            (_, true) => self.write("cgroup.freeze", "1"),
            (_, false) => self.write("cgroup.freeze", "0"),
        }
    }

    /// Whether it was said that it is to be frozen.
    pub fn is_freezing(&self) -> bool {
        match self.hierarchy.version {
            1 => self.read("freezer.state").is_ok_and(|text| text.trim_end() != "THAWED"),
            _ => self.read("cgroup.freeze").is_ok_and(|text| text.trim_end() == "1"),
        }
    }

    /// Whether every process in it stands still.
    pub fn is_frozen(&self) -> bool {
        match self.hierarchy.version {
            1 => self.read("freezer.state").is_ok_and(|text| text.trim_end() == "FROZEN"),
            _ => self.read("cgroup.events").is_ok_and(|text| text.lines().any(|line| line == "frozen 1")),
        }
    }

    /// The group that process `pid` is in, in this hierarchy, if it is another.
    pub fn of(&self, pid: i32) -> Option<Self> {
        let theirs = Layout::of_process(pid).ok()?;
        let group = theirs.own().find(|group| group.hierarchy == self.hierarchy)?;
        (group.path != self.path && group.exists()).then_some(group)
    }

    /// Kills every process in it and waits until all are gone: version 2 does that at once (`cgroup.kill`), version 1 a
    /// process at a time, until no new one is found.
    ///
    /// # Errors
    /// `busy` where one of them does not die.
    pub fn kill(&self) -> Result<()> {
        if self.processes().is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        loop {
            let at_once = self.hierarchy.version == 2 && self.write("cgroup.kill", "1").is_ok();
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            for pid in left.iter().filter(|_| !at_once) {
                self.kill_one(*pid)?;
            }
            if start.elapsed() > PATIENCE {
                let message = format!("process {:?} in control group {} does not die", left, self.path.display());
                return Err(ctr_core::Error::new(ctr_core::Code::Busy, message));
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Whether it is to be frozen, or a group below it: a container may freeze its own.
    pub(crate) fn is_freezing_within(&self) -> bool {
        self.tree().any(|group| group.is_freezing())
    }

    /// Version 1's freezer: freezes it, kills every process in it and the groups below, and lets all of these go on, to
    /// their end. A frozen process forks no other, and dies when it is thawed (kernel, cgroup-v1/freezer-subsystem.rst).
    ///
    /// # Errors
    /// `denied`.
    pub(crate) fn kill_frozen(&self) -> Result<()> {
        self.set_frozen(true)?;
        // One that waits for a device freezes late; it forks nothing meanwhile.
        let start = Instant::now();
        while !self.is_frozen() && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(1));
        }
        let killed = self.processes().into_iter().try_for_each(|pid| self.kill_one(pid));
        let thawed = self.tree().try_for_each(|group| group.set_frozen(false));
        killed.and(thawed)
    }

    /// Kills one process if it is in the group still: its number may be another's by now, but not its descriptor.
    fn kill_one(&self, pid: i32) -> Result<()> {
        let Some(start) = container::process_start(pid) else { return Ok(()) };
        let Some(handle) = container::Handle::of(ctr_core::Process { pid, pid_start: start })? else { return Ok(()) };
        if self.processes().contains(&pid) { handle.signal(9).map(drop) } else { Ok(()) }
    }

    /// Removes the groups below it, and in version 2 hands no controllers on any more: a group that does can have no
    /// process of its own (kernel, cgroup-v2.rst, No Internal Process Constraint).
    ///
    /// # Errors
    /// `busy` where somebody is in one of them; `denied`.
    pub fn clear(&self) -> Result<()> {
        for group in self.tree().skip(1).collect::<Vec<_>>().iter().rev() {
            let dir = group.dir();
            remove_dir(&dir).cannot(|| format!("remove control group {}", dir.display()))?;
        }
        if self.hierarchy.version == 2 {
            let handed = self.read("cgroup.subtree_control").unwrap_or_default();
            let off: Vec<String> = handed.split_ascii_whitespace().map(|word| format!("-{word}")).collect();
            if !off.is_empty() {
                return self.write("cgroup.subtree_control", &off.join(" "));
            }
        }
        Ok(())
    }

    /// Removes it with the groups below it, and the directory above it, if nobody is in them; gives whether it was there.
    ///
    /// # Errors
    /// `busy` where somebody is in it.
    pub fn remove(&self) -> Result<bool> {
        if !self.exists() {
            return Ok(false);
        }
        for group in self.tree().collect::<Vec<_>>().iter().rev() {
            let dir = group.dir();
            remove_dir(&dir).cannot(|| format!("remove control group {}", dir.display()))?;
        }
        self.remove_empty_above();
        Ok(true)
    }

    /// Removes the directory above it, if nothing is in that any more.
    pub fn remove_empty_above(&self) {
        if let Some(above) = self.dir().parent().filter(|dir| *dir != self.hierarchy.dir) {
            let _ = fs::remove_dir(above);
        }
    }

    /// It and all below it, from the top down. A container makes groups within its own where it may.
    fn tree(&self) -> impl Iterator<Item = Self> + use<> {
        let mut found = vec![self.clone()];
        let mut next = 0;
        while let Some(group) = found.get(next) {
            let below = fs::read_dir(group.dir()).into_iter().flatten().flatten();
            let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let below: Vec<Self> =
                below.map(|entry| Self::new(group.hierarchy.clone(), group.path.join(entry.file_name()))).collect();
            found.extend(below);
            next += 1;
        }
        found.into_iter()
    }
}

/// A process that just died may be in the way for a moment.
fn remove_dir(dir: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match fs::remove_dir(dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == ErrorKind::ResourceBusy && is_empty(dir) && start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().is_empty()
}
