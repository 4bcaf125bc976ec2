//! `ctr update`: other limits for containers that are there.

use crate::{
    Plan,
    flags::{Flag, Given, list, switch, usage, value},
    pipe::Stage,
};
use ctr_core::Result;

const TOOL: &str = "ctr-update";

/// docker's flags of it, and podman's rates.
pub const UPDATE: &[Flag] = &[
    value("memory", "SIZE", "Most memory").short('m').to(TOOL),
    value("memory-reservation", "SIZE", "Memory that is left to it when memory becomes scarce").to(TOOL),
    value("memory-swap", "SIZE", "Most memory and swap together, -1 for no limit").to(TOOL),
    value("memory-swappiness", "N", "How readily its memory is swapped, 0 to 100").to(TOOL),
    value("kernel-memory", "SIZE", "Refused: no kernel of today limits it").to(TOOL),
    switch("oom-kill-disable", "Its processes wait for memory and are not killed").to(TOOL),
    value("cpus", "N", "How many processors' time it has at most, as 1.5").to(TOOL),
    value("cpu-shares", "N", "Its share where processors are scarce, against 1024 of others").short('c').to(TOOL),
    value("cpu-quota", "TIME", "Microseconds of processor time in each period").to(TOOL),
    value("cpu-period", "TIME", "Microseconds of a period").to(TOOL),
    value("cpuset-cpus", "LIST", "Processors that it runs on, as 0-3,7").to(TOOL),
    value("cpuset-mems", "LIST", "Memory nodes that it has memory from").to(TOOL),
    value("pids-limit", "N", "Most processes and threads, -1 for no limit").to(TOOL),
    value("blkio-weight", "N", "Its share where a block device is busy, 10 to 1000").to(TOOL),
    list("device-read-bps", "DEVICE:SIZE", "Most bytes a second that it reads from a device").to(TOOL),
    list("device-write-bps", "DEVICE:SIZE", "Most bytes a second that it writes to a device").to(TOOL),
    list("device-read-iops", "DEVICE:N", "Most reads a second from a device").to(TOOL),
    list("device-write-iops", "DEVICE:N", "Most writes a second to a device").to(TOOL),
    list("cgroup-conf", "KEY=VALUE", "Write a file of control groups version 2, as memory.high=64m").to(TOOL),
    value("restart", "POLICY", "When to start it again: no, on-failure[:MAX], always, unless-stopped").to(TOOL),
    value("cpu-rt-period", "", "").not_yet("limits for real-time processes"),
    value("cpu-rt-runtime", "", "").not_yet("limits for real-time processes"),
];

/// Changes them one after the other.
pub fn update(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("update needs a container"));
    }
    let words = given.for_tool(TOOL);
    if words.is_empty() {
        return Err(usage("update needs something to change").hint("ctr update --help"));
    }
    Ok(Plan::of(Stage::new(TOOL).words(words).operands(&given.operands).to_string()))
}
