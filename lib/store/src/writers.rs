//! Who writes into the store: while somebody does, what no image names yet may be on its way to one.

use ctr_core::{Lock, Result, paths, trace};
use std::{path::PathBuf, sync::OnceLock};

static WRITING: OnceLock<Lock> = OnceLock::new();

fn file() -> PathBuf {
    paths::root().join("writers")
}

/// Says that this process writes blobs or trees, until it ends. Any number may at once; waits for one that removes what
/// nobody names, which takes moments. Not to be called by who holds [`Lock::store`].
pub fn writing() -> Result<()> {
    if WRITING.get().is_none() && !trace::dry_run() {
        let _ = WRITING.set(Lock::shared(&file())?);
    }
    Ok(())
}

/// The lock that keeps all writers away, `None` while there is one. Taken before [`Lock::store`], and held for moments.
pub fn idle() -> Result<Option<Lock>> {
    Lock::try_exclusive(&file())
}
