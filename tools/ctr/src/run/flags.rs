//! The flags of `docker run`: which tool acts on each.

use crate::flags::{Flag, list, switch, value};

const PULL: &str = "img-pull";
const MOUNT: &str = "overlay-mount";
const SPAWN: &str = "ns-spawn";

/// What is there.
pub const FLAGS: &[Flag] = &[
    // The image.
    value("pull", "always|missing|never", "Whether to ask the registry [default: missing]"),
    value("platform", "OS/ARCH[/VARIANT]", "The platform of an image that has several").to(PULL),
    switch("quiet", "Show no progress of the pull").short('q').to(PULL),
    // The container.
    value("name", "NAME", "Give the container this name").to(MOUNT),
    list("label", "KEY=VALUE", "Give the container a label").short('l').to(MOUNT),
    switch("rm", "Remove the container when its command ends"),
    switch("read-only", "The container's processes may not write to its root").to(MOUNT),
    // The terminal.
    switch("interactive", "Give the command this stdin").short('i'),
    switch("tty", "Give the command a terminal").short('t'),
    // The process.
    list("env", "KEY[=VALUE]", "Set a variable; without a value take this shell's").short('e').to(SPAWN),
    list("env-file", "FILE", "Set the variables of a file").to(SPAWN),
    value("entrypoint", "PROGRAM", "Run this instead of the image's entrypoint").to(SPAWN),
    value("workdir", "DIR", "Start in this directory").short('w').to(SPAWN),
    value("user", "USER[:GROUP]", "Run as this user, by name or number").short('u').to(SPAWN),
    list("group-add", "GROUP", "Run with another group").to(SPAWN),
    switch("init", "Put an init in front of the command that forwards signals and reaps").to(SPAWN),
    value("stop-signal", "SIGNAL", "The signal that asks the command to end").to(SPAWN),
    list("ulimit", "TYPE=SOFT[:HARD]", "Set a resource limit").to(SPAWN),
    value("oom-score-adj", "N", "How readily the kernel ends it when memory runs out").to(SPAWN),
    // What it sees.
    value("hostname", "NAME", "The container's host name").short('h').to(SPAWN),
    value("domainname", "NAME", "Its NIS domain name").to(SPAWN),
    list("add-host", "HOST:IP", "Add a line to /etc/hosts").to(SPAWN),
    value("network", "none|host|container:NAME", "Its network: a loopback only, the host's, another's")
        .alias("net")
        .to(SPAWN),
    value("pid", "host|container:NAME", "Whose processes it sees instead of its own").to(SPAWN),
    value("ipc", "MODE", "Its System V IPC and /dev/shm: private, none, host, container:NAME").to(SPAWN),
    value("uts", "host", "Use the host's name").to(SPAWN),
    value("userns", "host", "Use the host's user ids").to(SPAWN),
    value("cgroupns", "host|private", "Whose control groups it sees").to(SPAWN),
    value("shm-size", "SIZE", "Size of /dev/shm").to(SPAWN),
    list("sysctl", "KEY=VALUE", "Set a kernel parameter of the container").to(SPAWN),
    // What it may do.
    list("cap-add", "CAPABILITY", "Add a capability, or ALL").to(SPAWN),
    list("cap-drop", "CAPABILITY", "Drop a capability, or ALL").to(SPAWN),
    switch("privileged", "Lift the confinement").to(SPAWN),
    list("security-opt", "OPTION", "seccomp=FILE, seccomp=unconfined, no-new-privileges, …").to(SPAWN),
];

const DETACHED: &str = "containers that outlive their terminal";
pub const NETWORKS: &str = "networks other than none and host";
const VOLUMES: &str = "volumes and mounts";
const LIMITS: &str = "limits by control groups";
const DEVICES: &str = "devices of the host";
const HEALTH: &str = "health checks";
const LOGS: &str = "logs";

