//! What the kernel killed for want of memory: counted by a group, and told as it happens (kernel, cgroup-v2.rst,
//! `memory.events`; cgroup-v1/memory.rst, sections 9 and 10).

use crate::{Group, Layout};
use ctr_core::{Cannot, Result};
use rustix::event::{EventfdFlags, PollFlags, eventfd};
use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::Path,
    time::{Duration, Instant},
};

/// The processes of one group, and of those below it in version 2, that the kernel killed for want of memory.
#[derive(Debug)]
pub struct Oom {
    /// `memory.events` or `memory.oom_control`: both have the line `oom_kill N`.
    count: File,
    /// Version 1 tells by an eventfd, version 2 by the file itself.
    bell: Option<OwnedFd>,
    seen: u64,
    all: u64,
    /// When to look again, and how often that was done.
    again: Option<(Instant, usize)>,
    /// The group was removed.
    gone: bool,
}

/// Version 1 rings before it kills and counts: who looks at once may be too early.
const AGAIN: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];

impl Oom {
    /// Counts from now on in the group at `path`; `None` where no memory controller has such a group.
    pub fn count(path: &Path) -> Option<Self> {
        Self::of(&group(path)?).ok()
    }

    /// The same, and [`bell`](Self::bell) tells.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn watch(path: &Path) -> Result<Option<Self>> {
        let Some(group) = group(path) else { return Ok(None) };
        let mut oom = Self::of(&group)?;
        if group.hierarchy.version == 1 {
            let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).cannot(|| "make an eventfd")?;
            group.write("cgroup.event_control", &format!("{} {}", bell.as_raw_fd(), oom.count.as_raw_fd()))?;
            oom.bell = Some(bell);
        }
        Ok(Some(oom))
    }

    fn of(group: &Group) -> Result<Self> {
        let file = if group.hierarchy.version == 1 { "memory.oom_control" } else { "memory.events" };
        let path = group.dir().join(file);
        let count = File::open(&path).cannot(|| format!("open {}", path.display()))?;
        let mut oom = Self { count, bell: None, seen: 0, all: 0, again: None, gone: false };
        oom.seen = oom.now().unwrap_or_default();
        Ok(oom)
    }

    /// What to wait for, while the group is there.
    pub fn bell(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.bell {
            _ if self.gone => None,
            Some(bell) => Some((bell.as_fd(), PollFlags::IN)),
            None => Some((self.count.as_fd(), PollFlags::PRI)),
        }
    }

    /// When to ask [`more`](Self::more) again though nothing rang.
    pub fn due(&self) -> Option<Instant> {
        self.again.map(|(due, _)| due)
    }

    /// How many were killed since the last call.
    pub fn more(&mut self) -> u64 {
        let rang = self.bell.as_ref().is_some_and(|bell| rustix::io::read(bell, &mut [0; 8]).is_ok());
        let now = self.now();
        // A file of a group that was removed rings without end.
        self.gone = now.is_none();
        let now = now.unwrap_or(self.seen);
        let more = now.saturating_sub(self.seen);
        let tries = if rang { 0 } else { self.again.map_or(AGAIN.len(), |(_, tries)| tries + 1) };
        self.again = AGAIN.get(tries).filter(|_| more == 0).map(|wait| (Instant::now() + *wait, tries));
        self.seen = now;
        self.all += more;
        more
    }

    /// How many were killed since the first.
    pub fn all(&self) -> u64 {
        self.all
    }

    /// Read anew at its beginning, which is also what makes version 2 tell again.
    fn now(&self) -> Option<u64> {
        let mut text = [0; 1024];
        let n = self.count.read_at(&mut text, 0).ok()?;
        Some(kills(&String::from_utf8_lossy(&text[..n])))
    }
}

/// The group at `path` that has the memory controller.
fn group(path: &Path) -> Option<Group> {
    let path = crate::plain(path)?;
    let layout = Layout::read().ok()?;
    Some(Group::new(layout.of("memory")?.clone(), path)).filter(Group::exists)
}

fn kills(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_in_a_line_of_the_same_name() {
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(kills("low 0\nhigh 0\nmax 812\noom 4\noom_kill 2\noom_group_kill 0\n"), 2);
        assert_eq!(kills("oom_kill_disable 0\n"), 0);
    }
}
