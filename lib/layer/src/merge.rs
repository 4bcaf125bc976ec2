//! Tar onto a tree that is in use: files are added and replaced beneath one directory, directories are merged.
//!
//! Beside [`crate::extract()`], which fills an empty directory that nobody else sees, this is for directories whose
//! owner may be at work meanwhile and would have it write elsewhere. The directory is held; everything is found
//! from there by `openat2(2)`. On the host no symbolic link is followed. In a container links lead where they lead
//! for the container, its root being `/` for them. A file is made under a name aside and renamed to its own: whoever
//! looks sees the old one or the new, and nothing is ever written through what lay there before. Names of whiteouts
//! have no meaning here.

use crate::{
    archive::Archive,
    corrupt, data,
    entry::{Entry, Kind, Meta},
    inode::{Maker, finish_held},
    kernel::is_of_kernel,
    name::{self, show},
    place::{New, Place},
    sparse::Sparse,
    stream::{Stop, Stream},
};
use ctr_core::{Cannot, Code, Error, Result, trace};
use rustix::{
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};
use std::{collections::BTreeMap, io::Read, rc::Rc};

/// Most directories whose owner, mode and times are kept until the end.
const MAX_KEPT: usize = 1 << 18;

/// The mode of a file made is never taken to be right: a default ACL of its directory may have changed it.
const ANY: u32 = u32::MAX;

