//! Files that descriptors hold, each as an entry of a tar.
//!
//! The same files give the same bytes: what a tar has beyond them (names of users, access times) is left out, and what
//! [`Rewrite`] changes depends on the file alone.

use crate::{
    entry::Meta,
    header::BLOCK,
    name::{self, show},
    sparse::MAX_PARTS,
    write::Item,
    xattr::{self, Access, Marks},
};
use ctr_core::{Cannot, Code, Error, Result, trace};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, CWD, FileType, Mode, OFlags, Stat, Timespec},
    io::Errno,
    path::DecInt,
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Read, Write},
};

/// Size of the buffers.
pub(crate) const BUFFER: usize = 128 << 10;

/// What files are to say in the tar instead of what they say on the disk.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// No modification time is later than this one, seconds since the epoch (reproducible-builds.org, SOURCE_DATE_EPOCH).
    pub latest: Option<i64>,
    /// How users of the host are numbered inside; a number that is in no range stays.
    pub users: Vec<Range>,
    /// The same of groups.
    pub groups: Vec<Range>,
}

/// Numbers of users or groups, one after the other (user_namespaces(7)).
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first one on the host.
    pub outside: u32,
    /// The one inside that it is.
    pub inside: u32,
    /// How many there are.
    pub count: u32,
}

impl Rewrite {
    fn meta(&self, stat: &Stat, xattrs: xattr::List) -> Meta {
        let mut mtime = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 };
        if let Some(latest) = self.latest.filter(|latest| mtime.tv_sec >= *latest) {
            mtime = Timespec { tv_sec: latest, tv_nsec: 0 };
        }
        let (uid, gid) = (inside(&self.users, stat.st_uid), inside(&self.groups, stat.st_gid));
        Meta { mode: stat.st_mode & 0o7777, uid, gid, mtime, atime: mtime, xattrs }
    }
}

fn inside(ranges: &[Range], number: u32) -> u32 {
    let found = ranges.iter().find_map(|range| {
        let at = number.checked_sub(range.outside).filter(|at| *at < range.count)?;
        range.inside.checked_add(at)
    });
    found.unwrap_or(number)
}

/// A file, looked at through the descriptor that holds it.
pub(crate) struct Held {
    /// By `O_PATH`, or for reading.
    pub(crate) fd: OwnedFd,
    /// Opened for reading, if it is a directory or a regular file and `fd` is not.
    pub(crate) open: Option<OwnedFd>,
    pub(crate) stat: Stat,
    pub(crate) kind: FileType,
    /// Its own attributes.
    pub(crate) xattrs: xattr::List,
    /// What overlay notes in others.
    pub(crate) marks: Marks,
}

