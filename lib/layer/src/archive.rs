//! The entries of a tar, one after the other.
//!
//! The tar crate's own iterator reads long names and extended headers of any size into memory, splits pax
//! records at newlines and knows one of the four sparse forms; so its view of a header block is used, and the
//! walk is here. Where tars disagree with each other this reads them as Go's archive/tar does, by which the
//! field's other tools see a layer: what they scan is what is unpacked.

use crate::{
    corrupt,
    entry::{Entry, Kind, Meta},
    header::{self, BLOCK, Header},
    name::{self, show},
    pax::{self, Extended},
    sparse::{Form, Sparse},
    stream::{Stream, cut},
};
use ctr_core::{Code, Error, Result};
use rustix::fs::{FileType, Timespec};
use std::ffi::CString;

/// Most bytes of extended headers and long names that describe one entry.
const MAX_EXTENDED: u64 = 1 << 20;
/// Longest target of a symbolic link (`PATH_MAX` without its NUL).
const MAX_TARGET: usize = 4095;

/// Reads entries from a stream.
pub(crate) struct Archive<'a> {
    stream: Stream<'a>,
    /// Bytes of the current entry's data not read yet, and of the padding after it.
    data: u64,
    padding: u64,
    ended: bool,
    /// What the entries are of, for messages: `the layer`.
    of: &'static str,
}

impl<'a> Archive<'a> {
    /// For the entries of `of`, as messages call it: `the layer`.
    pub(crate) fn new(stream: Stream<'a>, of: &'static str) -> Self {
        Self { stream, data: 0, padding: 0, ended: false, of }
    }

