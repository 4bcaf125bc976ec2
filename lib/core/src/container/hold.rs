//! Who may start, end or remove a container: one at a time.

use super::{checked_id, live_state};
use crate::{Code, Error, Lock, Result, ident, paths, trace};

/// Makes the caller the one who starts, looks after or removes container `id`, until the lock is dropped by all who
/// hold its descriptor. `None` under `--dry-run`, where nothing is done.
///
/// # Errors
/// `busy` while its process runs, or another holds it.
pub fn hold(id: &str) -> Result<Option<Lock>> {
    let busy = |why: String| Err(Error::new(Code::Busy, format!("container {} {why}", ident::short(id))));
    if let Some(state) = live_state(checked_id(id)?)? {
        return match state.pid {
            Some(pid) => busy(format!("runs as process {pid}")),
            None => busy("is about to be started again".to_owned()),
        };
    }
    if trace::dry_run() {
        return Ok(None);
    }
    match Lock::try_exclusive(&paths::run_dir(id).join("run.lock"))? {
        Some(lock) => Ok(Some(lock)),
        None => busy("is being started or removed by another".to_owned()),
    }
}
