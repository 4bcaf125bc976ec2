//! The writable layer of a container to the tar of a layer (image-spec, layer.md): what was added and changed, and a
//! whiteout for what was deleted.
//!
//! It is read by descriptors as [`crate::pack()`] reads, in sorted order. Where the overlay was mounted so that a
//! directory can be renamed, or the mode of a file changed, without its content in the writable layer (kernel,
//! filesystems/overlayfs.rst, redirect_dir and metacopy), that content is read from the mounted root.

use crate::{
    name,
    pack::{names, open},
    stack::{Below, Stack, is_whiteout},
    writer::{Held, Rewrite, Writer, named},
};
use ctr_core::{Cannot, Code, Error, Result, Root, Value, mount_setattr};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{FileType, Mode, OFlags, openat},
    mount::{MountAttrFlags, OpenTreeFlags, open_tree},
};
use std::{
    collections::{BTreeSet, HashSet},
    ffi::CString,
    io::Write,
};

/// What a container's writable layer is read beside.
pub struct Upper<'a> {
    /// The layers below it.
    pub stack: &'a Stack,
    /// Places in the root on which the runtime mounts something: see [`mount_points`].
    pub points: &'a HashSet<Vec<u8>>,
    /// Gives the mounted root, where it is needed.
    pub merged: &'a dyn Fn() -> Result<Root>,
}

/// The places on which the container has something mounted, as paths in its root; `mounts` as in a runtime-spec.
pub fn mount_points(mounts: &[Value]) -> HashSet<Vec<u8>> {
    let places = mounts.iter().filter_map(|mount| mount["destination"].as_str());
    places.map(|place| place.split('/').filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/").into()).collect()
}

impl Upper<'_> {
    /// Writes the writable layer in the directory that `tree` holds to `out`. Gives whether there is anything in it.
    ///
    /// Left out are sockets, and what the runtime made in order to mount on it: empty files and directories that no layer
    /// has and the container put nothing in.
    ///
    /// # Errors
    /// `unsupported` for a file whose name says something else in a layer.
    pub fn pack(&self, tree: OwnedFd, rewrite: Rewrite, out: &mut dyn Write) -> Result<bool> {
        let mut packing = Packing {
            upper: self,
            ways: self.points.iter().flat_map(|point| ancestors(point)).collect(),
            merged: None,
            writer: Writer::new(out, rewrite),
            is_apart: false,
            heads: Vec::new(),
            any: false,
        };
        let own = apart(&tree);
        packing.is_apart = own.is_some();
        let tree = packing.writer.look(own.unwrap_or(tree), b"")?;
        packing.entry(tree, b"", State::default())?;
        let any = packing.any;
        packing.writer.end()?;
        Ok(any)
    }
}

/// The directories that lead to a path, the root among them.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| name::split(path).0)).skip(1)
}

/// How a directory on the way bears on what is beneath it.
#[derive(Clone, Copy, Default)]
struct State {
    /// No layer below shows through.
    hidden: bool,
    /// What is not in the writable layer is here all the same: the directory was renamed.
    renamed: bool,
}

struct Packing<'a, 'w> {
    upper: &'a Upper<'a>,
    /// The directories on the way to a place of a mount.
    ways: BTreeSet<&'a [u8]>,
    merged: Option<Root>,
    writer: Writer<'w>,
    /// No device can be opened here: see [`apart`].
    is_apart: bool,
    /// Heads of directories that are not written before something beneath them is.
    heads: Vec<Vec<u8>>,
    any: bool,
}

impl Packing<'_, '_> {
    /// Writes a file, and what is beneath it.
    fn entry(&mut self, file: Held, path: &[u8], state: State) -> Result<()> {
        name::fits(path)?;
        let (parent, last) = name::split(path);
        if is_whiteout(&file.stat) || file.marks.whiteout {
            // Beneath what hides everything there is nothing to delete.
            return if state.hidden { Ok(()) } else { self.mark(&name::join(parent, &[b".wh.", last].concat())) };
        }
        if last.starts_with(b".wh.") {
            let message = format!("{} cannot be in a layer: there its name means a deletion", named(path));
            return Err(Error::new(Code::Unsupported, message).hint("remove or rename it"));
        }
        match file.kind {
            FileType::Directory => self.directory(file, path, state),
            FileType::Socket => Ok(()),
            FileType::RegularFile if file.stat.st_size == 0 && self.is_made_for_mount(path, state)? => Ok(()),
            FileType::RegularFile if file.marks.metacopy => {
                let data = self.merged(path)?;
                let data = self.writer.open(&data).cannot(|| format!("open {} in the root", named(path)))?;
                self.heads()?;
                self.writer.file_from(&file, &data, path)
            }
            _ => {
                self.heads()?;
                self.writer.file(&file, path)
            }
        }
    }

