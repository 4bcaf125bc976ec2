//! The writer of a log: lines of two streams into records, in few writes, and in little memory between them.

use crate::{
    Stream,
    buffer::{Buffer, KEPT},
    escape,
    file::LogFile,
    scan,
};
use ctr_core::{Cannot, LogLimits, Result};
use jiff::Timestamp;
use std::path::Path;

/// An unfinished line is held until it is so long.
const LONGEST: usize = 1 << 20;
/// A record beside its text, at most.
const FRAME: usize = 100;

/// Writes the log of one container. It never fails and never waits: what the disk does not take is counted as lost.
pub struct Writer {
    out: Out,
    /// Of each stream, the line that has no end yet.
    held: [Buffer; 2],
}

impl Writer {
    /// Opens the log whose current file is `path`, and goes on after what is there.
    ///
    /// # Errors
    /// Where the file can be neither opened nor made.
    pub fn open(path: &Path, limits: LogLimits) -> Result<Self> {
        let file = LogFile::open(path, limits).cannot(|| format!("open log {}", path.display()))?;
        Ok(Self { out: Out { file, batch: Buffer::default() }, held: Default::default() })
    }

    /// Takes what the container wrote: each line that ends in it is a record now, what follows the last is held.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.out.file.is_kept() {
            return;
        }
        let tail = tail(stream);
        let held = &mut self.held[stream as usize];
        let mut rest = bytes;
        while let Some(end) = scan::newline(rest) {
            let (line, after) = rest.split_at(end + 1);
            if held.is_empty() && line.len() <= LONGEST {
                self.out.record(line, &tail);
            } else {
                hold(held, line, &mut self.out, &tail);
                if !held.is_empty() {
                    self.out.record(held, &tail);
                    held.give_back();
                }
            }
            rest = after;
        }
        hold(held, rest, &mut self.out, &tail);
        self.out.finish();
    }

    /// The container has ended: writes the lines that have no end.
    pub fn flush(&mut self) {
        for (stream, held) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut self.held) {
            if !held.is_empty() {
                self.out.record(held, &tail(stream));
                held.give_back();
            }
        }
        self.out.finish();
    }

    /// Bytes of records that could not be written.
    pub fn lost(&self) -> u64 {
        self.out.file.lost()
    }
}

/// How a record of now ends.
fn tail(stream: Stream) -> String {
    format!("\",\"stream\":\"{}\",\"time\":\"{:.9}\"}}\n", stream.name(), Timestamp::now())
}

/// Adds to a line that has no end yet; each time [`LONGEST`] bytes are held they are a record.
fn hold(held: &mut Buffer, mut bytes: &[u8], out: &mut Out, tail: &str) {
    while held.len() + bytes.len() >= LONGEST {
        let (now, later) = bytes.split_at(LONGEST - held.len());
        held.reserve(now.len());
        held.extend_from_slice(now);
        let whole = escape::whole(held);
        out.record(&held[..whole], tail);
        held.drain(..whole);
        bytes = later;
    }
    held.reserve(bytes.len());
    held.extend_from_slice(bytes);
}

/// Records on their way to the file.
struct Out {
    file: LogFile,
    batch: Buffer,
}

impl Out {
    /// Adds a record of `text`. One that would make the file too large goes to the next file.
    fn record(&mut self, text: &[u8], tail: &str) {
        // A byte becomes six at most.
        let most = text.len() * 6 + FRAME;
        if self.batch.len() >= KEPT || self.batch.len() + most > self.batch.capacity().max(KEPT) {
            self.send();
        }
        self.batch.reserve(most);
        let start = self.batch.len();
        self.batch.extend_from_slice(b"{\"log\":\"");
        escape::append(text, &mut self.batch);
        self.batch.extend_from_slice(tail.as_bytes());
        if self.file.is_full_with(self.batch.len()) && !(start == 0 && self.file.is_empty()) {
            self.file.append(&self.batch[..start]);
            self.batch.drain(..start);
            self.file.rotate();
        }
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.file.append(&self.batch);
            self.batch.clear();
        }
    }

    fn finish(&mut self) {
        self.send();
        self.batch.give_back();
    }
}