    /// Whether the blocks that end a tar were seen; without them only a digest tells that none is missing.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// The stream, to be read to its end.
    pub(crate) fn into_stream(self) -> Stream<'a> {
        self.stream
    }

    /// The next entry; what was not read of the last one's data is passed over. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>> {
        self.skip()?;
        let mut extended = Extended::default();
        let (mut long_path, mut long_link) = (None, None);
        let mut within = false;
        let mut room = MAX_EXTENDED;
        loop {
            let Some(block) = self.header()? else {
                return if within { Err(cut()) } else { Ok(None) };
            };
            let header = Header::new(&block)?;
            let size = header.size()?;
            within = true;
            match header.flag() {
                b'x' => extended = pax::parse(&self.all(size, &mut room)?)?,
                b'L' => long_path = self.long_name(size, &mut room)?,
                b'K' => long_link = self.long_name(size, &mut room)?,
                // Global headers hold a comment at most (git archive); a volume has a label, not a file. Each is an
                // entry of its own: what came before described it, and nothing after it.
                b'g' | b'V' => {
                    self.expect(size)?;
                    self.skip()?;
                    (extended, long_path, long_link, within) = (Extended::default(), None, None, false);
                }
                _ => {
                    extended.path = long_path.or(extended.path);
                    extended.link = long_link.or(extended.link);
                    return self.entry(&header, extended).map(Some);
                }
            }
        }
    }

    /// Some of the current entry's data, at most `max` bytes; never empty.
    ///
    /// # Errors
    /// `corrupt` where the tar ends before the entry does, or the entry before `max`.
    pub(crate) fn chunk(&mut self, max: u64) -> Result<&[u8]> {
        let chunk = self.stream.chunk(max.min(self.data))?;
        if chunk.is_empty() {
            return Err(cut());
        }
        self.data -= chunk.len() as u64;
        Ok(chunk)
    }

    /// Bytes of the current entry's data not read yet.
    pub(crate) fn left(&self) -> u64 {
        self.data
    }

    fn entry(&mut self, header: &Header<'_>, mut extended: Extended) -> Result<Entry> {
        let flag = header.flag();
        let mut raw_path = extended.path.unwrap_or_else(|| header.path().into_owned());
        // Before ustar a directory was a file whose name ends in a slash.
        let is_file = matches!(flag, b'0' | b'7') || (flag == 0 && !raw_path.ends_with(b"/"));
        // The old form has all that it needs in its own header.
        let form = if flag == b'S' { None } else { Form::of(&extended.sparse)? };
        if form.is_some() {
            raw_path = extended.sparse.name.take().unwrap_or(raw_path);
            if !is_file {
                return Err(corrupt(format!("entry {} is sparse and no file", show(&raw_path))));
            }
        }
        let path = name::clean(&raw_path, self.of)?;
        let size = extended.size.map_or_else(|| header.size(), Ok)?;
        let target = || extended.link.unwrap_or_else(|| header.link().to_vec());
        let mtime = match extended.mtime {
            Some(mtime) => mtime,
            None => Timespec { tv_sec: header.mtime()?, tv_nsec: 0 },
        };
        let owner = |number: Option<u64>, field: Result<u64>| -> Result<u32> {
            // The highest number is -1, which chown(2) takes for "leave it".
            let number = number.map_or(field, Ok)?;
            u32::try_from(number).ok().filter(|n| *n != u32::MAX).ok_or_else(|| {
                corrupt(format!("entry {} belongs to user or group {number}, which cannot be", show(&raw_path)))
            })
        };
        let meta = Meta {
            mode: header.mode()?,
            uid: owner(extended.uid, header.uid())?,
            gid: owner(extended.gid, header.gid())?,
            mtime,
            atime: extended.atime.unwrap_or(mtime),
            xattrs: extended.xattrs.into_list(),
        };
        let kind = match flag {
            _ if is_file => {
                let mut stored = size;
                let sparse = form.map(|form| Sparse::pax(form, extended.sparse, &mut self.stream, &mut stored));
                let sparse = sparse.transpose()?;
                self.expect(stored)?;
                Kind::File(sparse)
            }
            b'S' => {
                let sparse = Sparse::old_gnu(header, &mut self.stream, size)?;
                self.expect(size)?;
                Kind::File(Some(sparse))
            }
            b'1' => Kind::Link(name::clean(&target(), self.of)?),
            b'2' => Kind::Symlink(symlink(&raw_path, target())?),
            b'3' | b'4' => {
                let kind = if flag == b'3' { FileType::CharacterDevice } else { FileType::BlockDevice };
                let (major, minor) = header.device()?;
                Kind::Node(kind, major, minor)
            }
            0 | b'5' => Kind::Directory,
            b'6' => Kind::Node(FileType::Fifo, 0, 0),
            other => {
                let message =
                    format!("entry {} is of type {:?}, which no file has", show(&raw_path), char::from(other));
                return Err(Error::new(Code::Unsupported, message));
            }
        };
        Ok(Entry { path, kind, meta })
    }

    /// The next header block; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let Some(block) = self.stream.block()? else { return Ok(None) };
        if !header::is_zero(&block) {
            return Ok(Some(block));
        }
        match self.stream.block()? {
            Some(second) if !header::is_zero(&second) => {
                Err(corrupt("the tar is damaged: an empty block stands before a header"))
            }
            second => {
                self.ended = second.is_some();
                Ok(None)
            }
        }
    }

    /// All data of a header that describes the next one; takes it off `room`, what is left for such.
    fn all(&mut self, size: u64, room: &mut u64) -> Result<Vec<u8>> {
        *room = room.checked_sub(size).ok_or_else(|| {
            Error::new(Code::Limit, "an entry has more than 1 MiB of extended headers and long names")
        })?;
        self.expect(size)?;
        let mut bytes = Vec::with_capacity(size as usize);
        while self.left() > 0 {
            bytes.extend_from_slice(self.chunk(u64::MAX)?);
        }
        self.skip()?;
        Ok(bytes)
    }

    /// The name in such a header; an empty one says nothing.
    fn long_name(&mut self, size: u64, room: &mut u64) -> Result<Option<Vec<u8>>> {
        let all = self.all(size, room)?;
        Ok(Some(header::until_nul(&all).to_vec()).filter(|name| !name.is_empty()))
    }

    fn expect(&mut self, size: u64) -> Result<()> {
        if size > i64::MAX as u64 {
            return Err(corrupt("the tar is damaged: an entry is larger than a file can be"));
        }
        self.data = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    fn skip(&mut self) -> Result<()> {
        self.data += std::mem::take(&mut self.padding);
        while self.data > 0 {
            self.chunk(u64::MAX)?;
        }
        Ok(())
    }
}

fn symlink(path: &[u8], target: Vec<u8>) -> Result<CString> {
    if target.is_empty() {
        return Err(corrupt(format!("symbolic link {} names nothing", show(path))));
    }
    if target.len() > MAX_TARGET {
        return Err(Error::new(Code::Limit, format!("symbolic link {} has a target too long", show(path))));
    }
    CString::new(target).map_err(|_| corrupt(format!("symbolic link {} has a NUL in its target", show(path))))
}
