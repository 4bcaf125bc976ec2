//! What a tree occupies on its disk, as du(1) counts it.

use crate::Walk;
use ctr_core::{Cannot, Result, mountinfo::is_mounted_at};
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Stat, statat},
    io::Errno,
};
use std::{
    collections::HashSet,
    ffi::CString,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The unit of `st_blocks` (stat(2)), bytes.
const BLOCK: u64 = 512;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that are allocated, directories included, a file of several names once.
    pub bytes: u64,
    /// Files, directories and what else has an inode.
    pub inodes: u64,
    /// The youngest change time of what is in the tree, the root not, nanoseconds since 1970.
    pub changed: i128,
}

impl Usage {
    /// The bytes that one file occupies.
    pub fn of(meta: &Metadata) -> u64 {
        meta.blocks() * BLOCK
    }

    fn add(&mut self, stat: &Stat) {
        self.bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * BLOCK;
        self.inodes += 1;
    }
}

/// The files of several names that were counted already, each of which counts once.
#[derive(Debug, Default)]
pub struct Links(Mutex<HashSet<(u64, u64)>>);

impl Links {
    fn is_new(&self, stat: &Stat) -> bool {
        // A panic of another thread leaves the set whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((stat.st_dev, stat.st_ino))
    }
}

/// Counts the file or the tree at `path`, and nothing of another file system; nothing is there where nothing is there.
///
/// A container may change its tree meanwhile, and nest directories without end: every directory is opened beneath the
/// one above it, no link is followed, and few are open at once.
pub fn usage(path: &Path) -> Result<Usage> {
    usage_beside(path, &Links::default())
}

/// The same, but for what was counted in other places.
pub fn usage_beside(path: &Path, links: &Links) -> Result<Usage> {
    let what = || format!("read {}", path.display());
    let mut usage = Usage::default();
    let top = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(usage),
        other => other.cannot(what)?,
    };
    if FileType::from_raw_mode(top.st_mode) != FileType::Directory {
        if top.st_nlink < 2 || links.is_new(&top) {
            usage.add(&top);
        }
        return Ok(usage);
    }
    usage.add(&top);
    let Some(mut walk) = Walk::begin(path).cannot(what)? else { return Ok(usage) };
    // Of each directory on the way those that are yet to be counted.
    let mut left = Vec::new();
    let mut dirs = level(&walk, top.st_dev, &mut usage, links).cannot(what)?;
    loop {
        if let Some(name) = dirs.pop() {
            if walk.down(&name).cannot(what)? {
                left.push(dirs);
                dirs = level(&walk, top.st_dev, &mut usage, links).cannot(what)?;
            }
        } else {
            let Some(above) = left.pop() else { return Ok(usage) };
            walk.up().cannot(what)?;
            // It may have been moved: then what is left of it is not looked for.
            dirs = if walk.here().is_some() { above } else { Vec::new() };
        }
    }
}

/// Counts what a directory has, and gives its directories.
fn level(walk: &Walk, device: u64, usage: &mut Usage, links: &Links) -> rustix::io::Result<Vec<CString>> {
    let mut below = Vec::new();
    let Some(fd) = walk.here() else { return Ok(below) };
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // Gone since, or another's file system.
        let Ok(stat) = statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if stat.st_dev != device {
            continue;
        }
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        // What is mounted here of the same file system lies elsewhere.
        if is_dir && is_mounted_at(fd, name) {
            continue;
        }
        if is_dir {
            below.push(name.to_owned());
        }
        if is_dir || stat.st_nlink < 2 || links.is_new(&stat) {
            usage.add(&stat);
        }
        let changed = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
        usage.changed = usage.changed.max(changed);
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, openat};
    use std::fs;

    #[test]
    fn counts_as_du_does() {
        let base = std::env::temp_dir().join(format!("ctr-usage-{}", ctr_core::ident::token()));
        fs::create_dir(&base).unwrap();
        fs::write(base.join("a"), [1; 10_000]).unwrap();
        fs::hard_link(base.join("a"), base.join("b")).unwrap();
        std::os::unix::fs::symlink("/", base.join("link")).unwrap();
        let mut dir = openat(CWD, &base, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..300 {
            rustix::fs::mkdirat(&dir, "d", Mode::from_raw_mode(0o755)).unwrap();
            rustix::fs::mkdirat(&dir, "e", Mode::from_raw_mode(0o755)).unwrap();
            dir = openat(&dir, "d", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let counted = usage(&base).unwrap();
        let du = std::process::Command::new("du").args(["-s", "-B1", "--"]).arg(&base).output().unwrap();
        let du = String::from_utf8(du.stdout).unwrap();
        assert_eq!(counted.bytes.to_string(), du.split('\t').next().unwrap());
        assert_eq!(counted.inodes, 603);
        ctr_core::files::remove_tree(&base).unwrap();
        assert_eq!(usage(&base).unwrap(), Usage::default());
    }
}
