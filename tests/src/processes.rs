//! Finding and ending the processes that belong to a test, by what they hold, never by name.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// All processes there are, zombies left out.
pub fn all() -> BTreeSet<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeSet::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(|pid| alive(*pid)).collect()
}

/// Whether `pid` runs; a zombie does not.
pub fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.get(stat.rfind(')')? + 2..)?.starts_with(['Z', 'X'])))
        .is_some_and(|dead| !dead)
}

/// Waits until `pid` no longer runs.
#[track_caller]
pub fn gone(pid: i32) {
    let start = Instant::now();
    while alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(20), "process {pid} goes on: {}", command_line(pid));
        thread::sleep(Duration::from_millis(20));
    }
}

/// Its command line, for messages.
pub fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()
}

/// The processes that belong to `dir`: their environment names something in it, their root or working
/// directory is beneath it, or their root is an overlay of directories in it.
pub fn of(dir: &Path) -> Vec<i32> {
    let me = std::process::id() as i32;
    let beneath = format!("{}/", dir.display());
    let holds = |pid: &i32| {
        let proc = Path::new("/proc").join(pid.to_string());
        let environ = fs::read(proc.join("environ")).unwrap_or_default();
        let named = environ.windows(beneath.len()).any(|w| w == beneath.as_bytes());
        let link = |name: &str| fs::read_link(proc.join(name)).is_ok_and(|target| target.starts_with(dir));
        let mounts = fs::read_to_string(proc.join("mountinfo")).unwrap_or_default();
        let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
        let rooted = mounts.lines().find(is_root).is_some_and(|line| line.contains(&beneath));
        *pid != me && (named || link("root") || link("cwd") || rooted)
    };
    all().iter().filter(|pid| holds(pid)).copied().collect()
}

/// Kills every process of `dir` and waits until they are gone. Gives the command lines of those there were.
pub fn end(dir: &Path) -> Vec<String> {
    let mut ended = Vec::new();
    let start = Instant::now();
    loop {
        let found = of(dir);
        if found.is_empty() || start.elapsed() > Duration::from_secs(10) {
            return ended;
        }
        for pid in found {
            let line = format!("{pid}: {}", command_line(pid));
            if !ended.contains(&line) {
                ended.push(line);
            }
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}
