//! The flags about limits, which a new container and one that is there have alike.

use crate::flags::{Flag, list, switch, value};

/// How many there are.
pub const COUNT: usize = 19;

/// docker's flags, and podman's raw keys; `tool` acts on them.
pub const fn of(tool: &'static str) -> [Flag; COUNT] {
    [
        value("memory", "SIZE", "Most memory").short('m').to(tool),
        value("memory-reservation", "SIZE", "Memory that is left to it when memory becomes scarce").to(tool),
        value("memory-swap", "SIZE", "Most memory and swap together, -1 for no limit").to(tool),
        value("memory-swappiness", "N", "How readily its memory is swapped, 0 to 100").to(tool),
        value("kernel-memory", "SIZE", "Refused: no kernel of today limits it").to(tool),
        switch("oom-kill-disable", "Its processes wait for memory and are not killed").to(tool),
        value("cpus", "N", "How many processors' time it has at most, as 1.5").to(tool),
        value("cpu-shares", "N", "Its share where processors are scarce, against 1024 of others").short('c').to(tool),
        value("cpu-quota", "TIME", "Microseconds of processor time in each period").to(tool),
        value("cpu-period", "TIME", "Microseconds of a period").to(tool),
        value("cpuset-cpus", "LIST", "Processors that it runs on, as 0-3,7").to(tool),
        value("cpuset-mems", "LIST", "Memory nodes that it has memory from").to(tool),
        value("pids-limit", "N", "Most processes and threads, -1 for no limit").to(tool),
        value("blkio-weight", "N", "Its share where a block device is busy, 10 to 1000").to(tool),
        list("device-read-bps", "DEVICE:SIZE", "Most bytes a second that it reads from a device").to(tool),
        list("device-write-bps", "DEVICE:SIZE", "Most bytes a second that it writes to a device").to(tool),
        list("device-read-iops", "DEVICE:N", "Most reads a second from a device").to(tool),
        list("device-write-iops", "DEVICE:N", "Most writes a second to a device").to(tool),
        list("cgroup-conf", "KEY=VALUE", "Write a file of control groups version 2, as memory.high=64m").to(tool),
    ]
}
