//! The tar's bytes as they come out of the decompressor, each hashed once as it goes by where that is asked for.

use crate::{corrupt, header::BLOCK};
use ctr_core::{Code, Error, Result};
use ctr_store::Hasher;
use std::{
    io::Read,
    sync::atomic::{AtomicBool, Ordering},
};

/// A multiple of the block, so that a header never straddles two fills; small enough that what
/// was inflated is still in the cache when it is hashed and written.
const BUFFER: usize = 128 << 10;

/// A flag that ends an unpacking early: set by one thread, looked at by all.
pub type Stop = AtomicBool;

/// The bytes of a tar.
pub(crate) struct Stream<'a> {
    source: Box<dyn Read + Send + 'a>,
    hasher: Option<&'a mut Hasher>,
    stop: &'a Stop,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    total: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(source: Box<dyn Read + Send + 'a>, hasher: Option<&'a mut Hasher>, stop: &'a Stop) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { source, hasher, stop, buffer, start: 0, end: 0, total: 0 }
    }

    /// The next block; `None` at the end of the stream.
    pub(crate) fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let chunk = self.chunk(BLOCK as u64)?;
        match <[u8; BLOCK]>::try_from(chunk) {
            Ok(block) => Ok(Some(block)),
            Err(_) if chunk.is_empty() => Ok(None),
            Err(_) => Err(cut()),
        }
    }

    /// Some of the next bytes, at least one and at most `max`; none at the end of the stream.
    pub(crate) fn chunk(&mut self, max: u64) -> Result<&[u8]> {
        if self.start == self.end && max > 0 {
            self.fill()?;
        }
        let length = usize::try_from(max).unwrap_or(usize::MAX).min(self.end - self.start);
        let from = self.start;
        self.start += length;
        Ok(&self.buffer[from..from + length])
    }

    /// Reads and hashes what is left, and gives the size of the whole.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.start = self.end;
        while !self.chunk(u64::MAX)?.is_empty() {}
        Ok(self.total)
    }

    fn fill(&mut self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Io, "stopped"));
        }
        (self.start, self.end) = (0, 0);
        while self.end < self.buffer.len() {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&e)),
            }
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buffer[..self.end]);
        }
        self.total += self.end as u64;
        Ok(())
    }
}

/// An error of the kernel is one of reading; all others are the decompressor's about its input.
fn unreadable(e: &std::io::Error) -> Error {
    if e.raw_os_error().is_some() {
        return Error::io("read it", e);
    }
    match e.to_string() {
        // libzstd's words for a window beyond the limit.
        text if text.contains("too much memory") => {
            Error::new(Code::Limit, "its zstd frames ask for a window of more than 128 MiB")
        }
        text => corrupt(format!("it does not decompress: {text}")),
    }
}

/// The stream ended where more had to come.
pub(crate) fn cut() -> Error {
    corrupt("the tar is cut short")
}
