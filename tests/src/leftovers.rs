//! What the machine has: mounts, network namespaces, links, cgroups, processes. Taken before the suite and
//! compared after it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// What there was at one moment.
pub struct Snapshot(Vec<(&'static str, BTreeSet<String>)>);

impl Snapshot {
    /// Takes it now.
    pub fn take() -> Self {
        let processes = crate::processes::all().into_iter().map(|pid| pid.to_string()).collect();
        Self(vec![
            ("mount", mounts().into_iter().map(|m| m.display().to_string()).collect()),
            ("network namespace", names(Path::new("/run/netns"))),
            ("link", links()),
            ("cgroup", cgroups()),
            ("process", processes),
        ])
    }

    /// What there is now and was not then, one line each. Waits a little for what is still going away.
    pub fn more_now(&self) -> Vec<String> {
        let start = Instant::now();
        loop {
            let more = self.compare();
            if more.is_empty() || start.elapsed() > Duration::from_secs(3) {
                return more;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn compare(&self) -> Vec<String> {
        let now = Self::take();
        let mut more = Vec::new();
        for ((kind, then), (_, now)) in self.0.iter().zip(&now.0) {
            more.extend(now.difference(then).filter_map(|thing| describe(kind, thing)));
        }
        more
    }
}

fn describe(kind: &str, thing: &str) -> Option<String> {
    if kind != "process" {
        return Some(format!("{kind} {thing}"));
    }
    // Kernel threads come and go as they like; they have no command line.
    let line = crate::processes::command_line(thing.parse().ok()?);
    (!line.is_empty()).then(|| format!("process {thing}: {line}"))
}

/// All mount points of this mount namespace, in mount order.
pub fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| PathBuf::from(unescape(point))).collect()
}

/// The mount points at or beneath `dir`, in mount order.
pub fn mounts_beneath(dir: &Path) -> Vec<PathBuf> {
    mounts().into_iter().filter(|point| point.starts_with(dir)).collect()
}

/// mountinfo writes space, tab, newline and backslash as three octal digits (proc(5)).
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn names(dir: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn links() -> BTreeSet<String> {
    let out = Command::new("ip").args(["-o", "link"]).output().map(|o| o.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&out).into_owned();
    text.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
}

/// The control groups in directories whose name begins with `instance`, in every hierarchy, with those directories; the
/// deepest last.
pub fn groups_of(instance: &str) -> Vec<PathBuf> {
    let is_in =
        |path: &str| Path::new(path).components().any(|part| part.as_os_str().to_string_lossy().starts_with(instance));
    cgroups().into_iter().filter(|path| is_in(path)).map(PathBuf::from).collect()
}

/// Removes them; a process that just died may be in the way for a moment.
pub fn remove_groups_of(instance: &str) {
    let start = Instant::now();
    loop {
        let found = groups_of(instance);
        if found.is_empty() || start.elapsed() > Duration::from_secs(3) {
            return;
        }
        found.iter().rev().for_each(|group| drop(fs::remove_dir(group)));
        thread::sleep(Duration::from_millis(5));
    }
}

fn cgroups() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                found.insert(entry.path().display().to_string());
                dirs.push(entry.path());
            }
        }
    }
    found
}
