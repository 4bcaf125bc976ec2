//! Files that are never half there: written aside, flushed, renamed.

pub use crate::{large_file::write_with, remove_tree::remove_tree};

use crate::{Cannot, Result, json, trace};
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Makes `dir` and its parents, mode 0700; nothing happens where it is there.
pub fn make_dir(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).cannot(|| format!("make directory {}", dir.display()))
}

/// Replaces `path` by `bytes`: readers see the old content or the new, never a part.
///
/// `durable` flushes the file before the rename and the directory after it, so that the new content is
/// there after a power cut once this returns; without it a reboot may bring back either.
pub fn replace(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = dir.join(format!(".{name}.{}", crate::ident::token()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&aside, path)?;
        if durable {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().inspect_err(|_| drop(fs::remove_file(&aside))).cannot(|| format!("write {}", path.display()))
}

/// What gc does with a leftover: removes the tree or file at `path`, by [`trace::act`].
pub fn discard(path: &Path) -> Result<()> {
    trace::act("remove", || json!({"path": path}), || remove_tree(path))
}

/// Removes the file `path`; succeeds where nothing is there.
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other.cannot(|| format!("remove {}", path.display())),
    }
}

/// Flushes the file system that holds `path` (`syncfs(2)`): one flush for a whole tree.
pub fn sync_fs(path: &Path) -> Result<()> {
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open {}", path.display()))?;
    rustix::fs::syncfs(fd).cannot(|| format!("flush {}", path.display()))
}
