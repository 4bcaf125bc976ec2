//! A tree beside its blob, for one whose times say nothing: those of a backup that was restored are all new.

use ctr_core::{Cannot, Code, Error, Result, files, ident, paths};
use ctr_layer::Stop;
use ctr_store::{Digest, Hasher, hold, writing};
use rustix::{
    fs::{lgetxattr, llistxattr},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, BufReader, ErrorKind, Read},
    os::unix::fs::MetadataExt,
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
    writing()?;
    // By this name gc of img-unpack knows what a killed process left.
    let aside = paths::layers().join(format!(".tmp-{}", ident::token()));
    files::make_dir(&aside)?;
    let compared = unpack(blob, diff_id, &aside)
        .and_then(|_held| first(&aside, tree).cannot(|| format!("compare {} with its blob", tree.display())));
    files::remove_tree(&aside)?;
    compared
}

/// Gives the lock on what was unpacked.
fn unpack(blob: File, diff_id: &Digest, aside: &Path) -> Result<File> {
    let taken = || Error::new(Code::Busy, format!("{} was taken by another process", aside.display()));
    let held = hold(aside)?.ok_or_else(taken)?;
    let root = held.try_clone().cannot(|| format!("hold {}", aside.display()))?;
    let made = ctr_layer::extract(ctr_layer::open(blob)?, Hasher::new(diff_id), root.into(), &Stop::new(false))?;
    if made.diff_id == *diff_id {
        return Ok(held);
    }
    Err(Error::new(Code::Corrupt, format!("the content of its blob is {}", made.diff_id)))
}

fn first(whole: &Path, tree: &Path) -> io::Result<Option<PathBuf>> {
    let mut left = vec![PathBuf::new()];
    let mut buffers = [vec![0; PIECE], vec![0; PIECE]];
    while let Some(at) = left.pop() {
        let (a, b) = (whole.join(&at), tree.join(&at));
        let (x, y) = (fs::symlink_metadata(&a)?, fs::symlink_metadata(&b)?);
        if !is_like(&x, &y) || attributes(&a)? != attributes(&b)? {
            return Ok(Some(at));
        }
        let same = if x.is_dir() {
            let (wanted, there) = (names(&a)?, names(&b)?);
            // One that only one of them has.
            if let Some(other) = wanted.symmetric_difference(&there).next() {
                return Ok(Some(at.join(other)));
            }
            left.extend(wanted.iter().map(|name| at.join(name)));
            true
        } else if x.is_symlink() {
            fs::read_link(&a)? == fs::read_link(&b)?
        } else {
            !x.is_file() || has_same_bytes(&a, &b, &mut buffers)?
        };
        if !same {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn is_like(x: &Metadata, y: &Metadata) -> bool {
    let kind = |meta: &Metadata| (meta.mode(), meta.uid(), meta.gid(), meta.rdev());
    let data = |meta: &Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
    kind(x) == kind(y) && (x.is_dir() || data(x) == data(y))
}

fn names(dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name().into())).collect()
}

/// Names and values, overlay's marks among them; the labels of SELinux are the host's.
fn attributes(path: &Path) -> io::Result<BTreeSet<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; ATTRIBUTES];
    let length = match llistxattr(path, &mut list[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(BTreeSet::new()),
        other => other?,
    };
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty() && *name != b"security.selinux");
    let value = |name: &[u8]| {
        let mut value = vec![0; ATTRIBUTES];
        let length = lgetxattr(path, name, &mut value[..])?;
        value.truncate(length);
        Ok((name.to_vec(), value))
    };
    names.map(value).collect()
}

fn has_same_bytes(one: &Path, other: &Path, [piece, beside]: &mut [Vec<u8>; 2]) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, BufReader::with_capacity(PIECE, File::open(other)?));
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
