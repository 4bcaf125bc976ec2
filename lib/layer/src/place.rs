//! Names in a tree that is in use: directories found beneath one that is held, files made aside and renamed.

use crate::name::show;
use ctr_core::{Cannot, Code, Error, Result, Root, ident, open_beneath};
use rustix::{
    fd::OwnedFd,
    fs::{self, AtFlags, FileType, OFlags, ResolveFlags, StatxAttributes, StatxFlags},
    io::Errno,
};
use std::ffi::CString;

/// Where the files go.
#[derive(Debug)]
pub struct Place<'a> {
    /// The directory, opened with `O_PATH`.
    pub dir: OwnedFd,
    /// In a container: its root, and the path by which the directory was found there.
    pub inside: Option<(&'a Root, Vec<u8>)>,
}

impl Place<'_> {
    /// A directory beneath the place.
    pub(crate) fn open(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::DIRECTORY;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let below = if path.is_empty() { b"." } else { path };
        match (open_beneath(&self.dir, below, flags, beneath), &self.inside) {
            (Err(Errno::LOOP), Some((root, at))) => root.open([&at[..], path].join(&b'/'), flags),
            (other, _) => other,
        }
    }
}

/// A name in an open directory that gets a file.
pub(crate) struct New<'a> {
    pub(crate) dir: &'a OwnedFd,
    pub(crate) name: &'a [u8],
    /// For messages.
    pub(crate) path: &'a [u8],
}

impl New<'_> {
    /// Makes a file by `make` under a name aside, and gives it its own.
    ///
    /// # Errors
    /// `exists` where the name is a device, a fifo or a socket: it is there for others, /dev/null above all.
    pub(crate) fn put(&self, make: impl FnOnce(&CString) -> Result<()>) -> Result<()> {
        let before =
            fs::statat(self.dir, self.name, AtFlags::SYMLINK_NOFOLLOW).map(|s| FileType::from_raw_mode(s.st_mode));
        if before.is_ok_and(|kind| !matches!(kind, FileType::RegularFile | FileType::Symlink | FileType::Directory)) {
            let message = format!("cannot replace {}: it is a device, a fifo or a socket", show(self.path));
            return Err(Error::new(Code::Exists, message));
        }
        let aside = CString::new(format!(".{}", ident::token())).unwrap_or_default();
        let done = make(&aside).and_then(|()| match fs::renameat(self.dir, &aside, self.dir, self.name) {
            Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
                let message = format!("cannot replace directory {} by a file that is none", show(self.path));
                Err(Error::new(Code::Exists, message))
            }
            other => other.cannot(|| self.what("make")),
        });
        // It is still there after a failure, and where both names were links to one file (rename(2)).
        let _ = fs::unlinkat(self.dir, &aside, AtFlags::empty());
        done
    }

    /// Whether something is mounted on the name, for those who see the mounts of this directory. The kernel would
    /// let us rename over it, and take the mount away: it is not one of our own namespace.
    pub(crate) fn is_mounted(&self) -> Result<bool> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        match fs::statx(self.dir, self.name, flags, StatxFlags::TYPE) {
            Err(Errno::NOENT) => Ok(false),
            other => {
                let stat = other.cannot(|| self.what("look at"))?;
                let is_dir = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory;
                Ok(!is_dir && stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
            }
        }
    }

    pub(crate) fn busy(&self) -> Error {
        Error::new(Code::Busy, format!("cannot replace {}: something is mounted on it", show(self.path)))
    }

    pub(crate) fn what(&self, what: &str) -> String {
        format!("{what} {}", show(self.path))
    }
}
