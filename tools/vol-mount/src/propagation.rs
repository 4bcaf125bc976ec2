//! Whether a source can propagate what is mounted beneath it as is asked for (mount_namespaces(7), "SHARED SUBTREES").

use ctr_core::{Cannot, Code, Error, Result, mountinfo};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::path::Path;

/// Refuses `word` where the mount that has `source` does not do so itself: what is shared has to lead somewhere.
///
/// # Errors
/// `invalid`, naming the mount.
pub fn check(source: &Path, word: &str) -> Result<()> {
    let plain = word.strip_prefix('r').unwrap_or(word);
    if plain == "private" {
        return Ok(());
    }
    let stat =
        statx(CWD, source, AtFlags::empty(), StatxFlags::MNT_ID).cannot(|| format!("stat {}", source.display()))?;
    let mounts = mountinfo::read()?;
    let Some(mount) = mounts.iter().find(|mount| mount.id == stat.stx_mnt_id) else { return Ok(()) };
    if mount.shared || (plain == "slave" && mount.slave) {
        return Ok(());
    }
    let message =
        format!("cannot mount {} as {word}: {} is not a shared mount", source.display(), mount.point.display());
    Err(Error::new(Code::Invalid, message).hint(format!("mount --make-shared {}", mount.point.display())))
}
