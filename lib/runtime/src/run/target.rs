//! Paths inside the root, which an image controls: found and made by descriptor, never outside.

use super::mounts::is_procfs;
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawMode, StatxFlags},
    io::Errno,
};
use std::{
    cell::RefCell,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// As many symbolic links in one path as the kernel follows (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// A directory that is `/` for every path looked up through it.
pub struct Root {
    tree: ctr_core::Root,
    /// The mounts in it that lead back to the host, by number: what is mounted there would be mounted there too.
    shared: RefCell<Vec<u64>>,
}

/// What to make where a path is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory, mode 0755.
    Directory,
    /// An empty file, mode 0644, to bind something on.
    File,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }
}

impl Root {
    /// The directory behind `fd` as a root.
    pub fn new(fd: OwnedFd) -> Self {
        Self { tree: ctr_core::Root::new(fd), shared: RefCell::default() }
    }

    /// Notes which mounts lead back to the host.
    pub fn set_shared(&self, mounts: Vec<u64>) {
        self.shared.replace(mounts);
    }

    /// Whether what is mounted on `place` would show on the host.
    pub fn leads_back(&self, place: &OwnedFd) -> rustix::io::Result<bool> {
        let shared = self.shared.borrow();
        if shared.is_empty() {
            return Ok(false);
        }
        let stat = rustix::fs::statx(place, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        Ok(shared.contains(&stat.stx_mnt_id))
    }

    /// Opens `path`; symbolic links are followed as if this root were `/`, magic links never.
    pub fn open(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        self.tree.open(path, flags)
    }

    /// Opens `path`, of which no part may be a symbolic link.
    pub fn open_plain(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        self.tree.open_plain(path, flags)
    }

    /// The place for a mount (`O_PATH`): made, with its parents, where it is missing.
    pub fn make(&self, path: &Path, kind: Kind) -> Result<OwnedFd> {
        let found = match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => self.walk(path, kind)?,
            other => other.cannot(|| format!("open {} in the root", path.display()))?,
        };
        checked(found, path, kind)
    }

    /// The same where no part of the path may be a symbolic link: `/proc`, `/sys`, `/dev` and below.
    ///
    /// # Errors
    /// `invalid` for an image that planted one (CVE-2019-16884, CVE-2026-41579).
    pub fn make_plain(&self, path: &Path, kind: Kind) -> Result<OwnedFd> {
        let refused =
            || Error::new(Code::Invalid, format!("{} of the image has a symbolic link in it", path.display()));
        let found = match self.open_plain(path, OFlags::PATH) {
            Err(Errno::LOOP) => return Err(refused()),
            Err(Errno::NOENT) => {
                drop(self.walk(path, kind)?);
                self.open_plain(path, OFlags::PATH).map_err(|_| refused())?
            }
            other => other.cannot(|| format!("open {} in the root", path.display()))?,
        };
        checked(found, path, kind)
    }

    /// Goes down `path` one name at a time, making what is missing.
    ///
    /// openat2(2) cannot create directories, so the links are followed here: each step opens one name below a
    /// directory already held, without following; `..` goes back to a descriptor held, never by the kernel.
    /// A link to nowhere (Debian's `/etc/resolv.conf`) leads to the place it names, inside the root.
    fn walk(&self, path: &Path, kind: Kind) -> Result<OwnedFd> {
        let mut held: Vec<OwnedFd> = Vec::new();
        let mut rest = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                held.pop();
                continue;
            }
            let here = held.last().map_or(self.as_fd(), AsFd::as_fd);
            let last = rest.is_empty();
            let next = open_or_make(here, &name, if last { kind } else { Kind::Directory })
                .cannot(|| format!("make {} in the root", path.display()))?;
            match file_type(&next).cannot(|| format!("stat {}", path.display()))? {
                FileType::Symlink => {
                    links += 1;
                    // A link of procfs may be a magic one, whose text is not what it leads to.
                    if links > MAX_LINKS || is_procfs(&next) {
                        return Err(Errno::LOOP).cannot(|| format!("open {} in the root", path.display()));
                    }
                    let text = rustix::fs::readlinkat(&next, "", Vec::new())
                        .cannot(|| format!("read a link of {}", path.display()))?;
                    let text = Path::new(OsStr::from_bytes(text.to_bytes()));
                    if text.is_absolute() {
                        held.clear();
                    }
                    rest.append(&mut names(text));
                }
                FileType::Directory => held.push(next),
                _ if last => return Ok(next),
                _ => return Err(Errno::NOTDIR).cannot(|| format!("open {} in the root", path.display())),
            }
        }
        match held.pop() {
            Some(fd) => Ok(fd),
            None => rustix::io::fcntl_dupfd_cloexec(self, 3).cannot(|| "duplicate a descriptor"),
        }
    }
}

/// A directory where one is wanted, and none where a file is.
fn checked(found: OwnedFd, path: &Path, kind: Kind) -> Result<OwnedFd> {
    let is_dir = file_type(&found).cannot(|| format!("stat {}", path.display()))? == FileType::Directory;
    match kind {
        Kind::Directory if !is_dir => {
            Err(Error::new(Code::Invalid, format!("{} in the root is not a directory", path.display())))
        }
        Kind::File if is_dir => {
            Err(Error::new(Code::Invalid, format!("{} in the root is a directory", path.display()))
                .hint("a file can only be mounted on a file"))
        }
        _ => Ok(found),
    }
}

/// The names of a path, last first; `.` and the root are left out.
fn names(path: &Path) -> Vec<OsString> {
    let bytes = path.as_os_str().as_bytes();
    let names = bytes.split(|b| *b == b'/').filter(|n| !n.is_empty() && *n != b".");
    names.rev().map(|n| OsStr::from_bytes(n).to_owned()).collect()
}

/// Opens one name without following it (`O_PATH`), and makes it if it is not there.
fn open_or_make(dir: BorrowedFd<'_>, name: &OsStr, kind: Kind) -> rustix::io::Result<OwnedFd> {
    let open = || rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    match open() {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let made = match kind {
        Kind::Directory => rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)),
        Kind::File => rustix::fs::mknodat(dir, name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0),
    };
    match made {
        Ok(()) | Err(Errno::EXIST) => open(),
        Err(e) => Err(e),
    }
}

/// The type of what a descriptor refers to.
pub fn file_type(fd: &OwnedFd) -> rustix::io::Result<FileType> {
    let stat = rustix::fs::statat(fd, "", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode as RawMode))
}

/// Whether a descriptor is the character device `major:minor`, whatever its name says.
pub fn is_char_device(fd: &OwnedFd, major: u32, minor: u32) -> rustix::io::Result<bool> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(FileType::from_raw_mode(stat.st_mode as RawMode) == FileType::CharacterDevice
        && stat.st_rdev == rustix::fs::makedev(major, minor))
}

/// Whether a directory is of devpts: nobody can make a node there, so all that is in it are terminals.
pub fn is_devpts(dir: &OwnedFd) -> rustix::io::Result<bool> {
    /// `f_type` of statfs(2), `DEVPTS_SUPER_MAGIC` of `<linux/magic.h>`.
    const DEVPTS: i64 = 0x1cd1;
    rustix::fs::fstatfs(dir).map(|fs| fs.f_type == DEVPTS)
}
