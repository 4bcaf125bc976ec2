//! The directories of a tree under construction: opened beneath its root, made where a tar implies
//! them, and given their metadata at the end.

use crate::{
    corrupt,
    entry::Meta,
    inode::{Maker, touch},
    name::{self, show},
};
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags},
    io::Errno,
};
use std::{collections::BTreeMap, rc::Rc};

/// Directories held open: entries of a tar come directory by directory, so a few are enough.
const OPEN: usize = 16;
/// Most bytes kept of directories until the end: some 300,000 of them.
const MAX_KEPT: usize = 64 << 20;
/// Mode of a directory that the tar implies but does not have, as docker's.
const IMPLIED: u32 = 0o755;

/// A directory that is open, and its path without symbolic links.
pub(crate) struct Dir {
    pub(crate) path: Vec<u8>,
    pub(crate) fd: OwnedFd,
}

impl Dir {
    /// What lies at `name`, not following it.
    pub(crate) fn found(&self, name: &[u8]) -> Result<Found> {
        let stat = fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .cannot(|| format!("look at {}", show(&name::join(&self.path, name))))?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Found::Directory,
            FileType::Symlink => Found::Link,
            FileType::CharacterDevice if stat.st_rdev == 0 => Found::Whiteout,
            _ => Found::Other,
        })
    }

    /// Takes a whiteout away, for the file of this layer that stands in its place.
    pub(crate) fn lift(&self, name: &[u8]) -> Result<()> {
        fs::unlinkat(&self.fd, name, AtFlags::empty())
            .cannot(|| format!("remove whiteout {}", show(&name::join(&self.path, name))))
    }
}

/// What a directory is to have in the end.
struct Pending {
    meta: Meta,
    /// The mode it was made with.
    made: u32,
    opaque: bool,
}

/// What lies at a name.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Found {
    Directory,
    Link,
    Whiteout,
    Other,
}

/// The tree beneath one directory.
pub(crate) struct Tree {
    root: OwnedFd,
    maker: Maker,
    /// Latest first. The key is the path as the tar has it, perhaps through links.
    open: Vec<(Vec<u8>, Rc<Dir>)>,
    pending: BTreeMap<Vec<u8>, Pending>,
    kept: usize,
}

impl Tree {
    /// Works beneath `root`, an empty directory opened for reading.
    pub(crate) fn new(root: OwnedFd, maker: Maker) -> Result<Self> {
        // What a set-group-id bit or a default ACL of the store's place would pass on to every file.
        maker.own(root.as_fd()).cannot(|| "take the tree's directory")?;
        fs::fchmod(&root, Mode::RWXU).cannot(|| "take the tree's directory")?;
        let _ = fs::fremovexattr(&root, "system.posix_acl_default");
        Ok(Self { root, maker, open: Vec::with_capacity(OPEN), pending: BTreeMap::new(), kept: 0 })
    }

    /// The directory `path`, made with its parents where it is missing; `meta` is of the entry that needs it.
    ///
    /// # Errors
    /// `corrupt` where a component is neither a directory nor a link to one in this tree.
    pub(crate) fn dir(&mut self, path: &[u8], meta: &Meta) -> Result<Rc<Dir>> {
        if let Some(at) = self.open.iter().position(|(key, _)| key == path) {
            self.open[..=at].rotate_right(1);
            return Ok(self.open[0].1.clone());
        }
        if path.is_empty() && !self.pending.contains_key(path) {
            self.set_root(implied(meta))?;
        }
        let dir = match self.open_beneath(path, OFlags::PATH) {
            Ok(fd) => Dir { path: path.to_vec(), fd },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.walk(path, meta)?,
            Err(e) => return Err(e).cannot(|| format!("open directory {}", show(path))),
        };
        Ok(self.hold(path, dir))
    }

    fn hold(&mut self, key: &[u8], dir: Dir) -> Rc<Dir> {
        let dir = Rc::new(dir);
        self.open.truncate(OPEN - 1);
        self.open.insert(0, (key.to_vec(), dir.clone()));
        dir
    }

    /// A directory by its path without symbolic links; they are refused wherever they turn up.
    pub(crate) fn open_beneath(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        ctr_core::open_beneath(&self.root, path, flags | OFlags::DIRECTORY, beneath)
    }

    /// Makes the directory `name` in `parent`; one that is there takes the new metadata.
    pub(crate) fn make(&mut self, parent: &Dir, name: &[u8], meta: Meta) -> Result<()> {
        let path = name::join(&parent.path, name);
        name::fits(&path)?;
        let made = made(&meta);
        match fs::mkdirat(&parent.fd, name, Mode::from_raw_mode(made)) {
            Ok(()) => self.keep(path, Pending { meta, made, opaque: false }),
            Err(Errno::EXIST) => match parent.found(name)? {
                Found::Directory => match self.pending.get(&path) {
                    Some(known) => {
                        let (made, opaque) = (known.made, known.opaque);
                        self.keep(path, Pending { meta, made, opaque })
                    }
                    None => Err(duplicate(&path)),
                },
                Found::Whiteout => {
                    parent.lift(name)?;
                    fs::mkdirat(&parent.fd, name, Mode::from_raw_mode(made))
                        .cannot(|| format!("make directory {}", show(&path)))?;
                    self.keep(path, Pending { meta, made, opaque: true })
                }
                Found::Link | Found::Other => Err(duplicate(&path)),
            },
            Err(e) => Err(e).cannot(|| format!("make directory {}", show(&path))),
        }
    }

