//! Processes and threads: their files are the same in both versions.

use crate::kernel::{Kernel, number};
use ctr_core::Result;
use serde::Serialize;
use std::path::Path;

/// Processes and threads of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pids {
    /// How many there are, threads counted each.
    pub current: u64,
    /// How many there may be, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

impl Pids {
    /// Reads that of one group; `None` where the controller is not there.
    pub fn read(kernel: &mut Kernel, group: &Path) -> Result<Option<Self>> {
        let Some(place) = kernel.pids else { return Ok(None) };
        let Some(current) = kernel.read(place, group, "pids.current")?.and_then(number) else { return Ok(None) };
        Ok(Some(Self { current, limit: kernel.read(place, group, "pids.max")?.and_then(number) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_left_out() {
        let of = |text| serde_json::to_string(&Pids { current: 3, limit: number(text) }).unwrap_or_default();
        assert_eq!(of("max\n"), r#"{"current":3}"#);
        assert_eq!(of("20\n"), r#"{"current":3,"limit":20}"#);
    }
}