/// What docker has and this has not yet: each is refused by name, none is passed over.
pub const LATER: &[Flag] = &[
    list("annotation", "", "").not_yet("annotations"),
    list("attach", "", "").short('a').not_yet(DETACHED),
    value("cidfile", "", "").not_yet("files with the id"),
    switch("detach", "").short('d').not_yet(DETACHED),
    value("detach-keys", "", "").not_yet(DETACHED),
    value("restart", "", "").not_yet(DETACHED),
    value("stop-timeout", "", "").not_yet(DETACHED),
    switch("sig-proxy", "").not_yet("it is always on"),
    list("label-file", "", "").not_yet("files of labels"),
    value("log-driver", "", "").not_yet(LOGS),
    list("log-opt", "", "").not_yet(LOGS),
    list("dns", "", "").not_yet(NETWORKS),
    list("dns-option", "", "").alias("dns-opt").not_yet(NETWORKS),
    list("dns-search", "", "").not_yet(NETWORKS),
    list("expose", "", "").not_yet(NETWORKS),
    value("ip", "", "").not_yet(NETWORKS),
    value("ip6", "", "").not_yet(NETWORKS),
    list("link", "", "").not_yet(NETWORKS),
    list("link-local-ip", "", "").not_yet(NETWORKS),
    value("mac-address", "", "").not_yet(NETWORKS),
    list("network-alias", "", "").alias("net-alias").not_yet(NETWORKS),
    list("publish", "", "").short('p').not_yet(NETWORKS),
    switch("publish-all", "").short('P').not_yet(NETWORKS),
    list("mount", "", "").not_yet(VOLUMES),
    list("tmpfs", "", "").not_yet(VOLUMES),
    list("volume", "", "").short('v').not_yet(VOLUMES),
    value("volume-driver", "", "").not_yet(VOLUMES),
    list("volumes-from", "", "").not_yet(VOLUMES),
    list("storage-opt", "", "").not_yet("limits of the writable layer"),
    value("blkio-weight", "", "").not_yet(LIMITS),
    list("blkio-weight-device", "", "").not_yet(LIMITS),
    value("cgroup-parent", "", "").not_yet(LIMITS),
    value("cpu-period", "", "").not_yet(LIMITS),
    value("cpu-quota", "", "").not_yet(LIMITS),
    value("cpu-rt-period", "", "").not_yet(LIMITS),
    value("cpu-rt-runtime", "", "").not_yet(LIMITS),
    value("cpu-shares", "", "").short('c').not_yet(LIMITS),
    value("cpus", "", "").not_yet(LIMITS),
    value("cpuset-cpus", "", "").not_yet(LIMITS),
    value("cpuset-mems", "", "").not_yet(LIMITS),
    list("device-read-bps", "", "").not_yet(LIMITS),
    list("device-read-iops", "", "").not_yet(LIMITS),
    list("device-write-bps", "", "").not_yet(LIMITS),
    list("device-write-iops", "", "").not_yet(LIMITS),
    value("kernel-memory", "", "").not_yet(LIMITS),
    value("memory", "", "").short('m').not_yet(LIMITS),
    value("memory-reservation", "", "").not_yet(LIMITS),
    value("memory-swap", "", "").not_yet(LIMITS),
    value("memory-swappiness", "", "").not_yet(LIMITS),
    switch("oom-kill-disable", "").not_yet(LIMITS),
    value("pids-limit", "", "").not_yet(LIMITS),
    list("device", "", "").not_yet(DEVICES),
    list("device-cgroup-rule", "", "").not_yet(DEVICES),
    value("gpus", "", "").not_yet(DEVICES),
    value("health-cmd", "", "").not_yet(HEALTH),
    value("health-interval", "", "").not_yet(HEALTH),
    value("health-retries", "", "").not_yet(HEALTH),
    value("health-start-interval", "", "").not_yet(HEALTH),
    value("health-start-period", "", "").not_yet(HEALTH),
    value("health-timeout", "", "").not_yet(HEALTH),
    value("runtime", "", "").not_yet("other runtimes: ns-spawn --print-spec writes what they take"),
];
