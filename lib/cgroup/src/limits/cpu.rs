//! Time on processors (kernel, scheduler/sched-bwc.rst; cgroup-v2.rst, CPU).

use super::{Setting, above, between};
use crate::{Group, Groups, resources::Cpu};
use ctr_core::{Code, Error, Result};

/// The kernel's period where none is given, and its bounds for period and quota, in microseconds.
const PERIOD: u64 = 100_000;
const LEAST: u64 = 1000;
const LONGEST: u64 = 1_000_000;
/// Its bounds for shares, to which it moves what is beyond them without a word; so do runtimes.
const SHARES: (u64, u64) = (2, 262_144);

pub fn settings(cpu: &Cpu, groups: &Groups) -> Result<Vec<Setting>> {
    let Cpu { shares, quota, burst, period, idle, .. } = cpu;
    // 0 is docker's and the runtime-spec's word for "as it is".
    let (quota, period) = (quota.filter(|n| *n != 0), period.filter(|n| *n > 0));
    let shares = shares.filter(|n| *n > 0).map(|n| n.clamp(SHARES.0, SHARES.1));
    if shares.is_none() && quota.is_none() && burst.is_none() && period.is_none() && idle.is_none() {
        return Ok(Vec::new());
    }
    let cpu = Cpu { shares, quota, period, ..cpu.clone() };
    check(&cpu)?;
    let group = groups.of("cpu")?;
    if let Some(quota) = quota.filter(|n| *n > 0) {
        let cpus = quota as f64 / period.unwrap_or(PERIOD) as f64;
        above::check("processors", cpus, group, processors)?;
    }
    Ok(if group.hierarchy.version == 1 { version_1(&cpu, group) } else { version_2(&cpu, group) })
}

fn check(cpu: &Cpu) -> Result<()> {
    cpu.period.map_or(Ok(()), |n| between("cpu period", n, LEAST, LONGEST))?;
    if let Some(quota) = cpu.quota.filter(|n| *n >= 0 && (*n as u64) < LEAST) {
        return Err(Error::new(Code::Invalid, format!("cpu quota {quota} is below the least, {LEAST} microseconds")));
    }
    Ok(())
}

/// How many processors a group has by its quota; none where it has no quota.
fn processors(group: &Group) -> Option<f64> {
    if group.hierarchy.version == 1 {
        return Some(above::number(group, "cpu.cfs_quota_us")? / above::number(group, "cpu.cfs_period_us")?);
    }
    let text = group.read("cpu.max").ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

fn version_1(cpu: &Cpu, group: &Group) -> Vec<Setting> {
    let set = |file, value: Option<i64>| value.map(|n| Setting::new(group, file, n));
    let period = set("cpu.cfs_period_us", cpu.period.map(|n| n as i64));
    let quota = set("cpu.cfs_quota_us", cpu.quota);
    // One after the other: between them the quota of before must still fit the period (it is a share of at most what
    // the group above has), so a shorter period comes after a smaller quota.
    let shorter =
        cpu.period.is_some_and(|n| above::number(group, "cpu.cfs_period_us").is_some_and(|now| now > n as f64));
    let mut all: Vec<Setting> = if shorter { [quota, period] } else { [period, quota] }.into_iter().flatten().collect();
    all.extend(set("cpu.cfs_burst_us", cpu.burst.map(|n| n as i64)));
    all.extend(set("cpu.shares", cpu.shares.map(|n| n as i64)));
    all.extend(set("cpu.idle", cpu.idle));
    all
}

fn version_2(cpu: &Cpu, group: &Group) -> Vec<Setting> {
    let mut all = Vec::new();
    if cpu.quota.is_some() || cpu.period.is_some() {
        let quota = cpu.quota.filter(|n| *n > 0).map_or("max".to_owned(), |n| n.to_string());
        all.push(Setting::new(group, "cpu.max", format!("{quota} {}", cpu.period.unwrap_or(PERIOD))));
    }
    all.extend(cpu.burst.map(|n| Setting::new(group, "cpu.max.burst", n)));
    all.extend(cpu.shares.map(|n| Setting::new(group, "cpu.weight", weight(n))));
    all.extend(cpu.idle.map(|n| Setting::new(group, "cpu.idle", n)));
    all
}

/// The weight of version 2 for shares of version 1, as runtimes have converted them since 2025: the curve through least,
/// default and most of both, (2, 1), (1024, 100), (262144, 10000), a parabola where both axes are logarithms.
pub fn weight(shares: u64) -> u64 {
    if shares <= SHARES.0 {
        return 1;
    }
    if shares >= SHARES.1 {
        return 10_000;
    }
    let log = (shares as f64).log2();
    10f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn weights_go_through_the_three_points_and_never_back() {
        for (shares, expected) in
            [(1, 1), (2, 1), (1024, 100), (262_143, 10_000), (262_144, 10_000), (u64::MAX, 10_000)]
        {
            assert_eq!(weight(shares), expected, "{shares}");
        }
        // Of 2048: (11 * 11 + 125 * 11) / 612 - 7 / 34 = 2.2386, and 10 to that is 173.2.
        assert_eq!((weight(256), weight(512), weight(2048)), (35, 59, 174));
        assert!((2..262_144u64).all(|shares| weight(shares) <= weight(shares + 1)));
    }
}
