//! One reading of one subject: the line that is printed.

use crate::{
    cpu::Cpu,
    io::{self, Device},
    kernel::Kernel,
    memory::Memory,
    net::{self, Interface},
    pids::Pids,
    pressure::Pressure,
    subject::Subject,
};
use ctr_core::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Instant;

/// What is printed; what the kernel does not tell is left out.
#[derive(Debug, Serialize)]
pub struct Reading<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    io: Option<Vec<Device>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pids: Option<Pids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pressure: Option<Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    net: Option<Vec<Interface>>,
}

/// CPU time at a moment, for the percentage of the next reading.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: Instant,
    usage_ns: u64,
}

impl<'a> Reading<'a> {
    /// Reads everything; `mark` is that of the reading before and becomes this one's.
    pub fn take(kernel: &mut Kernel, subject: &'a Subject, mark: &mut Option<Mark>) -> Result<Self> {
        let mut reading = Self {
            time: Timestamp::now().to_string(),
            id: subject.id.as_deref(),
            name: subject.name.as_deref(),
            status: subject.status,
            path: None,
            cpu: None,
            memory: None,
            io: None,
            pids: None,
            pressure: None,
            net: subject.process.and_then(|process| net::read(kernel, process)),
        };
        if let Some(group) = &subject.group {
            reading.cpu = Cpu::read(kernel, group)?;
            let at = Instant::now();
            if let Some(cpu) = &mut reading.cpu {
                let now = cpu.usage_ns.map(|usage_ns| Mark { at, usage_ns });
                cpu.percent = now.zip(*mark).and_then(|(now, before)| percent(before, now));
                *mark = now;
            }
            reading.path = Some(format!("/{}", group.display()));
            reading.memory = Memory::read(kernel, group)?;
            reading.io = io::read(kernel, group)?;
            reading.pids = Pids::read(kernel, group)?;
            reading.pressure = Pressure::read(kernel, group)?;
        }
        Ok(reading)
    }

    /// Whether its group had any figure: a group that is gone has none.
    pub fn has_figures(&self) -> bool {
        self.cpu.is_some()
            || self.memory.is_some()
            || self.io.is_some()
            || self.pids.is_some()
            || self.pressure.is_some()
    }
}

/// docker's percentage: time on a CPU over the time that passed, 100 for each CPU.
///
/// docker takes the latter from `/proc/stat`, as the time of all CPUs by their number, in hundredths of a second
/// (docker/cli, cli/command/container/stats_helpers.go, calculateCPUPercentUnix); the clock tells the same more exactly.
fn percent(before: Mark, now: Mark) -> Option<f64> {
    let passed = now.at.duration_since(before.at).as_nanos() as f64;
    // A container that was started again has a group that counts from 0.
    let used = now.usage_ns.checked_sub(before.usage_ns)?;
    (passed > 0.0).then(|| percentage(used as f64, passed))
}

/// A share of a whole, in percent, to four digits behind the point.
pub fn percentage(part: f64, whole: f64) -> f64 {
    (part / whole * 1e6).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_hundred_percent_is_one_cpu() {
        let at = Instant::now();
        let before = Mark { at, usage_ns: 1_000_000_000 };
        let later = |seconds, usage_ns| Mark { at: at + Duration::from_secs(seconds), usage_ns };
        assert_eq!(percent(before, later(2, 2_000_000_000)), Some(50.0));
        assert_eq!(percent(before, later(1, 3_000_000_000)), Some(200.0));
        assert_eq!(percent(before, later(1, 1_000_000_000)), Some(0.0));
        assert_eq!(percent(before, later(1, 5)), None, "counted anew");
        assert_eq!(percent(before, later(0, 2_000_000_000)), None);
    }
}
