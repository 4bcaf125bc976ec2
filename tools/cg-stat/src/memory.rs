//! Memory: what is charged to a group, and what of that docker counts.

use crate::{
    kernel::{Kernel, number, pairs},
    reading::percentage,
};
use ctr_core::Result;
use serde::Serialize;
use std::path::Path;

/// Memory of a group, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// What docker shows: what is charged without the file pages that were not used lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// Most that may be charged; the host's memory where there is no limit below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// `usage` of `limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charged: Option<u64>,
    /// The most that was ever charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
    /// Of what is charged: memory that no file is behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anon: Option<u64>,
    /// Of what is charged: pages of files, and of tmpfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<u64>,
    /// Of `file`: those that were not used lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactive_file: Option<u64>,
    /// Of `file`: shared memory and tmpfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shmem: Option<u64>,
    /// Of what is charged: the kernel's own for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<u64>,
    /// Beside what is charged: what is in swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<u64>,
    /// Processes that the kernel killed for want of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
}

impl Memory {
    /// Reads that of one group; `None` where the controller is not there.
    pub fn read(kernel: &mut Kernel, group: &Path) -> Result<Option<Self>> {
        let Some(place) = kernel.memory else { return Ok(None) };
        let [charged, peak, kills] = if place.version == 1 {
            ["memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"]
        } else {
            ["memory.current", "memory.peak", "memory.events"]
        };
        let Some(charged) = kernel.read(place, group, charged)?.and_then(number) else { return Ok(None) };
        let mut memory = Self { charged: Some(charged), ..Self::default() };
        memory.peak = kernel.read(place, group, peak)?.and_then(number);
        memory.oom_kills = kernel.read(place, group, kills)?.and_then(oom_kills);
        if place.version == 2 {
            memory.limit = kernel.read(place, group, "memory.max")?.and_then(number);
            memory.swap = kernel.read(place, group, "memory.swap.current")?.and_then(number);
        }
        if let Some(text) = kernel.read(place, group, "memory.stat")? {
            if place.version == 1 { memory.stat_1(text) } else { memory.stat_2(text) }
        }
        memory.conclude(kernel.host_memory);
        Ok(Some(memory))
    }

    /// Version 1: the names that count the groups below too begin with `total_`, and the limit is the least of those
    /// above and its own (cgroup-v1/memory.rst).
    fn stat_1(&mut self, text: &str) {
        for (name, value) in pairs(text) {
            match name {
                "hierarchical_memory_limit" => self.limit = Some(value),
                "total_rss" => self.anon = Some(value),
                "total_cache" => self.file = Some(value),
                "total_inactive_file" => self.inactive_file = Some(value),
                "total_shmem" => self.shmem = Some(value),
                "total_swap" => self.swap = Some(value),
                _ => {}
            }
        }
    }

    fn stat_2(&mut self, text: &str) {
        for (name, value) in pairs(text) {
            match name {
                "anon" => self.anon = Some(value),
                "file" => self.file = Some(value),
                "inactive_file" => self.inactive_file = Some(value),
                "shmem" => self.shmem = Some(value),
                "kernel" => self.kernel = Some(value),
                _ => {}
            }
        }
    }

    /// docker's figures: `total_inactive_file` (version 1) or `inactive_file` (version 2) is taken off what is charged
    /// if it is less (docker/cli, cli/command/container/stats_helpers.go, calculateMemUsageUnixNoCache), and the limit
    /// is never more than what the host has (moby/moby, daemon/stats_unix.go).
    fn conclude(&mut self, host: u64) {
        let charged = self.charged.unwrap_or_default();
        let idle = self.inactive_file.filter(|idle| *idle < charged).unwrap_or_default();
        let (usage, limit) = (charged - idle, self.limit.unwrap_or(host).min(host));
        self.usage = Some(usage);
        self.limit = Some(limit);
        self.percent = (limit > 0).then(|| percentage(usage as f64, limit as f64));
    }
}

/// `memory.oom_control` and `memory.events` alike.
fn oom_kills(text: &str) -> Option<u64> {
    pairs(text).find(|(name, _)| *name == "oom_kill").map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1() {
        let mut memory = Memory { charged: Some(8_000_000), ..Memory::default() };
        memory.stat_1(
            "cache 1\nrss 2\nshmem 3\nswap 9\ninactive_file 4\nhierarchical_memory_limit 9223372036854771712\n\
             total_cache 5000000\ntotal_rss 2500000\ntotal_rss_huge 0\ntotal_shmem 1000\ntotal_swap 77\n\
             total_inactive_anon 5\ntotal_inactive_file 3000000\ntotal_active_file 6\n",
        );
        assert_eq!(memory.limit, Some(9_223_372_036_854_771_712));
        memory.conclude(10_000_000);
        assert_eq!((memory.usage, memory.limit, memory.percent), (Some(5_000_000), Some(10_000_000), Some(50.0)));
        assert_eq!((memory.anon, memory.file, memory.shmem), (Some(2_500_000), Some(5_000_000), Some(1000)));
        assert_eq!((memory.inactive_file, memory.swap), (Some(3_000_000), Some(77)));
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
    }

    #[test]
    fn version_2() {
        let mut memory = Memory { charged: Some(8_000_000), ..Memory::default() };
        memory.stat_2(
            "anon 2500000\nfile 5000000\nkernel 400000\nkernel_stack 16384\nshmem 1000\nfile_mapped 4\n\
             inactive_anon 5\ninactive_file 3000000\nactive_file 6\nworkingset_refault_file 0\n",
        );
        memory.limit = number("max\n");
        memory.conclude(10_000_000);
        assert_eq!((memory.usage, memory.limit, memory.percent), (Some(5_000_000), Some(10_000_000), Some(50.0)));
        assert_eq!((memory.anon, memory.kernel, memory.swap), (Some(2_500_000), Some(400_000), None));
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
    }

    #[test]
    fn more_idle_than_charged_is_not_taken_off() {
        let mut memory = Memory { charged: Some(10), inactive_file: Some(10), limit: Some(100), ..Memory::default() };
        memory.conclude(1000);
        assert_eq!((memory.usage, memory.limit, memory.percent), (Some(10), Some(100), Some(10.0)));
    }
}