/// A tar that is being written.
pub(crate) struct Writer<'a> {
    out: io::BufWriter<&'a mut dyn Write>,
    rewrite: Rewrite,
    /// Files of several names, by device and inode, and the name under which each is in the tar.
    links: HashMap<(u64, u64), Vec<u8>>,
    xattrs: xattr::Reader,
    buffer: Vec<u8>,
    /// `/proc/self/fd`, where what is held is opened.
    held: Option<OwnedFd>,
    /// Holes are left out, in GNU's form.
    sparse: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, rewrite: Rewrite) -> Self {
        Self {
            out: io::BufWriter::with_capacity(BUFFER, out),
            rewrite,
            links: HashMap::new(),
            xattrs: xattr::Reader::new(),
            buffer: vec![0; BUFFER],
            held: None,
            sparse: false,
        }
    }

    /// Leaves holes out: a tar for a reader of ours, for others do not all know the form.
    pub(crate) fn sparse(self) -> Self {
        Self { sparse: true, ..self }
    }

    /// Looks at what `fd` holds by `O_PATH`.
    pub(crate) fn look(&mut self, fd: OwnedFd, path: &[u8]) -> Result<Held> {
        let failed = || format!("read {}", named(path));
        let stat = fs::fstat(&fd).cannot(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let open = match kind {
            FileType::Directory | FileType::RegularFile => Some(self.open(&fd).cannot(failed)?),
            _ => None,
        };
        let access = open.as_ref().map_or(Access::Held(fd.as_fd()), |open| Access::Open(open.as_fd()));
        let (xattrs, marks) = self.xattrs.read(access).cannot(failed)?;
        Ok(Held { fd, open, stat, kind, xattrs, marks })
    }

    /// Looks at what `fd` has open for reading.
    pub(crate) fn look_open(&mut self, fd: OwnedFd, path: &[u8]) -> Result<Held> {
        let failed = || format!("read {}", named(path));
        let stat = fs::fstat(&fd).cannot(failed)?;
        let (xattrs, marks) = self.xattrs.read(Access::Open(fd.as_fd())).cannot(failed)?;
        Ok(Held { fd, open: None, kind: FileType::from_raw_mode(stat.st_mode), stat, xattrs, marks })
    }

    /// Opens what a descriptor holds, by the magic link of our own procfs: it is the file that was looked at.
    pub(crate) fn open(&mut self, fd: &OwnedFd) -> rustix::io::Result<OwnedFd> {
        let held = match &mut self.held {
            Some(held) => held,
            held => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                held.insert(fs::openat(CWD, "/proc/self/fd", flags, Mode::empty())?)
            }
        };
        fs::openat(held, DecInt::from_fd(fd), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Writes the file, but a directory (see [`Writer::directory`]) and a socket, which means nothing without who
    /// listens. A file of several names is there once, and then as links to the first.
    pub(crate) fn file(&mut self, file: &Held, path: &[u8]) -> Result<()> {
        self.file_from(file, file.open.as_ref().unwrap_or(&file.fd), path)
    }

    /// The same with the data of another file, if it is a regular one.
    pub(crate) fn file_from(&mut self, file: &Held, data: &OwnedFd, path: &[u8]) -> Result<()> {
        let failed = || format!("read {}", named(path));
        let meta = self.meta(file);
        let item = Item { flag: b'0', path, link: b"", size: 0, sparse: None, device: (0, 0), meta: &meta };
        match file.kind {
            FileType::Directory | FileType::Socket => Ok(()),
            _ if self.is_link(&file.stat, &item)? => Ok(()),
            FileType::RegularFile => self.data(data, &Item { size: file.stat.st_size as u64, ..item }),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let flag = if file.kind == FileType::CharacterDevice { b'3' } else { b'4' };
                let rdev = file.stat.st_rdev;
                self.head(&Item { flag, device: (fs::major(rdev), fs::minor(rdev)), ..item })
            }
            FileType::Symlink => {
                let target = fs::readlinkat(&file.fd, "", Vec::new()).cannot(failed)?;
                self.head(&Item { flag: b'2', link: target.to_bytes(), ..item })
            }
            _ => self.head(&Item { flag: b'6', ..item }),
        }
    }

    /// What stands for a directory, to be [`Writer::put`] before what is beneath it.
    pub(crate) fn directory(&self, dir: &Held, path: &[u8]) -> Result<Vec<u8>> {
        let shown = if path.is_empty() { b"./".to_vec() } else { [path, b"/"].concat() };
        let meta = self.meta(dir);
        Item { flag: b'5', path: &shown, link: b"", size: 0, sparse: None, device: (0, 0), meta: &meta }.headers()
    }

    /// Writes an empty file of the epoch, which only its name says something by.
    pub(crate) fn mark(&mut self, path: &[u8]) -> Result<()> {
        let meta = Meta::default();
        self.head(&Item { flag: b'0', path, link: b"", size: 0, sparse: None, device: (0, 0), meta: &meta })
    }

    /// Writes bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).cannot(written)
    }

    /// Ends the tar.
    pub(crate) fn end(mut self) -> Result<()> {
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush().cannot(written)
    }

    fn meta(&self, file: &Held) -> Meta {
        self.rewrite.meta(&file.stat, file.xattrs.clone())
    }

    /// Writes a file that is in the tar already as a link to it; gives whether it was.
    fn is_link(&mut self, stat: &Stat, item: &Item<'_>) -> Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.links.get(&key) else {
            self.links.insert(key, item.path.to_vec());
            return Ok(false);
        };
        let first = first.clone();
        let meta = Meta { xattrs: Vec::new(), ..item.meta.clone() };
        self.head(&Item { flag: b'1', link: &first, meta: &meta, ..*item })?;
        Ok(true)
    }

    /// Writes a regular file, of just the size that its header says.
    fn data(&mut self, file: &OwnedFd, item: &Item<'_>) -> Result<()> {
        let parts = if self.sparse { parts(file, item)? } else { None };
        let Some(parts) = parts else {
            self.head(item)?;
            self.bytes(file, item, item.size)?;
            return self.zeros(item.size.next_multiple_of(BLOCK as u64) - item.size);
        };
        let mut map = parts.iter().fold(format!("{}\n", parts.len()), |mut map, (offset, length)| {
            let _ = writeln!(map, "{offset}\n{length}");
            map
        });
        map.extend(std::iter::repeat_n('\0', map.len().next_multiple_of(BLOCK) - map.len()));
        let size = map.len() as u64 + parts.iter().map(|(_, length)| length).sum::<u64>();
        self.head(&Item { size, sparse: Some(item.size), ..*item })?;
        self.put(map.as_bytes())?;
        for (offset, length) in parts {
            fs::seek(file, fs::SeekFrom::Start(offset)).cannot(|| format!("read {}", named(item.path)))?;
            self.bytes(file, item, length)?;
        }
        self.zeros(size.next_multiple_of(BLOCK as u64) - size)
    }

    /// Writes so many bytes of a file; zeros where it has fewer by now.
    fn bytes(&mut self, file: &OwnedFd, item: &Item<'_>, length: u64) -> Result<()> {
        let failed = || format!("read {}", named(item.path));
        let mut left = length;
        while left > 0 {
            let most = left.min(BUFFER as u64) as usize;
            let read = match rustix::io::read(file, &mut self.buffer[..most]) {
                Err(Errno::INTR) => continue,
                other => other.cannot(failed)?,
            };
            if read == 0 {
                trace::warn(&format!("{} shrank while it was read: zeros stand for its end", named(item.path)));
                break;
            }
            self.out.write_all(&self.buffer[..read]).cannot(written)?;
            left -= read as u64;
        }
        self.zeros(left)
    }

    fn zeros(&mut self, count: u64) -> Result<()> {
        io::copy(&mut io::repeat(0).take(count), &mut self.out).map(drop).cannot(written)
    }

    fn head(&mut self, item: &Item<'_>) -> Result<()> {
        name::fits(item.path)?;
        let headers = item.headers()?;
        self.put(&headers)
    }
}

