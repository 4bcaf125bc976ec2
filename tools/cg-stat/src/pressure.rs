//! Pressure stall information: how long processes of a group waited for CPU, memory, I/O (psi.rst). The version 2 tree
//! has it in every group, whatever its controllers.

use crate::kernel::{Kernel, Place};
use ctr_core::Result;
use serde::Serialize;
use std::path::Path;

/// The three kinds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pressure {
    /// For a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Stalls>,
    /// For memory: reclaim, swap, refaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Stalls>,
    /// For I/O.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<Stalls>,
}

/// One kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stalls {
    /// At least one process waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub some: Option<Share>,
    /// All that had something to do waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<Share>,
}

/// A share of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last minute.
    pub avg60: f64,
    /// Percent of the last five minutes.
    pub avg300: f64,
    /// Microseconds since the group was made.
    #[serde(rename = "totalUs")]
    pub total_us: u64,
}

impl Pressure {
    /// Reads that of one group; `None` where the kernel has none.
    pub fn read(kernel: &mut Kernel, group: &Path) -> Result<Option<Self>> {
        let Some(place) = kernel.tree else { return Ok(None) };
        let pressure = Self {
            cpu: Stalls::read(kernel, place, group, "cpu.pressure")?,
            memory: Stalls::read(kernel, place, group, "memory.pressure")?,
            io: Stalls::read(kernel, place, group, "io.pressure")?,
        };
        Ok((pressure != Self::default()).then_some(pressure))
    }
}

impl Stalls {
    fn read(kernel: &mut Kernel, place: Place, group: &Path, file: &str) -> Result<Option<Self>> {
        Ok(kernel.read(place, group, file)?.map(Self::parse))
    }

    fn parse(text: &str) -> Self {
        let mut stalls = Self::default();
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or_default();
            match kind {
                "some" => stalls.some = Share::parse(rest),
                "full" => stalls.full = Share::parse(rest),
                _ => {}
            }
        }
        stalls
    }
}

impl Share {
    fn parse(words: &str) -> Option<Self> {
        let mut share = Self::default();
        for (name, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
            match name {
                "avg10" => share.avg10 = value.parse().ok()?,
                "avg60" => share.avg60 = value.parse().ok()?,
                "avg300" => share.avg300 = value.parse().ok()?,
                "total" => share.total_us = value.parse().ok()?,
                _ => {}
            }
        }
        Some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let stalls = Stalls::parse(
            "some avg10=12.34 avg60=1.50 avg300=0.00 total=98765\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=43\n",
        );
        assert_eq!(stalls.some, Some(Share { avg10: 12.34, avg60: 1.5, avg300: 0.0, total_us: 98765 }));
        assert_eq!(stalls.full.map(|full| (full.avg10, full.total_us)), Some((0.5, 43)));
        // Before Linux 5.13 cpu.pressure had one.
        let old = Stalls::parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
        assert!(old.some.is_some() && old.full.is_none());
    }
}
