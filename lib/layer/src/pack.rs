//! Tree to tar: a file, or a directory with all beneath it, as entries in sorted order.
//!
//! The tree may be in use by those who would rather have something else read. Each name is looked up once, in a
//! directory that is open, and not followed (`O_PATH`); what was found is looked at, and then read through the
//! descriptor that holds it. So a directory that becomes a link meanwhile is not entered, and no device or fifo
//! is ever opened.

use crate::{
    entry::Meta,
    header::BLOCK,
    kernel::is_of_kernel,
    name::{self, show},
    write::Item,
    xattr,
};
use ctr_core::{Cannot, Code, Error, Result, trace};
use rustix::{
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::{self, Dir, FileType, Mode, OFlags, Stat, Timespec},
    io::Errno,
};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, ErrorKind, Read, Write},
};

const BUFFER: usize = 128 << 10;

/// Writes the file that `file` holds (opened with `O_PATH`) to `out` as a tar, under the name `name`; a directory with
/// all beneath it, and with no name for the tree that the tar is of.
///
/// Left out are sockets, which mean nothing without who listens, what overlay notes in extended attributes, and what
/// is beneath the mount points of procfs and its like.
///
/// # Errors
/// `limit` for a tree deeper than is unpacked again, or a file with more extended attributes than readers take.
pub fn pack(file: OwnedFd, name: &[u8], out: &mut dyn Write) -> Result<()> {
    let mut job = Packing {
        out: &mut io::BufWriter::with_capacity(BUFFER, out),
        links: HashMap::new(),
        xattrs: xattr::Reader::new(),
        buffer: vec![0; BUFFER],
    };
    job.entry(file, name, None)?;
    job.put(&[0; 2 * BLOCK])?;
    job.out.flush().cannot(written)
}

fn written() -> &'static str {
    "write the tar"
}

struct Packing<'a> {
    out: &'a mut dyn Write,
    /// Files of several names, by device and inode, and the name under which each is in the tar.
    links: HashMap<(u64, u64), Vec<u8>>,
    xattrs: xattr::Reader,
    buffer: Vec<u8>,
}

impl Packing<'_> {
    /// Writes the file that `fd` holds, and what is beneath it; `beside` is the device of its directory.
    fn entry(&mut self, fd: OwnedFd, path: &[u8], beside: Option<u64>) -> Result<()> {
        name::fits(path)?;
        let failed = || format!("read {}", named(path));
        let stat = fs::fstat(&fd).cannot(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Socket {
            return match beside {
                Some(_) => Ok(()),
                None => Err(Error::new(Code::Unsupported, format!("cannot copy {}: it is a socket", named(path)))),
            };
        }
        let crossed = beside.is_none_or(|dev| dev != stat.st_dev) && is_of_kernel(&fd).cannot(failed)?;
        let xattrs = if crossed { Vec::new() } else { self.xattrs.read(fd.as_fd()).cannot(failed)? };
        let meta = meta(&stat, xattrs);
        let item = Item { flag: b'0', path, link: b"", size: 0, device: (0, 0), meta: &meta };
        match kind {
            FileType::Directory => {
                let shown = if path.is_empty() { b"./".to_vec() } else { [path, b"/"].concat() };
                self.head(&Item { flag: b'5', path: &shown, ..item })?;
                if crossed { Ok(()) } else { self.beneath(fd, path, stat.st_dev) }
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                let flag = if kind == FileType::CharacterDevice { b'3' } else { b'4' };
                self.head(&Item { flag, device: (fs::major(stat.st_rdev), fs::minor(stat.st_rdev)), ..item })
            }
            _ if self.is_link(&stat, &item)? => Ok(()),
            FileType::RegularFile => self.file(&fd, &Item { size: stat.st_size as u64, ..item }),
            FileType::Symlink => {
                let target = fs::readlinkat(&fd, "", Vec::new()).cannot(failed)?;
                self.head(&Item { flag: b'2', link: target.to_bytes(), ..item })
            }
            _ => self.head(&Item { flag: b'6', ..item }),
        }
    }

    /// Writes all that a directory has, by name.
    fn beneath(&mut self, fd: OwnedFd, path: &[u8], dev: u64) -> Result<()> {
        let failed = || format!("read {}", named(path));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut dir = fs::openat(&fd, ".", flags, Mode::empty()).and_then(Dir::new).cannot(failed)?;
        // One descriptor a level is enough.
        drop(fd);
        let mut names = Vec::new();
        while let Some(entry) = dir.read() {
            let entry = entry.cannot(failed)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push(entry.file_name().to_owned());
            }
        }
        names.sort_unstable();
        let here = dir.fd().cannot(failed)?;
        for name in names {
            let path = name::join(path, name.to_bytes());
            match fs::openat(here, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
                // Gone since it was listed.
                Err(Errno::NOENT) => {}
                other => self.entry(other.cannot(|| format!("open {}", named(&path)))?, &path, Some(dev))?,
            }
        }
        Ok(())
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
    fn file(&mut self, fd: &OwnedFd, item: &Item<'_>) -> Result<()> {
        let failed = || format!("read {}", named(item.path));
        // The magic link of our own procfs: what is opened is the file that was looked at.
        let mut file = File::open(format!("/proc/self/fd/{}", fd.as_raw_fd())).cannot(failed)?;
        self.head(item)?;
        let mut left = item.size;
        while left > 0 {
            let most = left.min(BUFFER as u64) as usize;
            let read = match file.read(&mut self.buffer[..most]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                other => other.cannot(failed)?,
            };
            if read == 0 {
                trace::warn(&format!("{} shrank while it was read: zeros stand for its end", named(item.path)));
                break;
            }
            self.out.write_all(&self.buffer[..read]).cannot(written)?;
            left -= read as u64;
        }
        self.zeros(left + item.size.next_multiple_of(BLOCK as u64) - item.size)
    }

    fn zeros(&mut self, count: u64) -> Result<()> {
        io::copy(&mut io::repeat(0).take(count), &mut self.out).map(drop).cannot(written)
    }

    fn head(&mut self, item: &Item<'_>) -> Result<()> {
        let headers = item.headers()?;
        self.put(&headers)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).cannot(written)
    }
}

fn meta(stat: &Stat, xattrs: Vec<(std::ffi::CString, Vec<u8>)>) -> Meta {
    let mtime = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 };
    Meta { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime, atime: mtime, xattrs }
}

/// A path for a message.
fn named(path: &[u8]) -> String {
    if path.is_empty() { "the tree".to_owned() } else { show(path) }
}
