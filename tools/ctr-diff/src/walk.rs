//! The writable layer against the layers below it.

use ctr_core::{Cannot, Result};
use ctr_layer::{
    Change,
    stack::{Below, Stack, is_opaque, is_whiteout, list, open_dir, shown},
};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, FileType, Stat},
    io::Errno,
};
use std::collections::HashSet;

/// The comparison.
pub struct Walk<'a> {
    layers: &'a Stack,
    mount_points: HashSet<Vec<u8>>,
    changes: Vec<Change>,
}

/// A directory of the writable layer.
struct Upper<'a> {
    path: &'a [u8],
    fd: OwnedFd,
    /// The layers that have this directory too.
    below: Vec<usize>,
    /// What they have in it does not show.
    hides: bool,
}

/// What was found in a directory.
#[derive(Default)]
struct Found {
    changed: bool,
    /// Something was left out: the place of a mount that the runtime made, and the container did not.
    made_for_mounts: bool,
}

impl<'a> Walk<'a> {
    /// Begins one; places on which something is mounted are `mount_points`.
    pub fn new(layers: &'a Stack, mount_points: HashSet<Vec<u8>>) -> Self {
        Self { layers, mount_points, changes: Vec::new() }
    }

    /// All changes of the writable layer in the directory `upper`, sorted by path.
    pub fn run(mut self, upper: &str) -> Result<Vec<Change>> {
        let fd = open_dir(CWD, upper).cannot(|| format!("open {upper}"))?;
        let hides = is_opaque(&fd);
        self.directory(Upper { path: b"", fd, below: self.layers.all(), hides })?;
        self.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.changes)
    }

    fn directory(&mut self, upper: Upper<'_>) -> Result<Found> {
        let mut found = Found::default();
        let again = upper.fd.try_clone().cannot(|| shown(upper.path))?;
        let entries = list(again, upper.path)?;
        for (name, stat) in &entries {
            let path = if upper.path.is_empty() { name.clone() } else { [upper.path, name].join(&b'/') };
            let below = self.layers.at(&upper.below, &path)?;
            let in_it = self.file(&upper, name, stat, path, below)?;
            found.changed |= in_it.changed;
            found.made_for_mounts |= in_it.made_for_mounts;
        }
        if upper.hides {
            for name in self.layers.names(&upper.below, upper.path)? {
                if !entries.contains_key(&name) {
                    let path = if upper.path.is_empty() { name } else { [upper.path, &name].join(&b'/') };
                    found.changed |= self.changed('D', path).changed;
                }
            }
        }
        Ok(found)
    }

    /// One name of a directory.
    fn file(
        &mut self,
        dir: &Upper<'_>,
        name: &[u8],
        stat: &Stat,
        path: Vec<u8>,
        below: Option<Below>,
    ) -> Result<Found> {
        if is_whiteout(stat) {
            return Ok(if below.is_some() { self.changed('D', path) } else { Found::default() });
        }
        let is_point = below.is_none() && self.mount_points.contains(&path);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            let empty = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size == 0;
            if is_point && empty {
                return Ok(Found { changed: false, made_for_mounts: true });
            }
            return Ok(self.changed(if below.is_some() { 'C' } else { 'A' }, path));
        }
        let fd = match open_dir(&dir.fd, name) {
            // It was a directory, and is none any more: the container is at work.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Found::default()),
            other => other.cannot(|| shown(&path))?,
        };
        let (lower, merged) = below.map(|below| (below.stat, below.merged)).unzip();
        let hides = dir.hides || is_opaque(&fd);
        let mut inner = self.directory(Upper { path: &path, fd, below: merged.unwrap_or_default(), hides })?;
        inner.made_for_mounts |= is_point;
        let differs = match &lower {
            None => !inner.made_for_mounts,
            // What the runtime makes in a directory for a mount changes its time, and nothing else.
            Some(lower) => !is_alike(stat, lower) || !(inner.made_for_mounts || is_of_one_time(stat, lower)),
        };
        if differs || inner.changed {
            inner.changed = self.changed(if lower.is_some() { 'C' } else { 'A' }, path).changed;
        }
        Ok(inner)
    }

    fn changed(&mut self, kind: char, path: Vec<u8>) -> Found {
        self.changes.push(Change { kind, path });
        Found { changed: true, made_for_mounts: false }
    }
}

fn is_of_one_time(a: &Stat, b: &Stat) -> bool {
    (a.st_mtime, a.st_mtime_nsec) == (b.st_mtime, b.st_mtime_nsec)
}

/// Kind, permissions and owner.
fn is_alike(a: &Stat, b: &Stat) -> bool {
    (a.st_mode, a.st_uid, a.st_gid) == (b.st_mode, b.st_uid, b.st_gid)
}
