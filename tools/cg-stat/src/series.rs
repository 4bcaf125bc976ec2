//! Readings one after another: what is printed of each, and the wait between two.

use crate::{
    kernel::Kernel,
    reading::{Mark, Reading},
    subject::Subject,
    wanted::{MANY, Wanted},
};
use ctr_core::{Cannot, Code, Error, Result, container::Handle};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{collections::HashMap, mem, path::PathBuf, process, thread::scope, time::Instant};

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;

/// A container's id, and its group.
type Whose = (Option<String>, Option<PathBuf>);

/// The readings of those that are wanted.
pub struct Series {
    /// Whose they are.
    pub wanted: Wanted,
    kernel: Kernel,
    /// A second reader, for many.
    other: Option<Kernel>,
    list: bool,
    /// Those of the last reading, by container and group: a name may be another's by the next.
    marks: HashMap<Whose, Mark>,
    begun: bool,
}

impl Series {
    /// None yet; with `list` each will be one list.
    ///
    /// # Errors
    /// `unsupported` where no control groups are mounted.
    pub fn new(wanted: Wanted, list: bool) -> Result<Self> {
        Ok(Self { wanted, kernel: Kernel::open()?, other: None, list, marks: HashMap::new(), begun: false })
    }

    /// One reading of all that are there: a line each, or one list.
    ///
    /// # Errors
    /// `not-found` where one that was named is gone at the first reading; `denied`.
    pub fn read(&mut self) -> Result<String> {
        let before = mem::take(&mut self.marks);
        let (mut lines, mut gone) = (Vec::new(), Vec::new());
        let subjects = self.wanted.subjects();
        let taken = if subjects.len() < MANY {
            take(&mut self.kernel, &subjects, &before)?
        } else {
            if self.other.is_none() {
                self.other = Some(Kernel::open()?);
            }
            let (first, second) = subjects.split_at(subjects.len() / 2);
            let (kernel, other) = (&mut self.kernel, &mut self.other);
            scope(|scope| {
                let other =
                    scope.spawn(|| other.as_mut().map_or(Ok(Vec::new()), |kernel| take(kernel, second, &before)));
                let mut taken = take(kernel, first, &before)?;
                let failed = || Error::new(Code::Internal, "a reading thread failed");
                taken.extend(other.join().map_err(|_| failed())??);
                Ok(taken)
            })?
        };
        for (subject, (reading, mark)) in subjects.into_iter().zip(taken) {
            let whose = (subject.id.clone(), subject.group.clone());
            let is_there = |group| reading.has_figures() || self.kernel.has(group);
            if self.wanted.is_named() && !subject.group.as_deref().is_none_or(is_there) {
                if !self.begun {
                    return Err(subject.gone());
                }
                gone.push(subject.word.clone());
                continue;
            }
            self.marks.extend(mark.map(|mark| (whose, mark)));
            let line = serde_json::to_string(&reading);
            lines.push(line.map_err(|e| Error::new(Code::Internal, format!("cannot write a reading: {e}")))?);
        }
        self.begun = true;
        self.wanted.forget(&gone);
        Ok(if self.list { format!("[{}]", lines.join(",")) } else { lines.join("\n") })
    }

    /// Waits until `until`, or less long where one of those that were named ends.
    ///
    /// Where nobody reads what is printed any more, the process ends.
    pub fn wait(&self, until: Instant) -> Result<()> {
        let mut processes = Vec::new();
        if self.wanted.is_named() {
            for process in self.wanted.subjects().into_iter().filter_map(|subject| subject.process) {
                processes.extend(Handle::of(process)?);
            }
        }
        let out = std::io::stdout();
        // Only its failure is asked for: unasked come POLLERR, when the other end of a pipe is closed, and POLLHUP, when
        // that of a socket or of a terminal is (poll(2)).
        let mut fds = vec![PollFd::new(&out, PollFlags::empty())];
        fds.extend(processes.iter().map(|process| PollFd::from_borrowed_fd(process.fd(), PollFlags::IN)));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => continue,
                other => other.cannot(|| "wait for the next reading")?,
            };
            if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
                process::exit(BROKEN_PIPE);
            }
            return Ok(());
        }
    }
}

/// A reading of each, with the mark for the next, by one reader.
fn take<'a>(
    kernel: &mut Kernel,
    subjects: &[&'a Subject],
    before: &HashMap<Whose, Mark>,
) -> Result<Vec<(Reading<'a>, Option<Mark>)>> {
    let mut taken = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let mut mark = before.get(&(subject.id.clone(), subject.group.clone())).copied();
        taken.push((Reading::take(kernel, subject, &mut mark)?, mark));
    }
    Ok(taken)
}