    fn directory(&mut self, mut dir: Held, path: &[u8], state: State) -> Result<()> {
        // Of the root the kernel looks for neither mark.
        let hides = !path.is_empty() && (dir.marks.opaque || dir.marks.redirect);
        let is_on_way = path.is_empty() || self.ways.contains(path) || self.upper.points.contains(path);
        let asked = !state.hidden && (hides || is_on_way);
        let below = if asked { self.upper.stack.look_up(path)? } else { None };
        let head = self.writer.directory(&dir, path)?;
        let before = self.heads.len();
        self.heads.push(head);
        if !is_on_way {
            self.heads()?;
        }
        if hides && below.as_ref().is_some_and(is_directory) {
            self.mark(&name::join(path, b".wh..wh..opq"))?;
        }
        let inside = State {
            hidden: state.hidden || hides || (asked && below.is_none()),
            renamed: state.renamed || dir.marks.redirect,
        };
        self.beneath(&mut dir, path, inside)?;
        // Nothing beneath it was written.
        if self.heads.len() > before && !self.differs(&dir, path, below.as_ref())? {
            self.heads.truncate(before);
        }
        if self.heads.len() > before { self.heads() } else { Ok(()) }
    }

    fn beneath(&mut self, dir: &mut Held, path: &[u8], state: State) -> Result<()> {
        let shown = if state.renamed { Some(self.merged(path)?) } else { None };
        let mut shown = shown.map(|shown| self.writer.look(shown, path)).transpose()?;
        for (name, is_file) in names(shown.as_mut().unwrap_or(dir), path)? {
            let path = name::join(path, name.to_bytes());
            // What the writable layer has itself comes from there: so its hard links are found.
            let file = match (self.held(dir, &name, is_file, &path)?, &shown) {
                (None, Some(shown)) => {
                    open(&shown.fd, &name, &path)?.map(|fd| self.writer.look(fd, &path)).transpose()?
                }
                (own, _) => own,
            };
            if let Some(file) = file {
                self.entry(file, &path, state)?;
            }
        }
        Ok(())
    }

    /// What the writable layer has at a name; `None` where it has nothing.
    fn held(&mut self, dir: &Held, name: &CString, is_file: bool, path: &[u8]) -> Result<Option<Held>> {
        if is_file && self.is_apart {
            // Should another kind of file lie there by now, this neither waits nor sets off anything.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(fd) = openat(&dir.fd, name, flags, Mode::empty()) {
                let file = self.writer.look_open(fd, path)?;
                if file.kind == FileType::RegularFile {
                    return Ok(Some(file));
                }
            }
        }
        open(&dir.fd, name, path)?.map(|fd| self.writer.look(fd, path)).transpose()
    }

    /// Whether a directory in which nothing was written is one all the same: what the runtime makes in it changes its time,
    /// and nothing else.
    fn differs(&mut self, dir: &Held, path: &[u8], below: Option<&Below>) -> Result<bool> {
        let Some(below) = below else { return Ok(false) };
        let same = (below.stat.st_mode, below.stat.st_uid, below.stat.st_gid);
        if (dir.stat.st_mode, dir.stat.st_uid, dir.stat.st_gid) != same {
            return Ok(true);
        }
        let lower = self.writer.look(self.upper.stack.hold(below, path)?, path)?;
        Ok(lower.xattrs != dir.xattrs)
    }

    /// Whether the place of a mount was made for it: no layer has it.
    fn is_made_for_mount(&self, path: &[u8], state: State) -> Result<bool> {
        Ok(self.upper.points.contains(path) && (state.hidden || self.upper.stack.look_up(path)?.is_none()))
    }

    /// The file as the mounted root has it.
    fn merged(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let root = match &mut self.merged {
            Some(root) => root,
            root => root.insert((self.upper.merged)()?),
        };
        root.open(path, OFlags::PATH | OFlags::NOFOLLOW).cannot(|| format!("open {} in the root", named(path)))
    }

    /// Writes what the tar says by a name alone.
    fn mark(&mut self, path: &[u8]) -> Result<()> {
        self.heads()?;
        self.writer.mark(path)
    }

    /// Writes the heads of the directories above what is about to be written.
    fn heads(&mut self) -> Result<()> {
        self.any = true;
        for head in std::mem::take(&mut self.heads) {
            self.writer.put(&head)?;
        }
        Ok(())
    }
}

/// The directory that `tree` holds through a mount of its own, which nobody else sees and on which no device is opened: so
/// to open a file costs one call, and not one to see that it is none and two more. `None` where the kernel does not let us.
fn apart(tree: &OwnedFd) -> Option<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let own = open_tree(tree, "", flags).ok()?;
    let set = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mount_setattr(own.as_fd(), false, set, MountAttrFlags::empty(), 0).ok()?;
    Some(own)
}

fn is_directory(below: &Below) -> bool {
    FileType::from_raw_mode(below.stat.st_mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::json;

    #[test]
    fn places_of_mounts() {
        let points = mount_points(&[json!({"destination": "/etc//hosts/"}), json!({"destination": "/proc"})]);
        assert_eq!(points, HashSet::from([b"etc/hosts".to_vec(), b"proc".to_vec()]));
    }

    #[test]
    fn the_way_to_a_place() {
        let way: Vec<&[u8]> = ancestors(b"a/b/c").collect();
        assert_eq!(way, [&b"a/b"[..], b"a", b""]);
    }
}
