//! The flags that shape a spec. They bear docker's names; what docker lacks (`--ns`) says so.

use clap::{ArgAction, Args};
use std::path::PathBuf;

/// Everything a caller can say about the process, its surroundings and its confinement.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Give the container a terminal
    #[arg(short = 't', long)]
    pub tty: bool,
    /// Set an environment variable; NAME alone takes the caller's value
    #[arg(short = 'e', long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Read environment variables from FILE, one a line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Run as this user, by name or number
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Add a supplementary group, by name or number
    #[arg(long, value_name = "GROUP")]
    pub group_add: Vec<String>,
    /// Start in this directory of the container
    #[arg(short = 'w', long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Run this instead of the image's entrypoint; the empty string resets it
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,
    /// Host name [default: the first 12 digits of the id]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// NIS domain name
    #[arg(long, value_name = "NAME")]
    pub domainname: Option<String>,
    /// Add a line to /etc/hosts
    #[arg(long, value_name = "NAME:IP")]
    pub add_host: Vec<String>,
    /// Make the root file system read-only
    #[arg(long)]
    pub read_only: bool,
    /// Set a resource limit (setrlimit(2))
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<String>,
    /// Run a small init as PID 1, which reaps orphans and forwards signals
    #[arg(long)]
    pub init: bool,
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAP", value_delimiter = ',')]
    pub cap_add: Vec<String>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAP", value_delimiter = ',')]
    pub cap_drop: Vec<String>,
    /// Give every capability the caller has and every device; no seccomp filter, no masked path
    #[arg(long)]
    pub privileged: bool,
    /// seccomp=FILE|unconfined, no-new-privileges[=BOOL], systempaths=unconfined
    #[arg(long, value_name = "OPTION")]
    pub security_opt: Vec<String>,
    /// Set a kernel parameter of the container's own namespaces
    #[arg(long, value_name = "NAME=VALUE")]
    pub sysctl: Vec<String>,
    /// Size of /dev/shm [default: 64m]
    #[arg(long, value_name = "BYTES")]
    pub shm_size: Option<String>,
    /// The signal that asks the container to stop, for the record
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// Adjust the score by which the kernel picks a process when memory runs out
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub oom_score_adj: Option<i32>,
    /// PID namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub pid: Option<String>,
    /// IPC namespace: private, none (no /dev/shm), host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub ipc: Option<String>,
    /// UTS namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub uts: Option<String>,
    /// User namespace: host, private, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub userns: Option<String>,
    /// Cgroup namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub cgroupns: Option<String>,
    /// Network namespace: none (loopback only), host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub network: Option<String>,
    /// Any namespace, not in docker: TYPE is pid, ipc, uts, user, cgroup, network, mount or time
    #[arg(long, value_name = "TYPE=PATH|host|new")]
    pub ns: Vec<String>,
    /// Map user ids of a private user namespace, not in docker
    #[arg(long, value_name = "CONTAINER:HOST:COUNT")]
    pub uidmap: Vec<String>,
    /// Map group ids of a private user namespace, not in docker
    #[arg(long, value_name = "CONTAINER:HOST:COUNT")]
    pub gidmap: Vec<String>,
    /// The command and its arguments [default: the image's]
    #[arg(value_name = "COMMAND", trailing_var_arg = true, action = ArgAction::Append)]
    pub command: Vec<String>,
}
