//! A short list from /proc, for a host without ps(1).

use crate::table::Table;
use jiff::Timestamp;
use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

/// The columns of `ps -ef` that /proc has; users as numbers, times of day in UTC.
pub fn list(members: &BTreeSet<i32>) -> Table {
    let titles = ["UID", "PID", "PPID", "STIME", "TIME", "CMD"];
    Table { titles: titles.map(str::to_owned).to_vec(), rows: members.iter().filter_map(|pid| row(*pid)).collect() }
}

/// One process; `None` where it has ended.
fn row(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let user = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    // The name in field 2 may hold spaces and brackets: count from the last bracket (proc(5)).
    let (head, tail) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    // Field 3 is the first here.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = rustix::param::clock_ticks_per_second();
    let seconds = (field(14)? + field(15)?) / ticks;
    let name = head.split_once('(').map_or("", |(_, name)| name);
    let start = Timestamp::from_second(boot_time()? + (field(22)? / ticks) as i64).ok()?;
    Some(vec![
        user.to_string(),
        pid.to_string(),
        field(4)?.to_string(),
        start.strftime("%H:%M").to_string(),
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        command(pid, name),
    ])
}

/// Seconds since 1970 at which the machine started (proc(5), /proc/stat).
fn boot_time() -> Option<i64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

/// The command line, or where there is none the name in brackets; a terminal must not obey what a process put there.
fn command(pid: i32, name: &str) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    let text = if words.is_empty() { format!("[{name}]") } else { words };
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
