//! The flags of limits, in docker's units, and what they are in the runtime-spec.

use crate::rates::{self, Rate};
use clap::Args;
use ctr_cgroup::{Groups, limits::SWAP_FILES};
use ctr_core::{Code, Error, Map, Result, Value, json, parse_size};

/// What `--cpus` counts in: docker's period, in microseconds.
const PERIOD: f64 = 100_000.0;

/// The limits that can be set and changed.
#[derive(Args, Clone, Debug, Default)]
pub struct Limits {
    /// Most memory
    #[arg(short = 'm', long, value_name = "SIZE", allow_hyphen_values = true)]
    memory: Option<String>,
    /// Memory that is left to it when memory becomes scarce
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_reservation: Option<String>,
    /// Most memory and swap together, -1 for no limit [default: twice the memory]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// How readily its memory is swapped, 0 to 100
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    memory_swappiness: Option<i64>,
    /// Its processes wait for memory and are not killed
    #[arg(long)]
    oom_kill_disable: bool,
    /// Most kernel memory: no kernel of today limits it
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    kernel_memory: Option<String>,
    /// How many processors' time it has at most, as 1.5
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    cpus: Option<f64>,
    /// Its share where processors are scarce, against 1024 of others
    #[arg(short = 'c', long, value_name = "N")]
    cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// Microseconds of a period
    #[arg(long, value_name = "TIME")]
    cpu_period: Option<u64>,
    /// Processors that it runs on, as 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that it has memory from
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Most processes and threads, -1 for no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pids_limit: Option<i64>,
    /// Its share where a block device is busy, 10 to 1000
    #[arg(long, value_name = "N")]
    blkio_weight: Option<u16>,
    /// Most bytes a second that it reads from a device
    #[arg(long, value_name = "DEVICE:SIZE")]
    device_read_bps: Vec<String>,
    /// Most bytes a second that it writes to a device
    #[arg(long, value_name = "DEVICE:SIZE")]
    device_write_bps: Vec<String>,
    /// Most reads a second from a device
    #[arg(long, value_name = "DEVICE:N")]
    device_read_iops: Vec<String>,
    /// Most writes a second to a device
    #[arg(long, value_name = "DEVICE:N")]
    device_write_iops: Vec<String>,
    /// Write a file of version 2 by its name, as memory.high=64m
    #[arg(long, value_name = "KEY=VALUE")]
    cgroup_conf: Vec<String>,
}

