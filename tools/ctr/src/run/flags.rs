//! The flags of `docker run`: which tool acts on each.

use crate::{
    flags::{Flag, joined, list, switch, value},
    limits,
};

const PULL: &str = "img-pull";
const MOUNT: &str = "overlay-mount";
const LIMIT: &str = "cg-limit";
const SPAWN: &str = "ns-spawn";
const ATTACH: &str = "net-attach";
const FILES: &str = "vol-mount";

/// What is there.
pub const FLAGS: &[Flag] = &joined::<{ BEFORE_LIMITS.len() + limits::COUNT + AFTER_LIMITS.len() }>(&[
    BEFORE_LIMITS,
    &limits::of(LIMIT),
    AFTER_LIMITS,
]);

const BEFORE_LIMITS: &[Flag] = &[
    // The image.
    value("pull", "always|missing|never", "Whether to ask the registry [default: missing]"),
    value("platform", "OS/ARCH[/VARIANT]", "The platform of an image that has several").to(PULL),
    switch("quiet", "Show no progress of the pull").short('q').to(PULL),
    // The container.
    value("name", "NAME", "Give the container this name").to(MOUNT),
    list("label", "KEY=VALUE", "Give the container a label").short('l').to(MOUNT),
    switch("rm", "Remove the container when its command ends"),
    switch("detach", "Leave it running and print its id").short('d'),
    value("wait", "healthy|running[:TIME]", "With --detach: wait for that, so long at most"),
    switch("read-only", "The container's processes may not write to its root").to(MOUNT),
    // Its files.
    list("volume", "[SOURCE:]TARGET[:OPTIONS]", "Mount a volume, or a path of the host").short('v').to(FILES),
    list("mount", "FIELD=VALUE,…", "The same in fields: type=bind|volume|tmpfs|image,source=…,target=…").to(FILES),
    list("tmpfs", "TARGET[:OPTIONS]", "Mount memory").to(FILES),
    list("storage-opt", "size=SIZE", "How many bytes it may write beside volumes").to(MOUNT),
    list("volumes-from", "CONTAINER[:ro]", "Mount what another container has of volumes and paths").to(FILES),
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
    // What becomes of it.
    value("restart", "POLICY", "When to start it again: no, on-failure[:MAX], always, unless-stopped").to(SPAWN),
    value("stop-timeout", "SECONDS", "How long a stop waits before it kills").to(SPAWN),
    value("log-driver", "json-file|none", "Whether a log is kept").to(SPAWN),
    list("log-opt", "KEY=VALUE", "max-size=10m, max-file=3").to(SPAWN),
    value("health-cmd", "COMMAND", "Find out whether it is healthy by this command").to(SPAWN),
    value("health-interval", "TIME", "Time between two checks").to(SPAWN),
    value("health-retries", "N", "Failures in a row that make it unhealthy").to(SPAWN),
    value("health-start-interval", "TIME", "Time between two checks after the start").to(SPAWN),
    value("health-start-period", "TIME", "Time after the start in which failures do not count").to(SPAWN),
    value("health-timeout", "TIME", "A check that takes longer has failed").to(SPAWN),
    switch("no-healthcheck", "Leave the image's health check out").to(SPAWN),
    // What it sees.
    value("hostname", "NAME", "The container's host name").short('h').to(SPAWN),
    value("domainname", "NAME", "Its NIS domain name").to(SPAWN),
    list("add-host", "HOST:IP", "Add a line to /etc/hosts").to(SPAWN),
    list("network", "NAME|none|host|container:NAME", "Its networks by name; or a loopback, the host's, another's")
        .alias("net"),
    list("publish", "[IP:][PORT]:PORT[/PROTOCOL]", "Let a port of the host lead to a port of it").short('p').to(ATTACH),
    value("publish-mode", "dnat|proxy", "Whether the firewall or a process leads to published ports").to(ATTACH),
    list("expose", "PORT[/PROTOCOL]", "Say that it listens on a port").to(ATTACH),
    switch("publish-all", "Publish every port that is exposed, from any port of the host").short('P').to(ATTACH),
    list("dns", "ADDRESS", "Ask this server for names").to(ATTACH),
    list("dns-search", "DOMAIN", "Look for short names in this domain").to(ATTACH),
    list("dns-option", "OPTION", "An option of the resolver").alias("dns-opt").to(ATTACH),
    list("network-alias", "NAME", "Call it so too on the first network").alias("net-alias").to(ATTACH),
    list("link", "CONTAINER[:ALIAS]", "Give another container a name for this one alone").to(ATTACH),
    value("ip", "ADDRESS", "Give it this address of the first network").to(ATTACH),
    value("ip6", "ADDRESS", "Give it this address of IPv6 of the first network").to(ATTACH),
    value("mac-address", "ADDRESS", "Give its interface on the first network this hardware address").to(ATTACH),
    value("pid", "host|container:NAME", "Whose processes it sees instead of its own").to(SPAWN),
    value("ipc", "MODE", "Its System V IPC and /dev/shm: private, none, host, container:NAME").to(SPAWN),
    value("uts", "host", "Use the host's name").to(SPAWN),
    value("userns", "host", "Use the host's user ids").to(SPAWN),
    value("cgroupns", "host|private", "Whose control groups it sees").to(SPAWN),
    value("shm-size", "SIZE", "Size of /dev/shm").to(SPAWN),
    list("sysctl", "KEY=VALUE", "Set a kernel parameter of the container").to(SPAWN),
];

const AFTER_LIMITS: &[Flag] = &[
    list("device", "HOST[:CONTAINER][:rwm]", "Give it a device of the host, or all in a directory").to(LIMIT),
    list("device-cgroup-rule", "RULE", "Let it open more devices, as 'c 42:* rwm'").to(LIMIT),
    value("cgroup-parent", "GROUP", "Make its control groups below this one").to(LIMIT),
    value("cgroups", "enabled|disabled", "Whether it has control groups of its own [default: enabled]"),
    // What it may do.
    list("cap-add", "CAPABILITY", "Add a capability, or ALL").to(SPAWN),
    list("cap-drop", "CAPABILITY", "Drop a capability, or ALL").to(SPAWN),
    switch("privileged", "Lift the confinement").to(SPAWN),
    list("security-opt", "OPTION", "seccomp=FILE, seccomp=unconfined, no-new-privileges, …").to(SPAWN),
];

const ATTACHED: &str = "a choice of streams";
const LIMITS: &str = "limits for real-time processes and by device";

/// What docker has and this has not yet: each is refused by name, none is passed over.
pub const LATER: &[Flag] = &[
    list("annotation", "", "").not_yet("annotations"),
    list("attach", "", "").short('a').not_yet(ATTACHED),
    value("cidfile", "", "").not_yet("files with the id"),
    value("detach-keys", "", "").not_yet("leaving a container in the foreground running"),
    switch("sig-proxy", "").not_yet("it is always on"),
    list("label-file", "", "").not_yet("files of labels"),
    list("link-local-ip", "", "").not_yet("more than one address"),
    value("volume-driver", "", "").not_yet("other drivers of volumes than local"),
    list("blkio-weight-device", "", "").not_yet(LIMITS),
    value("cpu-rt-period", "", "").not_yet(LIMITS),
    value("cpu-rt-runtime", "", "").not_yet(LIMITS),
    value("gpus", "", "").not_yet("devices of other makers"),
    value("runtime", "", "").not_yet("other runtimes: ns-spawn --print-spec writes what they take"),
];
