//! Removing a tree that anybody may have made: any depth, with few descriptors, following nothing.

use crate::{Cannot, Result, ident, open_beneath};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// So many directories are held open at once. What lies deeper is moved up and removed from there: a container can
/// nest directories without end, and a process has only so many descriptors.
const DEPTH: u32 = 32;

/// Removes the tree or file at `path`; succeeds where nothing is there. Symbolic links are removed, not followed.
pub fn remove_tree(path: &Path) -> Result<()> {
    let cannot = || format!("remove {}", path.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return crate::files::remove_file(path),
        other => other.cannot(cannot)?,
    };
    // What was moved up is met in the next pass.
    while empty(top.as_fd(), top.as_fd(), 1).cannot(cannot)? {}
    match rustix::fs::rmdir(path) {
        Err(Errno::NOENT) => Ok(()),
        other => other.cannot(cannot),
    }
}

/// Removes what is in `dir`; gives whether something was there.
fn empty(top: BorrowedFd<'_>, dir: BorrowedFd<'_>, depth: u32) -> rustix::io::Result<bool> {
    let mut found = false;
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        found = true;
        if !is_dir(dir, name, entry.file_type())? {
            gone(rustix::fs::unlinkat(dir, name, AtFlags::empty()))?;
        } else if depth < DEPTH {
            let Some(child) = open(dir, name)? else { continue };
            while empty(top, child.as_fd(), depth + 1)? {}
            gone(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR))?;
        } else {
            gone(rustix::fs::renameat(dir, name, top, format!(".{}", ident::token())))?;
        }
    }
    Ok(found)
}

fn is_dir(dir: BorrowedFd<'_>, name: &CStr, kind: FileType) -> rustix::io::Result<bool> {
    if kind != FileType::Unknown {
        return Ok(kind == FileType::Directory);
    }
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// What is mounted in the tree is not of it: there the removal ends.
fn open(dir: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    match open_beneath(dir, name, flags, ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::XDEV) => Err(Errno::BUSY),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Two may remove the same tree.
fn gone(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_deep_tree_goes_and_what_links_lead_to_stays() {
        let base = std::env::temp_dir().join(format!("ctr-remove-{}", ident::token()));
        let (tree, kept) = (base.join("tree"), base.join("kept"));
        fs::create_dir_all(&tree).unwrap();
        fs::write(&kept, "x").unwrap();
        let mut dir = rustix::fs::open(&tree, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..5000 {
            rustix::fs::mkdirat(&dir, "d", Mode::from_raw_mode(0o755)).unwrap();
            rustix::fs::symlinkat(&kept, &dir, "link").unwrap();
            dir = rustix::fs::openat(&dir, "d", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        symlink(&base, tree.join("up")).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && kept.exists());
        remove_tree(&kept).unwrap();
        assert!(!kept.exists());
        fs::remove_dir(&base).unwrap();
    }
}
