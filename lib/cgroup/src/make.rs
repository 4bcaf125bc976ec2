//! A container's groups from their making to their end: one in each hierarchy, ready to take limits and processes.

use crate::{Group, Groups, Layout, Mark, limits, plain};
use ctr_core::{Cannot, Code, Error, Failures, Result, json, trace};
use std::{collections::BTreeSet, fs, io::ErrorKind, path::Path};

/// Controllers that are set to work in version 2 wherever they are: what a container uses is measured by them.
const MEASURED: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// What to do where groups cannot be made: nested, or where the machine has them for itself.
const WITHOUT: &str = "run it without any: ctr run --cgroups disabled, or no cg-limit in the pipe";

impl Groups {
    /// Those at `path` in every hierarchy but those that have a name instead of controllers; there or not.
    ///
    /// # Errors
    /// `invalid` if the path has `..` in it; `unsupported` where no hierarchy is mounted.
    pub fn at(path: &Path) -> Result<Self> {
        let layout = Layout::read()?;
        let path = plain(path).ok_or_else(|| Error::new(Code::Invalid, "a control group's path has '..' in it"))?;
        let list: Vec<Group> = layout.groups(&path).filter(|group| !group.hierarchy.is_named).collect();
        if list.is_empty() {
            let message = "no control groups are mounted below /sys/fs/cgroup";
            return Err(Error::new(Code::Unsupported, message).hint(WITHOUT));
        }
        Ok(Self { unified: layout.is_unified(), list, named: true })
    }

    /// The group that `controller` acts on.
    ///
    /// # Errors
    /// `unsupported`, naming the controller and where it was looked for.
    pub fn of(&self, controller: &str) -> Result<&Group> {
        self.of_either([controller])
    }

    /// The same for a controller that version 2 calls otherwise.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_either<const N: usize>(&self, names: [&str; N]) -> Result<&Group> {
        let has = |group: &&Group| names.iter().any(|name| group.hierarchy.has(name));
        self.list.iter().find(has).ok_or_else(|| {
            let message = format!("controller {} is not mounted below /sys/fs/cgroup", names.join(" or "));
            let held = self.unified.then_some("neither is it among those of /sys/fs/cgroup/cgroup.controllers");
            let error = Error::new(Code::Unsupported, message);
            held.into_iter().fold(error, Error::hint)
        })
    }

    /// Makes those that are not there, and readies all of them to take limits and processes; gives what it made, also
    /// where it failed. In version 2 the controllers that are `needed` are set to work, and if they can be those that are
    /// measured by.
    pub fn make(&self, needed: &BTreeSet<&str>) -> (Vec<Group>, Result<()>) {
        let mut made = Vec::new();
        let result = self.list.iter().try_for_each(|group| {
            if !group.exists() {
                let make = || group.make().map_err(|e| if e.code == Code::Denied { e.hint(WITHOUT) } else { e });
                trace::act("mkdir", || json!({"cgroup": group.dir()}), make)?;
                made.push(group.clone());
            } else if !trace::dry_run() {
                // Whoever made it was killed before it was marked.
                let _ = Mark::own().put_on(&group.dir());
            }
            ready(group, needed)
        });
        (made, result)
    }

    /// Kills every process in them and removes them; those that are gone are no failure. Gives whether one was there.
    ///
    /// # Errors
    /// The last failure, once all were tried; the others are printed.
    pub fn end(&self) -> Result<bool> {
        let mut there = false;
        let mut failures = Failures::default();
        self.kill_frozen()?;
        // Version 2, the last, kills all at once.
        for group in self.list.iter().rev() {
            there |= failures.note(group.end()).unwrap_or(false);
        }
        failures.end().map(|()| there)
    }

    /// Kills those of its processes whom nothing else can: frozen by version 1 none dies, whoever kills it (that of version 2
    /// does). And where there is no version 2 to kill all at once, all are frozen to be killed: who forks faster than it is
    /// killed would never end.
    ///
    /// # Errors
    /// `denied`.
    pub(crate) fn kill_frozen(&self) -> Result<()> {
        let at_once = self.list.iter().any(|group| group.hierarchy.version == 2);
        for group in self.list.iter().filter(|group| group.hierarchy.version == 1 && group.hierarchy.has("freezer")) {
            if (!at_once && !group.processes().is_empty()) || group.is_freezing_within() {
                trace::act("thaw", || json!({"cgroup": group.dir()}), || group.kill_frozen())?;
            }
        }
        Ok(())
    }

    /// Each of them as the open file by which a process of one thread joins it: it writes "0".
    ///
    /// # Errors
    /// `not-found` for a group that is gone, `denied`.
    pub fn every_door(&self) -> Result<Vec<fs::File>> {
        let mut doors = self.doors()?;
        for group in self.list.iter().filter(|group| group.hierarchy.version == 2) {
            let procs = group.dir().join("cgroup.procs");
            let opened = fs::File::options().write(true).open(&procs);
            doors.push(opened.cannot(|| format!("open {}", procs.display()))?);
        }
        Ok(doors)
    }

    /// Checks that no process is in them.
    ///
    /// # Errors
    /// `busy`, naming the group and a process.
    pub fn check_empty(&self) -> Result<()> {
        let Some((group, pid)) = self.list.iter().find_map(|g| g.processes().first().map(|pid| (g, *pid))) else {
            return Ok(());
        };
        Err(Error::new(
            Code::Busy,
            format!("control group {} has processes already, {pid} first", group.dir().display()),
        ))
    }
}

