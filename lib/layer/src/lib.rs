//! Layers: a tar, perhaps compressed, becomes a tree of files beneath one directory and nowhere else; and the way back.
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
//!
//! [`pack()`] is the way back, a tree to a tar, and [`merge()`] adds a tar's files to a directory that is in use: what
//! copies files out of containers and into them. [`Upper`] makes the tar of a layer of what a container changed,
//! [`flatten()`] one of all layers of an image, and [`blob()`] compresses either into the store.

mod acl;
mod archive;
mod blob;
mod change;
mod compress;
mod compressor;
mod copy;
mod data;
mod entry;
mod extract;
mod files;
mod flatten;
mod header;
mod inode;
mod kernel;
mod merge;
mod name;
mod pack;
mod pax;
mod place;
mod sparse;
pub mod stack;
mod stdout;
mod stream;
mod tree;
mod unpack;
mod upper;
mod walk;
mod write;
mod writer;
mod xattr;

pub use blob::{Blob, blob};
pub use change::Change;
pub use compress::{check_media_type, open};
pub use compressor::Compression;
pub use copy::copy;
pub use extract::{Extracted, extract};
pub use files::{Files, Member};
pub use flatten::flatten;
pub use kernel::is_of_kernel;
pub use merge::{Take, merge};
pub use name::show;
pub use pack::pack;
pub use place::Place;
pub use stdout::pack_to_stdout;
pub use stream::Stop;
pub use unpack::{gc, unpack};
pub use upper::{Upper, mount_points};
pub use writer::{Range, Rewrite};
pub use xattr::Reader as Xattrs;

use ctr_core::{Code, Error};

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(Code::Corrupt, message)
}
