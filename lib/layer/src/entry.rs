//! What one entry of a tar says, headers and extended headers taken together.

use crate::sparse::Sparse;
use rustix::fs::{FileType, Timespec};
use std::ffi::CString;

/// One file to be made.
pub(crate) struct Entry {
    /// Beneath the root; empty for the root itself.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) meta: Meta,
}

/// The kinds of file a layer can hold.
pub(crate) enum Kind {
    /// Its data is what the archive reads next; with a map, the data is what lies between the holes.
    File(Option<Sparse>),
    Directory,
    /// The text of the link, as it stands there.
    Symlink(CString),
    /// The path, beneath the root, of a file this layer made before.
    Link(Vec<u8>),
    /// Character or block device, or fifo.
    Node(FileType, u32, u32),
}

/// Owner, mode, times and extended attributes.
#[derive(Clone)]
pub(crate) struct Meta {
    /// Permission and set-id bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Timespec,
    /// The same as `mtime` where the tar has none, so that a tree depends on nothing but its tar.
    pub(crate) atime: Timespec,
    /// Names and values, without those that are overlay's or the host's.
    pub(crate) xattrs: Vec<(CString, Vec<u8>)>,
}

impl Default for Meta {
    /// Root's, no permission, of the epoch.
    fn default() -> Self {
        let epoch = Timespec { tv_sec: 0, tv_nsec: 0 };
        Self { mode: 0, uid: 0, gid: 0, mtime: epoch, atime: epoch, xattrs: Vec::new() }
    }
}
