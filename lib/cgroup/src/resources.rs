//! What is to be limited, in the words of the runtime-spec (config-linux.md, Control groups): `linux.resources`.

use crate::devices::Rule;
use ctr_core::{Code, Error, Result, Value};
use serde::Deserialize;
use std::collections::BTreeMap;

/// All of it. A field that is not there limits nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Resources {
    /// Memory and swap.
    pub memory: Memory,
    /// Time on processors, and which of them.
    pub cpu: Cpu,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices.
    #[serde(rename = "blockIO")]
    pub block_io: BlockIo,
    /// Which devices may be opened and made; an empty list says nothing.
    pub devices: Vec<Rule>,
    /// Files of version 2 and what is written to them.
    pub unified: BTreeMap<String, String>,
}

/// `memory`; bytes, -1 for no limit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Memory {
    /// Most memory.
    pub limit: Option<i64>,
    /// What is left to it when memory becomes scarce.
    pub reservation: Option<i64>,
    /// Most memory and swap together.
    pub swap: Option<i64>,
    /// How readily its memory is swapped, 0 to 100.
    pub swappiness: Option<u64>,
    /// Its processes wait for memory and are not killed.
    #[serde(rename = "disableOOMKiller")]
    pub disable_oom_killer: Option<bool>,
}

/// `cpu`; times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cpu {
    /// Its share where processors are scarce, against 1024 of others.
    pub shares: Option<u64>,
    /// Time in each period; -1 for no limit.
    pub quota: Option<i64>,
    /// Time that it may save up over periods.
    pub burst: Option<u64>,
    /// Length of a period.
    pub period: Option<u64>,
    /// Processors, as `0-3,7`.
    pub cpus: Option<String>,
    /// Memory nodes.
    pub mems: Option<String>,
    /// 1: it runs only where nobody else wants to.
    pub idle: Option<i64>,
}

/// `pids`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pids {
    /// Most processes and threads; 0 and less for no limit.
    pub limit: Option<i64>,
}

/// `blockIO`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BlockIo {
    /// Its share where a device is busy, 10 to 1000.
    pub weight: Option<u16>,
    /// Most bytes a second that are read.
    pub throttle_read_bps_device: Vec<Throttle>,
    /// Most bytes a second that are written.
    pub throttle_write_bps_device: Vec<Throttle>,
    /// Most reads a second.
    #[serde(rename = "throttleReadIOPSDevice")]
    pub throttle_read_iops_device: Vec<Throttle>,
    /// Most writes a second.
    #[serde(rename = "throttleWriteIOPSDevice")]
    pub throttle_write_iops_device: Vec<Throttle>,
}

/// How fast one device may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Throttle {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Bytes or operations a second; 0 for no limit.
    pub rate: u64,
}

impl Resources {
    /// Those of `spec.linux.resources`; none where there is no such section.
    ///
    /// # Errors
    /// `invalid`, naming the field, for what has not its form, and for limits that nobody here sets.
    pub fn read(value: Option<&Value>) -> Result<Self> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Self::default()) };
        let read = Self::deserialize(value);
        read.map_err(|e| Error::new(Code::Invalid, format!("document: spec.linux.resources: {e}")))
    }
}
