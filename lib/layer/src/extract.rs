//! Tar to tree: every entry becomes a file beneath one directory.

use crate::{
    archive::Archive,
    corrupt, data,
    entry::{Entry, Kind, Meta},
    inode::Maker,
    name::{self, Mark, show},
    sparse::Sparse,
    stream::{Stop, Stream},
    tree::{Dir, Found, Tree, duplicate},
};
use ctr_core::{Cannot, Code, Result, trace};
use ctr_store::{Digest, Hasher};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use std::io::Read;

/// What an extraction made.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// Digest of the whole tar: the layer's diffId.
    pub diff_id: Digest,
    /// Size of the tar, bytes.
    pub size: u64,
    /// Whether the blocks that end a tar were there. Without them a cut between two entries does not show
    /// in the tar itself: trust the tree only where the digest is the one expected.
    pub ended: bool,
}

/// Extracts the tar that `source` gives into `root`, an empty directory opened for reading; `hasher` hashes it.
///
/// Sets the umask of the process to 0. On an error `root` holds a part of the tree: remove it.
///
/// # Errors
/// `corrupt` for a tar that is damaged, cut short or leads out of `root`; `limit` where it asks for more than is
/// bounded here, or the file system is full; `denied` where the caller may not set owners or make devices.
pub fn extract<'a>(
    source: Box<dyn Read + Send + 'a>,
    mut hasher: Hasher,
    root: OwnedFd,
    stop: &'a Stop,
) -> Result<Extracted> {
    // Modes are given to open(2), mkdir(2) and mknod(2) as they are to be; every thread wants the same.
    rustix::process::umask(Mode::empty());
    let (size, ended) = fill(Stream::new(source, Some(&mut hasher), stop), root)?;
    Ok(Extracted { diff_id: hasher.finish(), size, ended })
}

fn fill(stream: Stream<'_>, root: OwnedFd) -> Result<(u64, bool)> {
    let maker = Maker::me();
    let archive = Archive::new(stream, "the layer");
    let mut job = Extraction { archive, tree: Tree::new(root, maker)?, maker, no_devices: false };
    while let Some(entry) = job.archive.next()? {
        job.entry(entry)?;
    }
    job.tree.finish()?;
    let ended = job.archive.ended();
    Ok((job.archive.into_stream().finish()?, ended))
}

struct Extraction<'a> {
    archive: Archive<'a>,
    tree: Tree,
    maker: Maker,
    no_devices: bool,
}

impl Extraction<'_> {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        let Entry { path, kind, meta } = entry;
        if path.is_empty() {
            return match kind {
                Kind::Directory => self.tree.set_root(meta),
                _ => Err(corrupt("the root of the layer is not a directory")),
            };
        }
        let (parent, name) = name::split(&path);
        match name::mark(&path)? {
            Mark::Aufs => return Ok(()),
            // Of whatever kind: aufs made whiteouts by hard links.
            Mark::Opaque => {
                let dir = self.tree.dir(parent, &meta)?;
                self.tree.hide_lower(&dir);
                return Ok(());
            }
            Mark::Whiteout(hidden) => {
                let dir = self.tree.dir(parent, &meta)?;
                return self.tree.white_out(&dir, hidden, &meta);
            }
            Mark::None => {}
        }
        let dir = self.tree.dir(parent, &meta)?;
        let at = dir.fd.as_fd();
        match kind {
            Kind::Directory => self.tree.make(&dir, name, meta),
            Kind::File(sparse) => self.file(&dir, name, &meta, sparse, &path),
            Kind::Symlink(target) => {
                place(&dir, name, &path, "make symbolic link", || fs::symlinkat(&target, at, name))?;
                self.maker.finish_at(at, name, &meta, &path)
            }
            Kind::Link(target) => self.link(&dir, name, &path, &target, &meta),
            Kind::Node(kind, major, minor) => self.node(&dir, name, &path, &meta, (kind, major, minor)),
        }
    }

    fn file(&mut self, dir: &Dir, name: &[u8], meta: &Meta, sparse: Option<Sparse>, path: &[u8]) -> Result<()> {
        let made = meta.mode & 0o777;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || fs::openat(&dir.fd, name, flags, Mode::from_raw_mode(made));
        let fd = place(dir, name, path, "make file", open)?;
        data::write(&mut self.archive, fd.as_fd(), sparse, path)?;
        self.maker.finish(fd.as_fd(), meta, made, path)
    }

    /// A hard link to a file of this layer; its metadata is that file's. Symbolic links are linked, not followed.
    fn link(&mut self, dir: &Dir, name: &[u8], path: &[u8], target: &[u8], meta: &Meta) -> Result<()> {
        let missing = || {
            corrupt(format!("entry {} is a hard link to {}, which the layer does not have", show(path), show(target)))
        };
        let (parent, file) = name::split(target);
        if file.is_empty() || name::mark(target)? != Mark::None {
            return Err(missing());
        }
        let from = self.tree.dir(parent, meta)?;
        let link = || fs::linkat(&from.fd, file, &dir.fd, name, AtFlags::empty());
        match place(dir, name, path, "make hard link", link) {
            Err(e) if e.code == Code::NotFound => Err(missing()),
            // The kernel links no directories.
            Err(e) if e.code == Code::Denied && from.found(file)? == Found::Directory => {
                Err(corrupt(format!("entry {} is a hard link to a directory", show(path))))
            }
            other => other,
        }
    }

    fn node(
        &mut self,
        dir: &Dir,
        name: &[u8],
        path: &[u8],
        meta: &Meta,
        (kind, major, minor): (FileType, u32, u32),
    ) -> Result<()> {
        let at = dir.fd.as_fd();
        if (kind, major, minor) == (FileType::CharacterDevice, 0, 0) {
            // In overlay's own form already, as the writable layer of a container has it.
            return self.tree.white_out(dir, name, meta);
        }
        let mode = Mode::from_raw_mode(meta.mode);
        let make = || fs::mknodat(at, name, kind, mode, fs::makedev(major, minor));
        match place(dir, name, path, "make device", make) {
            // Nobody but the machine's root makes devices; a container gets its own /dev whatever an image holds.
            Err(e) if e.code == Code::Denied && kind != FileType::Fifo => {
                if !std::mem::replace(&mut self.no_devices, true) {
                    trace::warn(&format!("{e}: this layer's devices are left out"));
                }
                Ok(())
            }
            Err(e) => Err(e),
            Ok(()) => self.maker.finish_at(at, name, meta, path),
        }
    }
}

/// Makes a file that is no directory at a name that must be free, or hidden by a whiteout of this layer.
fn place<T>(dir: &Dir, name: &[u8], path: &[u8], what: &str, make: impl Fn() -> rustix::io::Result<T>) -> Result<T> {
    match make() {
        Err(Errno::EXIST) if dir.found(name)? == Found::Whiteout => {
            dir.lift(name)?;
            make().cannot(|| format!("{what} {}", show(path)))
        }
        Err(Errno::EXIST) => Err(duplicate(path)),
        other => other.cannot(|| format!("{what} {}", show(path))),
    }
}
