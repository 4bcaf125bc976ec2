//! What a container's files take: its writable layer, and the layers below it.

use ctr_core::{Cannot, Code, Document, Error, Image, Result, Rootfs, container};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, statat},
    io::Errno,
};
use std::{
    collections::{HashMap, HashSet},
    ffi::CStr,
};

/// Deepest directory that is looked into; each open one costs a descriptor.
const DEEPEST: usize = 500;

/// Sizes of containers; a layer that several share is walked once.
#[derive(Debug, Default)]
pub struct Sizes {
    layers: HashMap<String, u64>,
}

impl Sizes {
    /// Bytes of the writable layer, and of that and the layers below it.
    ///
    /// # Errors
    /// `limit` where directories nest too deeply; otherwise as reading them fails.
    pub fn of(&mut self, doc: &Document) -> Result<(u64, u64)> {
        let writable = writable(doc)?;
        let mut all = writable;
        for layer in doc.section::<Image>("image")?.map(|image| image.layers).unwrap_or_default() {
            let Some(path) = layer.path else { continue };
            all += match self.layers.get(&path) {
                Some(size) => *size,
                None => *self.layers.entry(path.clone()).or_insert(tree(&path)?),
            };
        }
        Ok((writable, all))
    }
}

/// Bytes of the writable layer alone; one that is a file system of its own is mounted where a reboot took that away.
///
/// # Errors
/// As [`Sizes::of`].
pub fn writable(doc: &Document) -> Result<u64> {
    let upper = doc.section::<Rootfs>("rootfs")?.and_then(|rootfs| rootfs.upper);
    // Of one that was removed meanwhile there is nothing to be mounted.
    if doc.str("id").is_some_and(container::exists) {
        ctr_rootfs::mount_writable(doc)?;
    }
    upper.map_or(Ok(0), |upper| tree(&upper))
}

/// The sizes of all files of a tree, a hard-linked one once, directories not: docker's sum.
///
/// A container may change its tree meanwhile: every directory is opened beneath the one above it, and no link is
/// followed, so that nothing outside is ever counted or opened.
fn tree(path: &str) -> Result<u64> {
    const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    let what = || format!("read {path}");
    let root = match open(path, DIRECTORY, Mode::empty()) {
        // Removed meanwhile.
        Err(Errno::NOENT) => return Ok(0),
        other => other.cannot(what)?,
    };
    let mut open_dirs = vec![Dir::new(root).cannot(what)?];
    let (mut sum, mut linked) = (0_u64, HashSet::new());
    while let Some(dir) = open_dirs.last_mut() {
        let Some(entry) = dir.read().transpose().cannot(what)? else {
            open_dirs.pop();
            continue;
        };
        let name = entry.file_name();
        if is_dot(name) {
            continue;
        }
        let here = dir.fd().cannot(what)?;
        // Gone since, or turned into something else: it is not what was to be counted.
        let Ok(stat) = statat(here, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            if stat.st_nlink < 2 || linked.insert((stat.st_dev, stat.st_ino)) {
                sum = sum.saturating_add(u64::try_from(stat.st_size).unwrap_or_default());
            }
            continue;
        }
        let below = match openat(here, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            other => Dir::new(other.cannot(what)?).cannot(what)?,
        };
        if open_dirs.len() == DEEPEST {
            return Err(Error::new(Code::Limit, format!("cannot measure {path}: over {DEEPEST} directories deep")));
        }
        open_dirs.push(below);
    }
    Ok(sum)
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
