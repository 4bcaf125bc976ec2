//! Tree to tar: a file, or a directory with all beneath it, as entries in sorted order.
//!
//! The tree may be in use by those who would rather have something else read. Each name is looked up once, in a
//! directory that is open, and not followed (`O_PATH`); what was found is looked at, and then read through the
//! descriptor that holds it. So a directory that becomes a link meanwhile is not entered, and no device or fifo
//! is ever opened.

use crate::{
    kernel::is_of_kernel,
    name,
    writer::{Held, Rewrite, Writer, is_socket, named},
};
use ctr_core::{Cannot, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{ffi::CString, io::Write};

/// Writes the file that `file` holds (opened with `O_PATH`) to `out` as a tar, under the name `name`; a directory with
/// all beneath it, and with no name for the tree that the tar is of.
///
/// Left out are sockets, which mean nothing without who listens, what overlay notes in extended attributes, and what
/// is beneath the mount points of procfs and its like.
///
/// # Errors
/// `limit` for a tree deeper than is unpacked again, or a file with more extended attributes than readers take.
pub fn pack(file: OwnedFd, name: &[u8], out: &mut dyn Write) -> Result<()> {
    pack_by(Writer::new(out, Rewrite::default()), file, name)
}

/// The same, and holes are left out.
pub(crate) fn pack_sparse(file: OwnedFd, name: &[u8], out: &mut dyn Write) -> Result<()> {
    pack_by(Writer::new(out, Rewrite::default()).sparse(), file, name)
}

fn pack_by(mut writer: Writer<'_>, file: OwnedFd, name: &[u8]) -> Result<()> {
    entry(&mut writer, file, name, None)?;
    writer.end()
}

/// Writes the file that `fd` holds, and what is beneath it; `beside` is the device of its directory.
fn entry(writer: &mut Writer<'_>, fd: OwnedFd, path: &[u8], beside: Option<u64>) -> Result<()> {
    name::fits(path)?;
    let mut file = writer.look(fd, path)?;
    match (file.kind, beside) {
        (FileType::Socket, None) => return Err(is_socket(path)),
        (FileType::Directory, _) => {}
        _ => return writer.file(&file, path),
    }
    let dev = file.stat.st_dev;
    let crossed = beside.is_none_or(|beside| beside != dev)
        && is_of_kernel(&file.fd).cannot(|| format!("read {}", named(path)))?;
    if crossed {
        file.xattrs.clear();
    }
    let head = writer.directory(&file, path)?;
    writer.put(&head)?;
    if crossed {
        return Ok(());
    }
    for (name, _) in names(&mut file, path)? {
        let path = name::join(path, name.to_bytes());
        if let Some(fd) = open(&file.fd, &name, &path)? {
            entry(writer, fd, &path, Some(dev))?;
        }
    }
    Ok(())
}

/// The names that a directory has, sorted, and whether its list says that there is a regular file.
pub(crate) fn names(dir: &mut Held, path: &[u8]) -> Result<Vec<(CString, bool)>> {
    let failed = || format!("read {}", named(path));
    let mut names = Vec::new();
    // Read once, and closed: one descriptor a level is enough.
    for entry in dir.open.take().map(Dir::new).transpose().cannot(failed)?.into_iter().flatten() {
        let entry = entry.cannot(failed)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type() == FileType::RegularFile));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What lies at a name, held and not opened; `None` where it is gone since it was listed.
pub(crate) fn open(dir: impl AsFd, name: &CString, path: &[u8]) -> Result<Option<OwnedFd>> {
    match fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        other => other.map(Some).cannot(|| format!("open {}", named(path))),
    }
}
