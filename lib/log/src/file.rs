//! The file that is written to: whole records or none, and a new file where it is full.

use ctr_core::LogLimits;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file `log`, with the full ones `log.1`, `log.2`, … beside it, `log.1` the youngest.
pub struct LogFile {
    path: PathBuf,
    limits: LogLimits,
    /// None where it could not be opened, or is in doubt: the next record tries again.
    file: Option<File>,
    size: u64,
    lost: u64,
}

impl LogFile {
    /// Opens `path`, of which a record that a crash tore is cut off.
    pub fn open(path: &Path, limits: LogLimits) -> io::Result<Self> {
        let mut log = Self { path: path.to_owned(), limits, file: None, size: 0, lost: 0 };
        if log.is_kept() {
            log.begin()?;
        }
        Ok(log)
    }

    /// Whether there is a log at all.
    pub fn is_kept(&self) -> bool {
        self.limits.max_file > 0
    }

    /// Bytes of records that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether `more` bytes would make the file larger than it may be.
    pub fn is_full_with(&self, more: usize) -> bool {
        self.size + more as u64 > self.limits.max_size
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Writes whole records. Those that the disk does not take are lost: a container does not wait for its log.
    pub fn append(&mut self, records: &[u8]) {
        let written = match self.begin() {
            Ok(file) => write_some(file, records),
            Err(_) => 0,
        };
        let mut whole = written;
        if written < records.len() {
            whole = records[..written].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            // It is opened again for the next records, which cuts off what may stay torn now.
            if let Some(file) = self.file.take() {
                let _ = cut_torn(&file);
            }
        }
        self.size += whole as u64;
        self.lost += (records.len() - whole) as u64;
    }

    /// The file becomes `log.1`, and a new one begins; the oldest goes. Where that fails the file stays in use.
    pub fn rotate(&mut self) {
        if self.shift().is_ok() {
            self.file = None;
            let _ = self.begin();
        }
    }

    /// The oldest first, so that each file keeps a name and its place whenever this is killed. The next rotation fills
    /// the gap that is left then.
    fn shift(&self) -> io::Result<()> {
        let full = |n: u32| PathBuf::from(format!("{}.{n}", self.path.display()));
        let Some(last) = self.limits.max_file.checked_sub(1).filter(|n| *n > 0) else {
            return fs::remove_file(&self.path);
        };
        let free = (1..last).find(|n| !full(*n).exists()).unwrap_or(last);
        for n in (1..free).rev() {
            fs::rename(full(n), full(n + 1))?;
        }
        fs::rename(&self.path, full(1))
    }

    fn begin(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            self.size = cut_torn(&file)?;
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// How much of `bytes` could be written.
fn write_some(file: &mut File, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(n) => written += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

/// Cuts off what follows the last newline; gives the size then.
fn cut_torn(file: &File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut block = [0; 4096];
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(n) = part.iter().rposition(|b| *b == b'\n') {
            end = start + n as u64 + 1;
            break;
        }
        end = start;
    }
    if end < size {
        file.set_len(end)?;
    }
    Ok(end)
}
