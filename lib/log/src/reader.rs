//! The lines of a series, oldest first, while it is written and rotated.

use crate::{Series, backwards::Backwards, lines::Lines, watch::Watch};
use ctr_core::{Error, Result};
use std::{collections::VecDeque, fs::File, io, os::fd::BorrowedFd, time::Duration};

pub use crate::watch::Woken;

/// Reads a series. Files are held open from when they are seen, so that a rotation takes none away.
pub struct Reader {
    series: Series,
    /// The file that is read.
    lines: Option<Lines>,
    /// The file before it: of several writers one may have had it still open when another renamed it.
    before: Option<Lines>,
    /// Those after it.
    files: VecDeque<File>,
    /// There where new lines are waited for.
    watch: Option<Watch>,
    /// How many files were found of those that began since then.
    found: u64,
    missed: u64,
}

impl Reader {
    /// Reads what there is now, and no more.
    pub fn open(series: Series) -> Result<Self> {
        let files = series.younger(None)?.into();
        Ok(Self { series, lines: None, before: None, files, watch: None, found: 0, missed: 0 })
    }

    /// Reads what there is and what comes: see [`Reader::wait`]. The directory must be there.
    pub fn follow(series: Series) -> Result<Self> {
        let mut watch = Watch::new(&series)?;
        loop {
            let begun = watch.begun();
            let reader = Self::open(series.clone())?;
            watch.take()?;
            // Else a file that began meanwhile is among those that were found, or it is not.
            if watch.begun() == begun {
                return Ok(Self { found: begun, watch: Some(watch), ..reader });
            }
        }
    }

    /// Goes from the end back, line by line, as long as `more` says so: reading begins after the first line for which
    /// it did not. To be called before anything is read.
    pub fn rewind(&mut self, mut more: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let start = self.find_back(&mut more).map_err(|e| cannot_read(&self.series, &e))?;
        if let Some((n, at)) = start {
            self.files.drain(..n);
            let file = self.files.pop_front();
            self.lines = file
                .map(|file| Lines::new(file, at, self.watch.is_some()))
                .transpose()
                .map_err(|e| cannot_read(&self.series, &e))?;
        }
        Ok(())
    }

    fn find_back(&self, more: &mut impl FnMut(&[u8]) -> bool) -> io::Result<Option<(usize, u64)>> {
        for (n, file) in self.files.iter().enumerate().rev() {
            let mut lines = Backwards::new(file)?;
            let mut start = lines.position();
            while let Some(line) = lines.next()? {
                if !more(&line) {
                    return Ok(Some((n, start)));
                }
                start = lines.position();
            }
        }
        Ok(None)
    }

    /// Gives each line that is there to `f`, until that says that it is enough. Gives whether it did.
    pub fn read(&mut self, mut f: impl FnMut(&[u8]) -> Result<bool>) -> Result<bool> {
        loop {
            for lines in self.before.iter_mut().chain(&mut self.lines) {
                while let Some(line) = lines.next().map_err(|e| cannot_read(&self.series, &e))? {
                    if !f(line)? {
                        return Ok(true);
                    }
                }
            }
            match self.files.pop_front() {
                Some(file) => {
                    let next = Lines::new(file, 0, self.watch.is_some()).map_err(|e| cannot_read(&self.series, &e))?;
                    self.before = self.lines.replace(next);
                }
                // The file may have got more before it was rotated: it is read once more.
                None if self.look()? => {}
                None => return Ok(false),
            }
        }
    }

    /// Whether there are younger files than the one that is read.
    fn look(&mut self) -> Result<bool> {
        let Some(watch) = &self.watch else { return Ok(false) };
        let files = self.series.younger(self.lines.as_ref().map(Lines::id))?;
        self.found += files.len() as u64;
        let missed = watch.begun().saturating_sub(self.found);
        self.found += missed;
        self.missed += missed;
        self.files.extend(files);
        Ok(!self.files.is_empty())
    }

    /// How many files were removed before this saw them: it slept, or its own reader did, while they were rotated.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Waits until there may be more to read, `other` is readable, stdout has no reader, or for `timeout`.
    pub fn wait(&mut self, other: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> Result<Woken> {
        self.watch.as_mut().map_or(Ok(Woken::Changed), |watch| watch.wait(other, timeout))
    }
}

fn cannot_read(series: &Series, e: &io::Error) -> Error {
    Error::io(format!("read {}", series.dir().display()), e)
}
