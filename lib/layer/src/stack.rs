//! The layers of an image as overlay merges them, without a mount (kernel, filesystems/overlayfs.rst).

use ctr_core::{Cannot, Code, Error, Image, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fgetxattr, fstat, openat, statat},
    io::Errno,
};
use std::collections::{BTreeMap, HashSet};

/// The trees of the image's layers, uppermost first, which nobody changes: so a path in them can be looked up again.
#[derive(Debug)]
pub struct Stack(Vec<Tree>);

/// One of them.
#[derive(Debug)]
struct Tree {
    path: String,
    fd: OwnedFd,
}

/// What the layers have at a path: the uppermost file of that name, and if it is a directory the layers that are
/// merged in it.
#[derive(Debug)]
pub struct Below {
    /// The file as it was looked at.
    pub stat: Stat,
    /// The layers merged in the directory, by their number in the stack; none where it is no directory.
    pub merged: Vec<usize>,
    /// The number of the layer that has the file.
    pub layer: usize,
}

impl Stack {
    /// Opens the trees.
    ///
    /// # Errors
    /// `not-found` where the tree of a layer is gone.
    pub fn open(image: &Image) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut trees = Vec::new();
        for layer in image.layers.iter().rev() {
            let missing = || {
                Error::new(Code::NotFound, format!("layer {} is gone", layer.diff_id))
                    .hint("img-pull and img-unpack bring it back")
            };
            let path = layer.path.as_deref().ok_or_else(missing)?;
            // Of two equal layers the upper one hides all of the lower.
            if !seen.insert(path) {
                continue;
            }
            let tree = match open_dir(CWD, path) {
                Err(Errno::NOENT) => return Err(missing()),
                other => other.cannot(|| format!("open layer {path}"))?,
            };
            let opaque = is_opaque(&tree);
            trees.push(Tree { path: path.to_owned(), fd: tree });
            if opaque {
                break;
            }
        }
        Ok(Self(trees))
    }

    /// The layers merged in the root: all.
    pub fn all(&self) -> Vec<usize> {
        (0..self.0.len()).collect()
    }

    /// What all layers together have at `path`, which leads through directories alone.
    pub fn look_up(&self, path: &[u8]) -> Result<Option<Below>> {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let mut merged = self.all();
        // A layer may hide what the ones below it have in a directory on the way.
        for end in ends {
            match self.at(&merged, &path[..end])? {
                None => return Ok(None),
                Some(below) => merged = below.merged,
            }
        }
        self.at(&merged, path)
    }

    /// Where the trees of `layers` are: what is merged of the same trees is the same.
    pub fn paths(&self, layers: &[usize]) -> Vec<&str> {
        layers.iter().map(|&layer| self.0[layer].path.as_str()).collect()
    }

    /// The tree of one layer.
    pub fn tree(&self, layer: usize) -> &OwnedFd {
        &self.0[layer].fd
    }

    /// Whether all trees are where they were: if not, a removal took files away while they were looked at.
    ///
    /// # Errors
    /// `busy` where one is not.
    pub fn check(&self) -> Result<()> {
        let same = |tree: &Tree| {
            let (held, named) = (fstat(&tree.fd), statat(CWD, &tree.path, AtFlags::SYMLINK_NOFOLLOW));
            matches!((held, named), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
        };
        match self.0.iter().find(|tree| !same(tree)) {
            None => Ok(()),
            Some(tree) => Err(Error::new(Code::Busy, format!("layer {} was removed meanwhile", tree.path))),
        }
    }

    /// Holds the file that was found at `path`.
    pub fn hold(&self, below: &Below, path: &[u8]) -> Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        openat(self.tree(below.layer), path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .cannot(|| shown(path))
    }

    /// What `layers`, uppermost first, have at `path`; `None` where they have nothing, or a whiteout.
    pub fn at(&self, layers: &[usize], path: &[u8]) -> Result<Option<Below>> {
        let mut below: Option<Below> = None;
        for &layer in layers {
            let tree = self.tree(layer);
            let path = if path.is_empty() { b"." } else { path };
            let stat = match statat(tree, path, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                other => other.cannot(|| shown(path))?,
            };
            let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_whiteout(&stat) || (!is_dir && below.is_some()) {
                break;
            }
            let found = below.get_or_insert(Below { stat, merged: Vec::new(), layer });
            if !is_dir {
                break;
            }
            found.merged.push(layer);
            if is_opaque(&open_dir(tree, path).cannot(|| shown(path))?) {
                break;
            }
        }
        Ok(below)
    }

    /// The names that the directory `path` has in `layers` taken together.
    pub fn names(&self, layers: &[usize], path: &[u8]) -> Result<Vec<Vec<u8>>> {
        // Of each name the uppermost counts: whether it is a whiteout.
        let mut there = BTreeMap::new();
        for &layer in layers {
            let path = if path.is_empty() { b"." } else { path };
            let dir = open_dir(self.tree(layer), path).cannot(|| shown(path))?;
            for (name, stat) in list(dir, path)? {
                there.entry(name).or_insert(!is_whiteout(&stat));
            }
        }
        Ok(there.into_iter().filter_map(|(name, there)| there.then_some(name)).collect())
    }
}

/// Opens a directory, which may be no link.
pub fn open_dir(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// What a directory has, by name.
pub fn list(dir: OwnedFd, path: &[u8]) -> Result<BTreeMap<Vec<u8>, Stat>> {
    let mut dir = Dir::new(dir).cannot(|| shown(path))?;
    let mut found = BTreeMap::new();
    while let Some(entry) = dir.read() {
        let entry = entry.cannot(|| shown(path))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match statat(dir.fd().cannot(|| shown(path))?, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Gone since it was listed.
            Err(Errno::NOENT) => {}
            other => drop(found.insert(name.to_bytes().to_vec(), other.cannot(|| shown(path))?)),
        }
    }
    Ok(found)
}

/// A character device 0:0: what is below is deleted.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether a directory hides what is below it.
pub fn is_opaque(dir: &OwnedFd) -> bool {
    let mut value = [0; 1];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| fgetxattr(dir, *name, &mut value[..]).is_ok_and(|length| value[..length] == *b"y"))
}

/// What was done when it failed.
pub fn shown(path: &[u8]) -> String {
    format!("read /{}", String::from_utf8_lossy(path).escape_debug())
}
