//! The lines of one file, forwards, as far as it is written.

use crate::{
    scan,
    series::{FileId, id_of},
};
use std::{fs::File, io, os::unix::fs::FileExt};

/// Read at once.
const BLOCK: usize = 64 << 10;

/// A file that is read line by line, perhaps while it is written.
pub struct Lines {
    file: File,
    id: FileId,
    /// Where in the file the buffer ends.
    at: u64,
    /// What is written after this is not read.
    end: u64,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    /// Whether the file had no more when the buffer was filled.
    at_end: bool,
}

impl Lines {
    /// Reads `file` from byte `at`, where a line begins; where it is not followed, to where it ends now.
    pub fn new(file: File, at: u64, follow: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let id = id_of(&metadata);
        let end = if follow { u64::MAX } else { metadata.len() };
        Ok(Self { file, id, at, end, buffer: Vec::new(), start: 0, at_end: false })
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The next line without its newline; `None` where there is none yet.
    ///
    /// A line without its newline is being written, or is torn and will be cut off: it is read anew the next time.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut seen = self.start;
        loop {
            if let Some(n) = scan::newline(&self.buffer[seen..]) {
                let line = self.start..seen + n;
                self.start = line.end + 1;
                return Ok(Some(&self.buffer[line]));
            }
            if self.at_end {
                self.at -= (self.buffer.len() - self.start) as u64;
                // Somebody else has emptied the file.
                if self.file.metadata()?.len() < self.at {
                    self.at = 0;
                }
                self.buffer.clear();
                self.start = 0;
                self.at_end = false;
                return Ok(None);
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            seen = self.buffer.len();
            self.fill()?;
        }
    }

    /// Reads on; a line longer than a block in blocks that grow.
    fn fill(&mut self) -> io::Result<()> {
        let old = self.buffer.len();
        self.buffer.resize(old + BLOCK.max(old), 0);
        let size = (self.buffer.len() - old) as u64;
        let want = size.min(self.end.saturating_sub(self.at)) as usize;
        let read = self.file.read_at(&mut self.buffer[old..old + want], self.at);
        let n = *read.as_ref().unwrap_or(&0);
        self.at_end = (n as u64) < size;
        self.buffer.truncate(old + n);
        self.at += n as u64;
        read.map(drop)
    }
}
