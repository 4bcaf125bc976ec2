//! A tar on its way to a file or a pipe. The bytes of blobs go there in the kernel, by whatever call can.

use crate::Failure;
use ctr_core::{Cannot, Code, Error};
use std::{
    fs::File,
    io::{self, Read, Write},
};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// What is smaller goes out together with the headers about it.
const SMALL: u64 = 64 << 10;
/// The longest name in a header.
const NAME: usize = 100;
/// So much is kept back at most.
const KEPT: usize = 256 << 10;

/// Headers and small files are gathered; the same input gives the same bytes, so no time is in them and no owner.
pub(crate) struct Tar<'a> {
    out: &'a mut File,
    kept: Vec<u8>,
}

impl<'a> Tar<'a> {
    pub(crate) fn new(out: &'a mut File) -> Self {
        Self { out, kept: Vec::new() }
    }

    /// A file of these bytes.
    pub(crate) fn file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.header(path, EntryType::Regular, 0o644, bytes.len() as u64)?;
        self.kept.extend_from_slice(bytes);
        self.pad(bytes.len() as u64)
    }

    /// A directory; its path ends in a slash.
    pub(crate) fn directory(&mut self, path: &str) -> Result<(), Failure> {
        self.header(path, EntryType::Directory, 0o755, 0)
    }

    /// A file of the `size` bytes that `from` has.
    pub(crate) fn copy(&mut self, path: &str, from: File, size: u64) -> Result<(), Failure> {
        self.header(path, EntryType::Regular, 0o644, size)?;
        let mut from = from.take(size);
        let copied = if size <= SMALL {
            from.read_to_end(&mut self.kept).cannot(|| format!("read {path}"))? as u64
        } else {
            self.flush()?;
            // By copy_file_range(2), sendfile(2) or splice(2) (std, for files).
            io::copy(&mut from, self.out).map_err(Failure::Write)?
        };
        if copied != size {
            return Err(Error::new(Code::Corrupt, format!("{path} shrank while it was read")).into());
        }
        self.pad(size)
    }

    /// The end of the archive.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.kept.extend_from_slice(&[0; 2 * BLOCK as usize]);
        self.flush()
    }

    fn header(&mut self, path: &str, kind: EntryType, mode: u32, size: u64) -> Result<(), Failure> {
        if path.len() > NAME {
            // The name of a sha512: GNU's way, which everybody reads.
            let long = [path.as_bytes(), b"\0"].concat();
            self.block("././@LongLink", EntryType::GNULongName, 0o644, long.len() as u64)?;
            self.kept.extend_from_slice(&long);
            self.kept.resize(self.kept.len().next_multiple_of(BLOCK as usize), 0);
        }
        self.block(&path[..path.len().min(NAME)], kind, mode, size)
    }

    fn block(&mut self, name: &str, kind: EntryType, mode: u32, size: u64) -> Result<(), Failure> {
        let mut header = Header::new_gnu();
        header.set_path(name).cannot(|| format!("name {name}"))?;
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        self.kept.extend_from_slice(header.as_bytes());
        Ok(())
    }

    fn pad(&mut self, size: u64) -> Result<(), Failure> {
        let padding = size.next_multiple_of(BLOCK) - size;
        self.kept.resize(self.kept.len() + padding as usize, 0);
        if self.kept.len() > KEPT { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.write_all(&self.kept).map_err(Failure::Write)?;
        self.kept.clear();
        Ok(())
    }
}