/// What is taken of a file beside its name, its content, its permissions and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All that the tar has; directories that are there take it too.
    All,
    /// The same, and the place itself becomes what the tar says of its root.
    Whole,
    /// Nothing: all files belong to this user and group. Devices are left out, and with their owners set-id bits and
    /// extended attributes; directories that are there stay as they are.
    Plain {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

/// Adds the files of the tar that `source` gives to the tree at `place`.
///
/// Sets the umask of the process to 0. On an error a part of the files is there, each of them whole.
///
/// # Errors
/// `exists` where a directory would take the place of another file or the reverse; `corrupt` for a tar that is damaged,
/// cut short or leads out of its tree; `denied` where the place is read-only or procfs or its like; `busy` where
/// something is mounted on a name, or a directory was replaced meanwhile.
pub fn merge(source: Box<dyn Read + Send + '_>, place: &Place<'_>, take: Take) -> Result<()> {
    static NEVER: Stop = Stop::new(false);
    rustix::process::umask(Mode::empty());
    let mut job = Merge {
        archive: Archive::new(Stream::new(source, None, &NEVER), "the directory"),
        place,
        take,
        maker: Maker::nobody(),
        last: None,
        pending: BTreeMap::new(),
    };
    while let Some(entry) = job.archive.next()? {
        job.entry(entry)?;
    }
    if !job.archive.ended() {
        return Err(corrupt("the tar is cut short"));
    }
    job.finish()?;
    // Its writer may not be done: tars are padded to records of many blocks.
    job.archive.into_stream().finish().map(drop)
}

struct Merge<'a, 'p> {
    archive: Archive<'a>,
    place: &'p Place<'p>,
    take: Take,
    maker: Maker,
    /// The directory of the last entry: most entries lie where the one before did.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    pending: BTreeMap<Vec<u8>, Pending>,
}

/// A directory that gets its metadata at the end, and which one it was.
struct Pending {
    meta: Meta,
    id: (u64, u64),
}

impl Merge<'_, '_> {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        let Entry { path, kind, mut meta } = entry;
        if path.is_empty() {
            return match kind {
                Kind::Directory if self.take == Take::Whole => {
                    let stat = fs::fstat(&self.place.dir).cannot(|| "look at the root")?;
                    self.pending.insert(path, Pending { meta, id: (stat.st_dev, stat.st_ino) });
                    Ok(())
                }
                // The place is there and stays as it is.
                Kind::Directory => Ok(()),
                _ => Err(corrupt("the root of the tar is not a directory")),
            };
        }
        if let Take::Plain { uid, gid } = self.take {
            if let Kind::Node(FileType::CharacterDevice | FileType::BlockDevice, ..) = kind {
                trace::warn(&format!("{} is a device: left out", show(&path)));
                return Ok(());
            }
            let set_id = if matches!(kind, Kind::Directory) { 0 } else { 0o6000 };
            meta = Meta { mode: meta.mode & !set_id, uid, gid, xattrs: Vec::new(), ..meta };
        }
        let (parent, name) = name::split(&path);
        let dir = self.dir(parent)?;
        let new = New { dir: &dir, name, path: &path };
        match kind {
            Kind::Directory => self.directory(&new, meta),
            Kind::File(sparse) if new.is_mounted()? => self.onto_mounted(&new, sparse),
            Kind::File(sparse) => self.file(&new, &meta, sparse),
            _ if new.is_mounted()? => Err(new.busy()),
            Kind::Symlink(target) => new.put(|aside| {
                fs::symlinkat(&target, &dir, aside).cannot(|| new.what("make symbolic link"))?;
                finish_held(dir.as_fd(), aside, FileType::Symlink, &meta, &path)
            }),
            Kind::Link(target) => self.link(&new, &target),
            Kind::Node(kind, major, minor) => new.put(|aside| {
                let mode = Mode::from_raw_mode(meta.mode);
                fs::mknodat(&dir, aside, kind, mode, fs::makedev(major, minor)).cannot(|| new.what("make device"))?;
                finish_held(dir.as_fd(), aside, kind, &meta, &path)
            }),
        }
    }

    /// The directory `path`, made with its parents where it is missing.
    fn dir(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>> {
        if let Some((_, fd)) = self.last.as_ref().filter(|(last, _)| last == path) {
            return Ok(Rc::clone(fd));
        }
        let open = || self.place.open(path, OFlags::PATH);
        let fd = match open() {
            Err(Errno::NOENT) if !path.is_empty() => {
                let (parent, name) = name::split(path);
                let above = self.dir(parent)?;
                // A link to nowhere is not made true.
                let made = fs::mkdirat(&above, name, Mode::from_raw_mode(0o755))
                    .and_then(|()| self.place.open(path, OFlags::RDONLY));
                let fd = made.cannot(|| format!("make directory {}", show(path)))?;
                if let Take::Plain { uid, gid } = self.take {
                    fs::fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                        .cannot(|| format!("set the owner of {}", show(path)))?;
                }
                fd
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(Error::new(Code::Exists, format!("{} is there and is no directory", show(path))));
            }
            other => other.cannot(|| format!("open directory {}", show(path)))?,
        };
        // Written to by the host's root, procfs and its like would obey, also for those it would not obey inside.
        if is_of_kernel(&fd).cannot(|| format!("look at {}", show(path)))? {
            let message = format!("cannot write to {}: the kernel makes its files", show(path));
            return Err(Error::new(Code::Denied, message));
        }
        let fd = Rc::new(fd);
        self.last = Some((path.to_vec(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn directory(&mut self, new: &New<'_>, meta: Meta) -> Result<()> {
        let made = match fs::mkdirat(new.dir, new.name, Mode::RWXU) {
            Err(Errno::EXIST) => false,
            other => other.map(|()| true).cannot(|| new.what("make directory"))?,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match fs::openat(new.dir, new.name, flags, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let message = format!("cannot replace {}, which is no directory, by a directory", show(new.path));
                return Err(Error::new(Code::Exists, message));
            }
            other => other.cannot(|| new.what("open directory"))?,
        };
        // Where procfs or its like is mounted, a tar of a whole root has an empty directory.
        let stays = matches!(self.take, Take::Plain { .. });
        if !made && (stays || is_of_kernel(&fd).cannot(|| new.what("look at"))?) {
            return Ok(());
        }
        if self.pending.len() == MAX_KEPT {
            return Err(Error::new(Code::Limit, format!("the tar has more than {MAX_KEPT} directories")));
        }
        let stat = fs::fstat(&fd).cannot(|| new.what("look at"))?;
        self.pending.insert(new.path.to_vec(), Pending { meta, id: (stat.st_dev, stat.st_ino) });
        Ok(())
    }

    fn file(&mut self, new: &New<'_>, meta: &Meta, sparse: Option<Sparse>) -> Result<()> {
        let (archive, maker) = (&mut self.archive, self.maker);
        new.put(|aside| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = fs::openat(new.dir, aside, flags, Mode::RUSR | Mode::WUSR).cannot(|| new.what("make file"))?;
            data::write(archive, fd.as_fd(), sparse, new.path)?;
            maker.finish(fd.as_fd(), meta, ANY, new.path)
        })
    }

    /// A file that a file is mounted on, as on /etc/hosts: renamed over, the mount would be gone in the container. Its
    /// content is replaced; owner and mode are those of what is mounted.
    fn onto_mounted(&mut self, new: &New<'_>, sparse: Option<Sparse>) -> Result<()> {
        let held = fs::openat(new.dir, new.name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .cannot(|| new.what("open"))?;
        let stat = fs::fstat(&held).cannot(|| new.what("look at"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
            || is_of_kernel(&held).cannot(|| new.what("look at"))?
        {
            return Err(new.busy());
        }
        let link = format!("/proc/self/fd/{}", held.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
        let fd = fs::open(link, flags, Mode::empty()).cannot(|| new.what("write"))?;
        data::write(&mut self.archive, fd.as_fd(), sparse, new.path)
    }

    fn link(&mut self, new: &New<'_>, target: &[u8]) -> Result<()> {
        let (parent, file) = name::split(target);
        let missing = || {
            let (path, target) = (show(new.path), show(target));
            corrupt(format!("entry {path} is a hard link to {target}, which is not there"))
        };
        if file.is_empty() {
            return Err(missing());
        }
        let from = match self.place.open(parent, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(missing()),
            other => other.cannot(|| new.what("make hard link"))?,
        };
        new.put(|aside| match fs::linkat(&from, file, new.dir, aside, AtFlags::empty()) {
            Err(Errno::NOENT) => Err(missing()),
            other => other.cannot(|| new.what("make hard link")),
        })
    }

    /// Gives the directories their metadata, the deepest first: nothing is made in them any more.
    fn finish(&mut self) -> Result<()> {
        for (path, Pending { meta, id }) in std::mem::take(&mut self.pending).into_iter().rev() {
            let fd = self.place.open(&path, OFlags::RDONLY).cannot(|| format!("open directory {}", show(&path)))?;
            let stat = fs::fstat(&fd).cannot(|| format!("look at {}", show(&path)))?;
            if (stat.st_dev, stat.st_ino) != id {
                let message = format!("directory {} was replaced while files were copied", show(&path));
                return Err(Error::new(Code::Busy, message));
            }
            self.maker.finish(fd.as_fd(), &meta, ANY, &path)?;
        }
        Ok(())
    }
}