/// Where a file has data, as offset and length, where it has holes too; `None` for one without (lseek(2), `SEEK_DATA`).
///
/// # Errors
/// `limit` for more parts than a reader takes.
fn parts(file: &OwnedFd, item: &Item<'_>) -> Result<Option<Vec<(u64, u64)>>> {
    let failed = || format!("read {}", named(item.path));
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < item.size {
        let start = match fs::seek(file, fs::SeekFrom::Data(at)) {
            // Only holes are left.
            Err(Errno::NXIO) => break,
            // A file system that does not tell.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            other => other.cannot(failed)?.min(item.size),
        };
        let end = fs::seek(file, fs::SeekFrom::Hole(start)).cannot(failed)?.min(item.size);
        if start >= end {
            break;
        }
        if parts.len() == MAX_PARTS {
            return Err(Error::new(Code::Limit, format!("{} has more than {MAX_PARTS} holes", named(item.path))));
        }
        parts.push((start, end - start));
        at = end;
    }
    fs::seek(file, fs::SeekFrom::Start(0)).cannot(failed)?;
    let whole = parts == [(0, item.size)] || item.size == 0;
    Ok(Some(parts).filter(|_| !whole))
}

fn written() -> &'static str {
    "write the tar"
}

/// The refusal of a socket that was asked for by name.
pub(crate) fn is_socket(path: &[u8]) -> Error {
    Error::new(Code::Unsupported, format!("cannot copy {}: it is a socket", named(path)))
}

/// A path for a message.
pub(crate) fn named(path: &[u8]) -> String {
    if path.is_empty() { "the tree".to_owned() } else { show(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_inside() {
        let ranges = [Range { outside: 100_000, inside: 0, count: 10 }, Range { outside: 5, inside: 1000, count: 1 }];
        for (outside, expected) in [(100_000, 0), (100_009, 9), (100_010, 100_010), (5, 1000), (0, 0), (4, 4)] {
            assert_eq!(inside(&ranges, outside), expected);
        }
        assert_eq!(inside(&[Range { outside: 0, inside: u32::MAX, count: 9 }], 3), 3);
    }
}