impl Limits {
    /// Writes what was given into `resources` (runtime-spec, `linux.resources`); what is there and not named stays.
    /// Gives whether memory got a limit of swap only by docker's default, twice the memory. 0 is docker's word for what is
    /// not given.
    ///
    /// # Errors
    /// `invalid` or `usage` for values that have not their form, `not-found` for a device, `unsupported` for
    /// `--kernel-memory`.
    pub fn fill(&self, resources: &mut Map<String, Value>) -> Result<bool> {
        if self.kernel_memory.as_deref().map(size).transpose()?.is_some_and(|n| n != 0) {
            return Err(Error::new(Code::Unsupported, "kernel memory has no limit of its own since Linux 5.16")
                .hint("--memory counts kernel memory too"));
        }
        let swap_implied = self.memory(resources)?;
        self.cpu(resources)?;
        if let Some(limit) = self.pids_limit {
            part(resources, "pids")?.insert("limit".to_owned(), json!(if limit <= 0 { -1 } else { limit }));
        }
        if let Some(weight) = self.blkio_weight.filter(|n| *n != 0) {
            part(resources, "blockIO")?.insert("weight".to_owned(), json!(weight));
        }
        for (key, words, rate) in [
            ("throttleReadBpsDevice", &self.device_read_bps, Rate::Bytes),
            ("throttleWriteBpsDevice", &self.device_write_bps, Rate::Bytes),
            ("throttleReadIOPSDevice", &self.device_read_iops, Rate::Operations),
            ("throttleWriteIOPSDevice", &self.device_write_iops, Rate::Operations),
        ] {
            if !words.is_empty() {
                let list = part(resources, "blockIO")?.entry(key).or_insert_with(|| json!([]));
                rates::fill(list, words, rate)?;
            }
        }
        for word in &self.cgroup_conf {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| Error::new(Code::Usage, format!("setting {word:?} is not KEY=VALUE")))?;
            part(resources, "unified")?.insert(key.to_owned(), json!(value));
        }
        Ok(swap_implied)
    }

    fn memory(&self, resources: &mut Map<String, Value>) -> Result<bool> {
        let size = |word: &Option<String>| Ok(word.as_deref().map(size).transpose()?.filter(|n| *n != 0));
        let (limit, swap, reservation) =
            (size(&self.memory)?, size(&self.memory_swap)?, size(&self.memory_reservation)?);
        let swappiness = self.memory_swappiness.filter(|n| *n != -1);
        if limit.is_none() && swap.is_none() && reservation.is_none() && swappiness.is_none() && !self.oom_kill_disable
        {
            return Ok(false);
        }
        let memory = part(resources, "memory")?;
        let mut set = |key: &str, value: Option<i64>| {
            if let Some(value) = value {
                memory.insert(key.to_owned(), json!(value));
            }
        };
        set("limit", limit);
        set("swap", swap);
        set("reservation", reservation);
        if let Some(n) = swappiness {
            if !(0..=100).contains(&n) {
                return Err(Error::new(Code::Invalid, format!("memory swappiness is from 0 to 100, not {n}")));
            }
            set("swappiness", Some(n));
        }
        if self.oom_kill_disable {
            memory.insert("disableOOMKiller".to_owned(), json!(true));
        }
        // docker: as much swap as memory, where nobody says how much.
        let implied = limit.filter(|n| *n > 0 && !memory.contains_key("swap"));
        if let Some(limit) = implied {
            memory.insert("swap".to_owned(), json!(limit.saturating_mul(2)));
        }
        Ok(implied.is_some())
    }

    fn cpu(&self, resources: &mut Map<String, Value>) -> Result<()> {
        let (mut quota, mut period) = (self.cpu_quota.filter(|n| *n != 0), self.cpu_period.filter(|n| *n != 0));
        if let Some(cpus) = self.cpus {
            if quota.is_some() || period.is_some() {
                return Err(Error::new(Code::Usage, "--cpus is a quota and a period: give it or those, not both"));
            }
            quota = Some(quota_of(cpus)?);
            period = Some(PERIOD as u64);
        }
        let numbers = [
            ("shares", self.cpu_shares.filter(|n| *n != 0).map(|n| json!(n))),
            ("quota", quota.map(|n| json!(n))),
            ("period", period.map(|n| json!(n))),
        ];
        let lists = [("cpus", &self.cpuset_cpus), ("mems", &self.cpuset_mems)];
        let given = numbers.into_iter().chain(lists.map(|(key, list)| (key, list.as_ref().map(|list| json!(list)))));
        for (key, value) in given {
            if let Some(value) = value {
                part(resources, "cpu")?.insert(key.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// Takes back the limit of swap that is docker's default, where the kernel does not count swap: nobody asked for it.
pub fn forget_uncounted_swap(resources: &mut Map<String, Value>, groups: &Groups) {
    let counts = |group: &ctr_cgroup::Group| SWAP_FILES.iter().any(|file| group.offers(file));
    if !groups.of("memory").is_ok_and(counts)
        && let Some(memory) = resources.get_mut("memory").and_then(Value::as_object_mut)
    {
        memory.shift_remove("swap");
    }
}

/// docker's: 0 is no limit, and more than there are is a mistake.
fn quota_of(cpus: f64) -> Result<i64> {
    if cpus == 0.0 {
        return Ok(-1);
    }
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    if !(cpus >= 0.01 && cpus <= most as f64) {
        return Err(Error::new(Code::Invalid, format!("processors are from 0.01 to {most} here, not {cpus}")));
    }
    Ok((cpus * PERIOD).round() as i64)
}

/// Bytes; -1 for no limit.
fn size(word: &str) -> Result<i64> {
    if word == "-1" {
        return Ok(-1);
    }
    i64::try_from(size_or_zero(word)?).map_err(|_| Error::new(Code::Invalid, format!("size {word} is too large")))
}

/// Bytes, or 0 in whatever unit: docker's word for none.
pub fn size_or_zero(word: &str) -> Result<u64> {
    if word.starts_with('0') && !word.contains(|c: char| c.is_ascii_digit() && c != '0') {
        return parse_size(&word.replace('0', "1")).map(|_| 0);
    }
    parse_size(word)
}

/// A section of the resources, made where there is none.
fn part<'a>(resources: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Map<String, Value>> {
    let part = resources.entry(key).or_insert_with(|| json!({})).as_object_mut();
    part.ok_or_else(|| Error::new(Code::Invalid, format!("document: spec.linux.resources.{key} is not an object")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_cgroup::{Group, Hierarchy};

    fn filled(limits: &Limits, before: Value) -> (Value, bool) {
        let Value::Object(mut resources) = before else { panic!() };
        let implied = limits.fill(&mut resources).unwrap();
        (Value::Object(resources), implied)
    }

    #[test]
    fn swap_is_twice_the_memory_where_nobody_says() {
        let limits = Limits { memory: Some("64m".to_owned()), ..Limits::default() };
        let memory = |limit: i64, swap: i64| json!({"memory": {"limit": limit, "swap": swap}});
        assert_eq!(filled(&limits, json!({})), (memory(64 << 20, 128 << 20), true));
        assert_eq!(filled(&limits, memory(1 << 30, -1)), (memory(64 << 20, -1), false));
        let both = Limits { memory_swap: Some("-1".to_owned()), ..limits };
        assert_eq!(filled(&both, json!({})), (memory(64 << 20, -1), false));
    }

    #[test]
    fn swap_that_the_kernel_does_not_count_is_forgotten() {
        let dir = std::env::temp_dir().join(format!("ctr-swap-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("a")).unwrap();
        let hierarchy = Hierarchy { version: 1, name: "memory".to_owned(), dir: dir.clone(), is_named: false };
        let groups = Groups { list: vec![Group::new(hierarchy.into(), "a".into())], ..Groups::default() };
        let Value::Object(mut resources) = json!({"memory": {"limit": 1, "swap": 2}}) else { panic!() };
        std::fs::write(dir.join("a").join(SWAP_FILES[0]), "").unwrap();
        forget_uncounted_swap(&mut resources, &groups);
        assert_eq!(resources["memory"], json!({"limit": 1, "swap": 2}));
        std::fs::remove_file(dir.join("a").join(SWAP_FILES[0])).unwrap();
        forget_uncounted_swap(&mut resources, &groups);
        assert_eq!(resources["memory"], json!({"limit": 1}));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn zero_is_what_is_not_given() {
        let zero = || Some("0m".to_owned());
        assert!(size_or_zero("0x").is_err() && size_or_zero("").is_err());
        let zeros = Limits {
            memory: zero(),
            memory_swap: zero(),
            memory_reservation: zero(),
            kernel_memory: zero(),
            cpu_shares: Some(0),
            cpu_quota: Some(0),
            cpu_period: Some(0),
            blkio_weight: Some(0),
            ..Limits::default()
        };
        assert_eq!(filled(&zeros, json!({})), (json!({}), false));
        let memory = Limits { memory: Some("64m".to_owned()), ..zeros.clone() };
        assert_eq!(filled(&memory, json!({})).0, json!({"memory": {"limit": 64 << 20, "swap": 128 << 20}}));
        let cpus = Limits { cpus: Some(0.5), ..zeros };
        assert_eq!(filled(&cpus, json!({})).0, json!({"cpu": {"quota": 50000, "period": 100_000}}));
    }

    #[test]
    fn what_is_not_named_stays() {
        let limits = Limits { cpus: Some(0.5), pids_limit: Some(0), ..Limits::default() };
        let before = json!({"cpu": {"shares": 7, "quota": 1}, "x": {"y": 1}});
        let after =
            json!({"cpu": {"shares": 7, "quota": 50000, "period": 100_000}, "x": {"y": 1}, "pids": {"limit": -1}});
        assert_eq!(filled(&limits, before).0, after);
        assert_eq!(filled(&Limits::default(), json!({})).0, json!({}));
    }

    #[test]
    fn processors_are_those_of_the_machine() {
        assert_eq!(quota_of(0.25).unwrap(), 25_000);
        assert_eq!(quota_of(0.0).unwrap(), -1);
        for bad in [-1.0, 0.001, 1e6, f64::NAN, f64::INFINITY] {
            assert!(quota_of(bad).is_err(), "{bad}");
        }
    }
}
