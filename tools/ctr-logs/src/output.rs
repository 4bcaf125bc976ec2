//! Records on their way to stdout and stderr, in order and in few writes.

use crate::BROKEN_PIPE;
use ctr_core::{Cannot, Result};
use ctr_log::{Record, Stream};
use std::{
    io::{self, ErrorKind, Write},
    process,
};

/// Written at once.
const BLOCK: usize = 64 << 10;

/// What is to be printed next.
pub struct Output {
    timestamps: bool,
    bytes: Vec<u8>,
    stream: Stream,
    /// Of each stream, whether the last record was only the beginning of a line.
    amid: [bool; 2],
}

impl Output {
    /// Prints each line with the time when it was written, where `timestamps`.
    pub fn new(timestamps: bool) -> Self {
        Self { timestamps, bytes: Vec::new(), stream: Stream::Stdout, amid: [false; 2] }
    }

    /// Prints `record`, sooner or later.
    pub fn record(&mut self, record: &Record) -> Result<()> {
        // One of the two must not overtake the other where both are the same terminal.
        if record.stream != self.stream || self.bytes.len() > BLOCK {
            self.flush()?;
        }
        self.stream = record.stream;
        let amid = &mut self.amid[record.stream as usize];
        if self.timestamps && !*amid {
            self.bytes.extend_from_slice(record.time.as_bytes());
            self.bytes.push(b' ');
        }
        *amid = !record.log.ends_with('\n');
        self.bytes.extend_from_slice(record.log.as_bytes());
        Ok(())
    }

    /// Prints what is left. Where nobody reads it, this process ends as SIGPIPE would end it.
    pub fn flush(&mut self) -> Result<()> {
        let written = match self.stream {
            Stream::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&self.bytes).and_then(|()| out.flush())
            }
            Stream::Stderr => io::stderr().lock().write_all(&self.bytes),
        };
        self.bytes.clear();
        match written {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => process::exit(BROKEN_PIPE),
            other => other.cannot(|| format!("write to {}", self.stream.name())),
        }
    }
}
