//! CPU time and throttling.

use crate::kernel::{Kernel, number, pairs};
use ctr_core::Result;
use serde::Serialize;
use std::path::Path;

/// What processes of a group, those that have ended among them, took of the CPUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Nanoseconds on a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_ns: Option<u64>,
    /// Of that, in user mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ns: Option<u64>,
    /// Of that, in the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_ns: Option<u64>,
    /// Of one CPU since the reading before: 200 is two CPUs all the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Periods in which it ran, where its time is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<u64>,
    /// Of those, the ones in which it had to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_periods: Option<u64>,
    /// How long it had to wait, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
}

impl Cpu {
    /// Reads that of one group; `None` where it has none of the files.
    pub fn read(kernel: &mut Kernel, group: &Path) -> Result<Option<Self>> {
        let mut cpu = Self::default();
        if let Some(place) = kernel.cpuacct {
            if place.version == 1 {
                cpu.usage_ns = kernel.read(place, group, "cpuacct.usage")?.and_then(number);
                let ticks = rustix::param::clock_ticks_per_second();
                kernel.read(place, group, "cpuacct.stat")?.into_iter().for_each(|text| cpu.time_1(text, ticks));
            } else if let Some(text) = kernel.read(place, group, "cpu.stat")? {
                cpu.stat_2(text);
            }
        }
        // Where both are of version 2 the file has been read.
        if let Some(place) = kernel.cpu.filter(|place| place.version == 1)
            && let Some(text) = kernel.read(place, group, "cpu.stat")?
        {
            cpu.throttling_1(text);
        }
        Ok((cpu != Self::default()).then_some(cpu))
    }

    /// Version 1, `cpuacct.stat`: clock ticks.
    fn time_1(&mut self, text: &str, ticks_per_second: u64) {
        let nanoseconds = |ticks: u64| Some(ticks.saturating_mul(1_000_000_000 / ticks_per_second.max(1)));
        for (name, ticks) in pairs(text) {
            match name {
                "user" => self.user_ns = nanoseconds(ticks),
                "system" => self.system_ns = nanoseconds(ticks),
                _ => {}
            }
        }
    }

    /// Version 1, `cpu.stat`: `throttled_time` in nanoseconds (sched-bwc.rst).
    fn throttling_1(&mut self, text: &str) {
        for (name, value) in pairs(text) {
            match name {
                "nr_periods" => self.periods = Some(value),
                "nr_throttled" => self.throttled_periods = Some(value),
                "throttled_time" => self.throttled_ns = Some(value),
                _ => {}
            }
        }
    }

    /// Version 2, `cpu.stat`: times in microseconds; of throttling only with the controller.
    fn stat_2(&mut self, text: &str) {
        for (name, value) in pairs(text) {
            let nanoseconds = Some(value.saturating_mul(1000));
            match name {
                "usage_usec" => self.usage_ns = nanoseconds,
                "user_usec" => self.user_ns = nanoseconds,
                "system_usec" => self.system_ns = nanoseconds,
                "nr_periods" => self.periods = Some(value),
                "nr_throttled" => self.throttled_periods = Some(value),
                "throttled_usec" => self.throttled_ns = nanoseconds,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_three_files() {
        let mut cpu = Cpu { usage_ns: number("12345678901\n"), ..Cpu::default() };
        cpu.time_1("user 1204\nsystem 31\n", 100);
        cpu.throttling_1("nr_periods 50\nnr_throttled 49\nthrottled_time 2483920193\nnr_bursts 0\nburst_time 0\n");
        let expected = Cpu {
            usage_ns: Some(12_345_678_901),
            user_ns: Some(12_040_000_000),
            system_ns: Some(310_000_000),
            percent: None,
            periods: Some(50),
            throttled_periods: Some(49),
            throttled_ns: Some(2_483_920_193),
        };
        assert_eq!(cpu, expected);
    }

    #[test]
    fn version_2_has_one() {
        let mut cpu = Cpu::default();
        let with_controller = "usage_usec 5012345\nuser_usec 5000000\nsystem_usec 12345\nnice_usec 0\n\
            core_sched.force_idle_usec 0\nnr_periods 101\nnr_throttled 100\nthrottled_usec 5003210\nnr_bursts 0\n";
        cpu.stat_2(with_controller);
        assert_eq!((cpu.usage_ns, cpu.user_ns), (Some(5_012_345_000), Some(5_000_000_000)));
        assert_eq!((cpu.periods, cpu.throttled_periods, cpu.throttled_ns), (Some(101), Some(100), Some(5_003_210_000)));
        let mut cpu = Cpu::default();
        cpu.stat_2("usage_usec 7\nuser_usec 3\nsystem_usec 4\n");
        assert_eq!((cpu.usage_ns, cpu.periods, cpu.throttled_ns), (Some(7000), None, None));
    }
}
