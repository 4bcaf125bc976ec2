//! Takes back a half-done add: a guard that is disarmed on success.

use crate::{Result, trace};

/// The things to take back, run last to first when the guard is dropped while armed.
#[derive(Default)]
pub struct Rollback {
    undo: Vec<Box<dyn FnOnce() -> Result<()>>>,
}

impl Rollback {
    /// An empty guard.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what takes back the thing just done. Under `--dry-run` nothing was done, nothing is kept.
    pub fn push(&mut self, undo: impl FnOnce() -> Result<()> + 'static) {
        if !trace::dry_run() {
            self.undo.push(Box::new(undo));
        }
    }

    /// All went well: keep everything.
    pub fn disarm(mut self) {
        self.undo.clear();
    }
}

impl Drop for Rollback {
    fn drop(&mut self) {
        while let Some(undo) = self.undo.pop() {
            if let Err(e) = undo() {
                trace::warn(&format!("rollback: {e}"));
            }
        }
    }
}
