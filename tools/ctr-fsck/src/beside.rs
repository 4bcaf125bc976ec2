//! A tree beside its blob, for one whose times say nothing: those of a backup that was restored are all new.

use ctr_core::{Cannot, Code, Error, Result, files, ident, paths};
use ctr_layer::Stop;
use ctr_store::{Digest, Hasher, Walk, hold};
use rustix::{
    fs::{Dir, FileType, Mode, OFlags, Stat, fstat, getxattr, listxattr, openat, readlinkat},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    ffi::{CStr, CString, OsStr},
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// What the kernel gives at most of a list of attributes and of a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const ATTRIBUTES: usize = 64 << 10;
/// How much of two files is compared at once.
const PIECE: usize = 128 << 10;

/// Unpacks `blob` aside, and gives the first path beneath `tree` that is not as it is there; `None` where all is.
/// The times of directories do not count, nor does which names are one file: a backup need not keep them.
///
/// # Errors
/// `corrupt` where the blob is not what `diff_id` says; those of unpacking, and of reading either.
pub(crate) fn difference(tree: &Path, diff_id: &Digest, blob: &Path) -> Result<Option<PathBuf>> {
    let blob = File::open(blob).cannot(|| format!("open {}", blob.display()))?;
    // Its lock keeps gc away until it is removed. That of a writer is not held: it would hide what nothing names.
    let (aside, held) = make()?;
    let compared = unpack(blob, diff_id, &held)
        .and_then(|()| first(&aside, tree).cannot(|| format!("compare {} with its blob", tree.display())));
    files::remove_tree(&aside)?;
    compared
}

/// An empty directory, and the lock on it.
fn make() -> Result<(PathBuf, File)> {
    loop {
        // By this name gc of img-unpack knows what a killed process left.
        let aside = paths::layers().join(format!(".tmp-{}", ident::token()));
        files::make_dir(&aside)?;
        // gc may find it before it is locked, and then it is gone.
        if let Some(held) = hold(&aside)? {
            return Ok((aside, held));
        }
    }
}

fn unpack(blob: File, diff_id: &Digest, into: &File) -> Result<()> {
    let root = into.try_clone().cannot(|| "hold the layer's directory")?;
    let made = ctr_layer::extract(ctr_layer::open(blob)?, Hasher::new(diff_id), root.into(), &Stop::new(false))?;
    if made.diff_id == *diff_id {
        return Ok(());
    }
    Err(Error::new(Code::Corrupt, format!("the content of its blob is {}", made.diff_id)))
}

fn first(whole: &Path, tree: &Path) -> io::Result<Option<PathBuf>> {
    let mut at = PathBuf::new();
    let (Some(mut a), Some(mut b)) = (Walk::begin(whole)?, Walk::begin(tree)?) else { return Ok(Some(at)) };
    let mut buffers = [vec![0; PIECE], vec![0; PIECE]];
    if like(&a, &b, c".", &mut buffers)?.is_none() {
        return Ok(Some(at));
    }
    // Of each directory on the way those in it that are yet to be compared.
    let mut left = Vec::new();
    loop {
        match names(&a, &b, &mut buffers)? {
            Err(name) => return Ok(Some(at.join(OsStr::from_bytes(name.to_bytes())))),
            Ok(dirs) => left.push(dirs),
        }
        while let Some(dirs) = left.last_mut() {
            if let Some(name) = dirs.pop() {
                at.push(OsStr::from_bytes(name.to_bytes()));
                if !(a.down(&name)? && b.down(&name)?) {
                    return Ok(Some(at));
                }
                break;
            }
            left.pop();
            at.pop();
            a.up()?;
            b.up()?;
        }
        if left.is_empty() {
            return Ok(None);
        }
    }
}

/// Compares all that is in two directories; gives the directories among it, or one name that differs.
fn names(a: &Walk, b: &Walk, buffers: &mut [Vec<u8>; 2]) -> io::Result<std::result::Result<Vec<CString>, CString>> {
    let (wanted, there) = (list(a)?, list(b)?);
    if let Some(other) = wanted.symmetric_difference(&there).next() {
        return Ok(Err(other.clone()));
    }
    let mut dirs = Vec::new();
    for name in wanted {
        match like(a, b, &name, buffers)? {
            None => return Ok(Err(name)),
            Some(FileType::Directory) => dirs.push(name),
            Some(_) => {}
        }
    }
    Ok(Ok(dirs))
}

/// The names in a directory; none where it was taken away meanwhile.
fn list(walk: &Walk) -> io::Result<BTreeSet<CString>> {
    let mut names = BTreeSet::new();
    for entry in walk.here().map(Dir::read_from).transpose()?.into_iter().flatten() {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            names.insert(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// What `name` is in both directories; `None` where it is not the same.
fn like(a: &Walk, b: &Walk, name: &CStr, buffers: &mut [Vec<u8>; 2]) -> io::Result<Option<FileType>> {
    let (Some(a), Some(b)) = (Held::open(a, name)?, Held::open(b, name)?) else { return Ok(None) };
    let kind = FileType::from_raw_mode(a.stat.st_mode);
    let same = is_like(&a.stat, &b.stat)
        && a.attributes()? == b.attributes()?
        && match kind {
            FileType::Symlink => a.target()? == b.target()?,
            FileType::RegularFile => has_same_bytes(a.read()?, b.read()?, buffers)?,
            _ => true,
        };
    Ok(same.then_some(kind))
}

fn is_like(x: &Stat, y: &Stat) -> bool {
    let kind = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev);
    let data = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    kind(x) == kind(y) && (FileType::from_raw_mode(x.st_mode) == FileType::Directory || data(x) == data(y))
}

/// A file of whatever kind, by a descriptor (`O_PATH`) that leads to it however long its path is.
struct Held {
    fd: OwnedFd,
    stat: Stat,
}

impl Held {
    /// `None` where nothing is there.
    fn open(walk: &Walk, name: &CStr) -> io::Result<Option<Self>> {
        let Some(dir) = walk.here() else { return Ok(None) };
        match openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            other => {
                let fd = other?;
                Ok(Some(Self { stat: fstat(&fd)?, fd }))
            }
        }
    }

    /// The link of procfs leads to the file that is held, a symbolic link too (proc_pid_fd(5)).
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    /// Names and values, overlay's marks among them; the labels of SELinux are the host's.
    fn attributes(&self) -> io::Result<BTreeSet<(Vec<u8>, Vec<u8>)>> {
        let path = self.path();
        let mut list = vec![0; ATTRIBUTES];
        let length = match listxattr(&path, &mut list[..]) {
            Err(Errno::OPNOTSUPP) => return Ok(BTreeSet::new()),
            other => other?,
        };
        let names = list[..length].split(|byte| *byte == 0);
        let value = |name: &[u8]| {
            let mut value = vec![0; ATTRIBUTES];
            let length = getxattr(&path, name, &mut value[..])?;
            value.truncate(length);
            Ok((name.to_vec(), value))
        };
        names.filter(|name| !name.is_empty() && *name != b"security.selinux").map(value).collect()
    }

    fn target(&self) -> io::Result<CString> {
        Ok(readlinkat(&self.fd, c"", Vec::new())?)
    }

    fn read(&self) -> io::Result<File> {
        File::open(self.path())
    }
}

fn has_same_bytes(mut one: File, other: File, [piece, beside]: &mut [Vec<u8>; 2]) -> io::Result<bool> {
    let mut other = BufReader::with_capacity(PIECE, other);
    loop {
        let length = match one.read(piece)? {
            0 => return Ok(other.read(&mut beside[..1])? == 0),
            length => length,
        };
        match other.read_exact(&mut beside[..length]) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        }
        if piece[..length] != beside[..length] {
            return Ok(false);
        }
    }
}
