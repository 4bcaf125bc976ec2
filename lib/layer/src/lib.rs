//! Layers: a tar, perhaps compressed, becomes a tree of files beneath one directory and nowhere else.
//!
//! The bytes of a layer are hostile. What keeps a tree whole and the rest of the machine out of reach:
//!
//! - Every file is made by one component of a name in a directory that is open (`*at` calls); a directory is
//!   opened by `openat2` beneath the tree's own descriptor with no symbolic link on the way. Nothing is
//!   ever made, linked, chowned or opened by a path from the working directory or the root.
//! - A parent that the same layer made a symbolic link is resolved here, in the tree as if it were the
//!   root, as docker and containerd do it; the result is then opened without links like any other.
//! - Nothing is replaced. A second entry of the same path is refused unless both are directories (image-spec,
//!   layer.md: no duplicates), so there is no moment between what a name was and what it is.
//! - What is read before it is checked is bounded: names, depth, extended headers, sparse maps, the list of directories.
//! - A tree is published by rename after its tar's digest was found right, so half a tree is never seen.
//!
//! Deletions are kept in overlay's form (kernel, filesystems/overlayfs.rst): a character device 0:0 for a
//! whiteout, the xattr `trusted.overlay.opaque` for an opaque directory. Overlay's own xattrs are never
//! taken from a tar.

mod acl;
mod archive;
mod compress;
mod entry;
mod extract;
mod header;
mod inode;
mod name;
mod pax;
mod sparse;
mod stream;
mod tree;
mod unpack;
mod walk;

pub use compress::{check_media_type, open};
pub use extract::{Extracted, extract};
pub use stream::Stop;
pub use unpack::{gc, unpack};

use ctr_core::{Code, Error};

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(Code::Corrupt, message)
}
