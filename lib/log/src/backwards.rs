//! The lines of one file from its end, without reading what comes before.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Read at once.
const BLOCK: u64 = 64 << 10;

/// A file that is read line by line from its last whole line to its first.
pub struct Backwards<'a> {
    file: &'a File,
    /// Where in the file the buffer begins.
    at: u64,
    /// Ends with the newline of the line that comes next.
    buffer: Vec<u8>,
}

impl<'a> Backwards<'a> {
    /// Begins at the end of `file`; what follows its last newline is left out.
    pub fn new(file: &'a File) -> io::Result<Self> {
        let mut lines = Self { file, at: file.metadata()?.len(), buffer: Vec::new() };
        let end = lines.after_newline(0)?;
        lines.buffer.truncate(end);
        Ok(lines)
    }

    /// The line before, without its newline.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.buffer.is_empty() && !self.fill()? {
            return Ok(None);
        }
        let start = self.after_newline(1)?;
        let mut line = self.buffer.split_off(start);
        line.pop();
        Ok(Some(line))
    }

    /// Where in the file the line of the last [`Backwards::next`] begins; before the first, where the last one ends.
    pub fn position(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Where in the buffer the last newline ends that is not among the last `without` bytes; 0 where there is none in
    /// the file.
    fn after_newline(&mut self, without: usize) -> io::Result<usize> {
        loop {
            let bytes = &self.buffer[..self.buffer.len().saturating_sub(without)];
            if let Some(newline) = bytes.iter().rposition(|b| *b == b'\n') {
                return Ok(newline + 1);
            }
            if !self.fill()? {
                return Ok(0);
            }
        }
    }

    /// Puts the block before into the buffer; gives whether there was one. They grow with a line longer than a block.
    fn fill(&mut self) -> io::Result<bool> {
        let size = BLOCK.max(self.buffer.len() as u64).min(self.at);
        let mut block = vec![0; size as usize];
        // Only at the end of the file there may be less: a torn line was cut off meanwhile.
        let read = self.file.read_at(&mut block, self.at - size)?;
        block.truncate(read);
        block.append(&mut self.buffer);
        self.buffer = block;
        self.at -= size;
        Ok(read > 0)
    }
}
