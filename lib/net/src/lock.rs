//! The lock of a network namespace: who chooses subnets, addresses and ports in it, or makes bridges and rules.

use ctr_core::{Cannot, Result};
use std::fs::File;

/// Held by `flock(2)` on the network namespace itself, so that instances with different roots wait for each other too,
/// and nothing is left of it. Dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock of the network namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take() -> Result<Self> {
        let file = File::open("/proc/thread-self/ns/net").cannot(|| "open the network namespace")?;
        file.lock().cannot(|| "lock the network namespace")?;
        Ok(Self { _file: file })
    }
}
