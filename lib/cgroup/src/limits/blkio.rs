//! Block devices: shares and rates (kernel, cgroup-v1/blkio-controller.rst; cgroup-v2.rst, IO).

use super::{Setting, between, no_such};
use crate::{
    Group, Groups,
    resources::{BlockIo, Throttle},
};
use ctr_core::Result;
use std::collections::BTreeMap;

pub fn settings(block_io: &BlockIo, groups: &Groups) -> Result<Vec<Setting>> {
    if *block_io == BlockIo::default() {
        return Ok(Vec::new());
    }
    let weight = block_io.weight.filter(|n| *n > 0);
    weight.map_or(Ok(()), |n| between("block I/O weight", n, 10, 1000))?;
    let group = groups.of_either(["blkio", "io"])?;
    if group.hierarchy.version == 1 { version_1(block_io, weight, group) } else { version_2(block_io, weight, group) }
}

/// The four kinds of rates: version 1's file, version 2's key.
fn rates(block_io: &BlockIo) -> [(&'static str, &'static str, &[Throttle]); 4] {
    [
        ("blkio.throttle.read_bps_device", "rbps", &block_io.throttle_read_bps_device),
        ("blkio.throttle.write_bps_device", "wbps", &block_io.throttle_write_bps_device),
        ("blkio.throttle.read_iops_device", "riops", &block_io.throttle_read_iops_device),
        ("blkio.throttle.write_iops_device", "wiops", &block_io.throttle_write_iops_device),
    ]
}

fn version_1(block_io: &BlockIo, weight: Option<u16>, group: &Group) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    if let Some(weight) = weight {
        // The first is CFQ's, gone with Linux 5.0, the second BFQ's.
        let files = ["blkio.weight", "blkio.bfq.weight"];
        let file = files.iter().find(|file| group.offers(file));
        let file = file.ok_or_else(|| no_such(group, "blkio", "a weight").hint("it is the scheduler BFQ's"))?;
        all.push(Setting::new(group, file, weight));
    }
    for (file, _, list) in rates(block_io) {
        let lines: Vec<_> = list.iter().map(|t| format!("{}:{} {}", t.major, t.minor, t.rate)).collect();
        if !lines.is_empty() {
            all.push(Setting::new(group, file, lines.join("\n")));
        }
    }
    Ok(all)
}

fn version_2(block_io: &BlockIo, weight: Option<u16>, group: &Group) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    if let Some(weight) = weight {
        let setting = if group.offers("io.bfq.weight") {
            Setting::new(group, "io.bfq.weight", weight)
        } else if group.offers("io.weight") {
            // From 10 to 1000 to 1 to 10000 (runtime-spec's runtimes, all the same).
            let weight = 1 + (u32::from(weight) - 10) * 9999 / 990;
            Setting::new(group, "io.weight", weight)
        } else {
            return Err(no_such(group, "io", "a weight").hint("it is the scheduler BFQ's, or iocost's"));
        };
        all.push(setting);
    }
    let mut devices: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
    for (_, key, list) in rates(block_io) {
        for throttle in list {
            let rate = if throttle.rate == 0 { "max".to_owned() } else { throttle.rate.to_string() };
            devices.entry((throttle.major, throttle.minor)).or_default().push(format!("{key}={rate}"));
        }
    }
    let lines: Vec<_> =
        devices.iter().map(|((major, minor), keys)| format!("{major}:{minor} {}", keys.join(" "))).collect();
    if !lines.is_empty() {
        all.push(Setting::new(group, "io.max", lines.join("\n")));
    }
    Ok(all)
}
