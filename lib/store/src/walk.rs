//! The way through a tree by descriptors: of any depth, with few of them, following no link.

use rustix::{
    fs::{CWD, Mode, OFlags, fstat, openat},
    io::{Errno, Result},
    path::Arg,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// So many directories are held open at once; above them the way back is by `..`.
const OPEN: usize = 64;

/// A directory of a tree, and those above it.
#[derive(Debug)]
pub struct Walk(Vec<Level>);

#[derive(Debug)]
struct Level {
    /// `None` of one far above, and of one that is not found any more.
    fd: Option<OwnedFd>,
    inode: (u64, u64),
}

impl Level {
    fn new(fd: OwnedFd) -> Result<Self> {
        Ok(Self { inode: inode(&fd)?, fd: Some(fd) })
    }
}

impl Walk {
    /// Begins in the directory at `path`; `None` where there is none.
    pub fn begin(path: &Path) -> Result<Option<Self>> {
        open(CWD, path)?.map(|fd| Ok(Self(vec![Level::new(fd)?]))).transpose()
    }

    /// The directory; `None` once the way led above the first, or where it was moved away meanwhile.
    pub fn here(&self) -> Option<&OwnedFd> {
        self.0.last()?.fd.as_ref()
    }

    /// Goes into the directory `name` of this one. Gives whether there is one.
    pub fn down(&mut self, name: &CStr) -> Result<bool> {
        let Some(here) = self.here() else { return Ok(false) };
        let Some(below) = open(here, name)? else { return Ok(false) };
        self.0.push(Level::new(below)?);
        if let Some(far) = self.0.len().checked_sub(OPEN + 1) {
            self.0[far].fd = None;
        }
        Ok(true)
    }

    /// Goes back to the directory above.
    pub fn up(&mut self) -> Result<()> {
        let done = self.0.pop().and_then(|level| level.fd);
        if let (Some(above), Some(done)) = (self.0.last_mut().filter(|above| above.fd.is_none()), done) {
            above.fd = open(done, c"..")?.filter(|fd| inode(fd).is_ok_and(|inode| inode == above.inode));
        }
        Ok(())
    }
}

fn inode(fd: &OwnedFd) -> Result<(u64, u64)> {
    fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Opens a directory; `None` where it is none any more.
fn open(at: impl AsFd, name: impl Arg) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(at, name, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(e) => Err(e),
    }
}