    /// A directory that no entry of the tar describes (yet).
    pub(crate) fn imply(&mut self, parent: &Dir, name: &[u8], meta: &Meta) -> Result<()> {
        self.make(parent, name, implied(meta))
    }

    /// The metadata of the root itself.
    pub(crate) fn set_root(&mut self, meta: Meta) -> Result<()> {
        let opaque = self.pending.get(&b""[..]).is_some_and(|known| known.opaque);
        self.keep(Vec::new(), Pending { meta, made: 0o700, opaque })
    }

    /// All that lower layers have in `dir` is gone.
    pub(crate) fn hide_lower(&mut self, dir: &Dir) {
        if let Some(known) = self.pending.get_mut(&dir.path) {
            known.opaque = true;
        }
    }

    /// What lower layers have at `name` is gone: a device 0:0 in its place, unless this layer has its own.
    pub(crate) fn white_out(&mut self, dir: &Dir, name: &[u8], meta: &Meta) -> Result<()> {
        let path = || name::join(&dir.path, name);
        match fs::mknodat(&dir.fd, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => touch(dir.fd.as_fd(), name, meta, &path()),
            Err(Errno::EXIST) => match dir.found(name)? {
                Found::Directory => {
                    if let Some(known) = self.pending.get_mut(&path()) {
                        known.opaque = true;
                    }
                    Ok(())
                }
                Found::Whiteout => Err(duplicate(&path())),
                // A file of this layer hides what is below it anyway.
                Found::Link | Found::Other => Ok(()),
            },
            Err(e) => Err(e).cannot(|| format!("make whiteout {}", show(&path()))),
        }
    }

    fn keep(&mut self, path: Vec<u8>, pending: Pending) -> Result<()> {
        let cost = |pending: &Pending| {
            let xattrs = pending.meta.xattrs.iter().map(|(name, value)| name.count_bytes() + value.len() + 64);
            2 * path.len() + size_of::<Pending>() + xattrs.sum::<usize>()
        };
        self.kept += cost(&pending);
        self.kept -= self.pending.get(&path).map_or(0, cost);
        if self.kept > MAX_KEPT {
            return Err(Error::new(Code::Limit, "the layer has too many directories"));
        }
        self.pending.insert(path, pending);
        Ok(())
    }

    /// Gives every directory its metadata, the deepest first: from then on nothing is made in it.
    pub(crate) fn finish(mut self) -> Result<()> {
        if !self.pending.contains_key(&b""[..]) {
            self.set_root(implied(&Meta::default()))?;
        }
        for (path, pending) in std::mem::take(&mut self.pending).into_iter().rev() {
            let Pending { meta, made, opaque } = &pending;
            if !opaque && *made == meta.mode && meta.xattrs.is_empty() && self.maker.owns(meta) && !path.is_empty() {
                let (parent, name) = name::split(&path);
                let parent = self.dir(parent, meta)?;
                touch(parent.fd.as_fd(), name, meta, &path)?;
                continue;
            }
            let fd = self.open_beneath(&path, OFlags::RDONLY).cannot(|| format!("open directory {}", show(&path)))?;
            if *opaque {
                set_opaque(&fd).cannot(|| format!("make directory {} opaque", show(&path)))?;
            }
            self.maker.finish(fd.as_fd(), meta, *made, &path)?;
        }
        Ok(())
    }
}

/// A directory is usable by its maker until it is finished; mkdir(2) ignores set-id bits.
fn made(meta: &Meta) -> u32 {
    meta.mode & 0o1777 | 0o700
}

/// Root's, mode 0755, of the time of the entry that needs it: the tree depends on nothing but its tar.
fn implied(meta: &Meta) -> Meta {
    Meta { mode: IMPLIED, mtime: meta.mtime, atime: meta.mtime, ..Meta::default() }
}

/// In a user namespace only `user.*` can be set, and overlay reads that there (mount option `userxattr`).
fn set_opaque(fd: &OwnedFd) -> rustix::io::Result<()> {
    match fs::fsetxattr(fd, "trusted.overlay.opaque", b"y", XattrFlags::empty()) {
        Err(Errno::PERM) => fs::fsetxattr(fd, "user.overlay.opaque", b"y", XattrFlags::empty()),
        other => other,
    }
}

/// The refusal of a second entry for one path (image-spec, layer.md).
pub(crate) fn duplicate(path: &[u8]) -> Error {
    corrupt(format!("entry {} is there twice", show(path)))
}