impl Group {
    /// Kills every process in it and removes it; gives whether it was there. Thaw it first ([`Groups::end`]).
    ///
    /// # Errors
    /// `busy` where a process does not die; `denied`.
    fn end(&self) -> Result<bool> {
        let dir = self.dir();
        if trace::dry_run() && !self.exists() {
            return Ok(false);
        }
        let what = || json!({"cgroup": dir});
        // Most often there is nobody in it, and to find that out costs more than to remove it.
        trace::act("rmdir", what, || match fs::remove_dir(&dir) {
            Ok(()) => {
                self.remove_empty_above();
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(_) => {
                self.kill()?;
                self.remove()
            }
        })
    }
}

fn ready(group: &Group, needed: &BTreeSet<&str>) -> Result<()> {
    match group.hierarchy.version {
        1 if group.hierarchy.has("cpuset") => limits::inherit(group),
        1 => Ok(()),
        _ => enable(group, needed),
    }
}

/// Sets the controllers of version 2 to work in `group`: from the root down each group above it hands them on
/// (kernel, cgroup-v2.rst, Controlling Controllers).
///
/// One that is not needed may stay off: real-time processes are in the way of `cpu`, and the root of a cgroup namespace
/// has processes of its own, so that it hands on nothing.
fn enable(group: &Group, needed: &BTreeSet<&str>) -> Result<()> {
    const FILE: &str = "cgroup.subtree_control";
    let mut chain: Vec<Group> = std::iter::successors(group.above(), Group::above).collect();
    chain.reverse();
    for group in chain {
        let words = |file| group.read(file).unwrap_or_default();
        let (there, on) = (words("cgroup.controllers"), words(FILE));
        let is_in = |list: &str, word: &str| list.split_ascii_whitespace().any(|other| other == word);
        let wanted: BTreeSet<&str> = MEASURED.iter().chain(needed).copied().collect();
        let off: Vec<&str> = wanted.into_iter().filter(|word| is_in(&there, word) && !is_in(&on, word)).collect();
        let path = group.dir().join(FILE);
        let write = |words: &[&str]| {
            let value = words.iter().map(|word| format!("+{word}")).collect::<Vec<_>>().join(" ");
            let what = || json!({"file": path, "value": value});
            trace::act("write", what, || group.write(FILE, &value).map_err(|e| handed_on(&path, e)))
        };
        if off.is_empty() {
            continue;
        }
        // All in one write, of which the kernel takes all or none.
        let Err(refused) = write(&off) else { continue };
        if refused.code == Code::Busy {
            // It has processes. Some controllers would be taken alone, and make it threaded: the group below it could then
            // have none (cgroup-v2.rst, Threads).
            if off.iter().any(|word| needed.contains(word)) {
                return Err(refused);
            }
            continue;
        }
        for word in off {
            write(&[word]).or_else(|e| if needed.contains(word) { Err(e) } else { Ok(()) })?;
        }
    }
    Ok(())
}

fn handed_on(path: &Path, error: Error) -> Error {
    if error.code != Code::Busy {
        return error;
    }
    let message = format!("control group {} has processes of its own: it cannot hand controllers on", path.display());
    Error::new(Code::Busy, message).hint(
        "in version 2 only groups without groups below them have processes: choose another --cgroup-parent, or no limits",
    )
}
