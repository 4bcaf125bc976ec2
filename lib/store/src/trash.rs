//! Trees on their way out: renamed aside at once, deleted later, when no lock is held any more.

use crate::{Digest, Store, Usage, gc, usage};
use ctr_core::{Cannot, Result, files, ident, paths};
use std::{
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
};

/// How the names of these directories begin, in `layers/`.
pub(crate) const PREFIX: &str = ".removed-";

/// A directory of trees that nobody finds any more, locked by who deletes them; one without a holder is what a killed
/// process left.
#[derive(Default)]
pub struct Trash {
    dir: Option<(PathBuf, File)>,
}

impl Trash {
    /// Renames the tree of a layer into it; gives whether there was one. The caller holds the lock of the store.
    pub fn take(&mut self, store: &Store, diff_id: &Digest) -> Result<bool> {
        let tree = store.layer_path(diff_id);
        if fs::symlink_metadata(&tree).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            return Ok(false);
        }
        if self.dir.is_none() {
            self.dir = Some(make()?);
        }
        let Some((dir, _)) = &self.dir else { return Ok(false) };
        match fs::rename(&tree, dir.join(diff_id.hex())) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e).cannot(|| format!("remove layer {diff_id}")),
        }
    }

    /// What the trees occupy, bytes.
    pub fn bytes(&self) -> u64 {
        let inside = |(dir, _): &(PathBuf, File)| {
            let own = fs::symlink_metadata(dir).map_or(0, |meta| Usage::of(&meta));
            usage(dir).map_or(0, |usage| usage.bytes.saturating_sub(own))
        };
        self.dir.as_ref().map_or(0, inside)
    }

    /// Deletes them.
    pub fn delete(self) -> Result<()> {
        self.dir.map_or(Ok(()), |(dir, _held)| files::remove_tree(&dir))
    }
}

fn make() -> Result<(PathBuf, File)> {
    loop {
        let dir = paths::layers().join(format!("{PREFIX}{}", ident::token()));
        files::make_dir(&dir)?;
        // gc may find it before it is locked, and then it is gone.
        if let Some(held) = gc::hold(&dir)? {
            return Ok((dir, held));
        }
        let _ = fs::remove_dir(&dir);
    }
}
