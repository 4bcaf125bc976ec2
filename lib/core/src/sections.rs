//! The sections of the document that tools of ours write, as types.

use crate::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Section `image`: what a container is made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    /// The full reference, `docker.io/library/alpine:3.20`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The OCI descriptor of the manifest.
    pub manifest: Value,
    /// The digest of the image config: docker's image ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The OCI image config, word for word.
    pub config: Value,
    /// The layers, lowest first.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// Keys of later versions.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Image {
    /// The image config as the object that it is.
    ///
    /// # Errors
    /// `invalid` where it is none.
    pub fn config_object(&self) -> Result<&Map<String, Value>> {
        self.config
            .as_object()
            .ok_or_else(|| Error::new(Code::Invalid, "document: the image's config is not an object"))
    }
}

/// One layer of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// Digest of the blob as the registry keeps it.
    pub digest: String,
    /// Digest of the uncompressed tar (`rootfs.diff_ids` of the image config).
    pub diff_id: String,
    /// Media type of the blob.
    pub media_type: String,
    /// Size of the blob, bytes.
    pub size: u64,
    /// The unpacked tree, once img-unpack has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Section `rootfs`: the mounted root of the container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rootfs {
    /// The mount point.
    pub path: String,
    /// The writable layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<String>,
    /// Overlay's work directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// How many bytes the writable layer may hold, by a quota or as a file system of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Mounted read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub readonly: bool,
    /// The writable layer and the record need not survive a crash of the machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
}

/// Section `state`: the OCI runtime state, how the process ended, and who looks after it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// `created`, `running` or `stopped` (OCI runtime-spec, State); beside them `paused`, and `restarting`, while a
    /// supervisor waits to start the process again.
    pub status: String,
    /// Process id on the host while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Start time of that process in clock ticks since boot (proc(5), stat field 22): tells a reused pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_start: Option<u64>,
    /// The process that keeps the container's log and restarts it, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<Process>,
    /// Exit status, 128+n for signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Why it could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The kernel killed one of its processes for want of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// How often the supervisor started it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_count: Option<u32>,
    /// How long it waited before that, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_delay: Option<u64>,
    /// Bytes of its output that could not be kept: the disk was full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lost: Option<u64>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// What the health check found, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

impl State {
    /// Whether it is that of a process which is there.
    pub fn is_live(&self) -> bool {
        matches!(self.status.as_str(), "running" | "paused" | "restarting")
    }

    /// The state once that process is gone and nobody saw how.
    #[must_use]
    pub fn ended_unseen(self) -> Self {
        Self { status: "stopped".to_owned(), started_at: self.started_at, ..Self::default() }
    }
}

/// A process, told from a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Process id on the host.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub pid_start: u64,
}

/// The result of the health check, as docker has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures since the last success.
    pub failing_streak: u32,
    /// The last five probes: `start`, `end` (RFC 3339), `exitCode`, `output`.
    pub log: Vec<Value>,
}

/// Section `supervise`: what becomes of a detached container besides running. It is there once the container was
/// created or detached; `ctr-supervise(1)` acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Supervise {
    /// When it is started again.
    pub restart: Restart,
    /// What is kept of its output.
    pub log: LogLimits,
    /// How it is found to be healthy, where it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// Its stdin is open: who attaches can write to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stdin: bool,
    /// Its steps are undone once it ends (`--rm`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Its output is kept back until somebody attaches; for one start, never recorded (`ctr-start --hold`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Seconds that a stop waits before it kills; docker's 10 where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
}

/// When a container is started again (docker's `--restart`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Which ends are followed by a start.
    pub policy: Policy,
    /// With `on-failure`: how often in a row; without it, always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl Restart {
    /// `no`, `on-failure`, `on-failure:MAX`, `always`, `unless-stopped`.
    ///
    /// # Errors
    /// `usage` for any other word.
    pub fn parse(word: &str) -> Result<Self> {
        let bad = || {
            Error::new(Code::Usage, format!("invalid restart policy {word:?}"))
                .hint("no, on-failure, on-failure:MAX, always, unless-stopped")
        };
        let (name, max) = match word.split_once(':') {
            Some(("on-failure", max)) => ("on-failure", Some(max.parse().map_err(|_| bad())?)),
            Some(_) => return Err(bad()),
            None => (word, None),
        };
        let policy = match name {
            "no" => Policy::No,
            "on-failure" => Policy::OnFailure,
            "always" => Policy::Always,
            "unless-stopped" => Policy::UnlessStopped,
            _ => return Err(bad()),
        };
        // docker: 0 is no bound.
        Ok(Self { policy, max: max.filter(|n| *n > 0) })
    }
}

/// Which ends are followed by a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// None.
    #[default]
    No,
    /// Those with an exit status that is not 0.
    OnFailure,
    /// All that the user did not ask for; after a reboot even those.
    Always,
    /// All that the user did not ask for.
    UnlessStopped,
}

/// How much of a container's output is kept: `max_file` files of `max_size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLimits {
    /// Bytes after which a file is full and the next begins.
    pub max_size: u64,
    /// Files that are kept, the one being written among them; 0: no log at all.
    pub max_file: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { max_size: 10 << 20, max_file: 3 }
    }
}

/// A health check, as docker's image config has it (`Healthcheck`); times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// `["CMD", program, argument…]` or `["CMD-SHELL", line]`.
    pub test: Vec<String>,
    /// Between two probes.
    pub interval: u64,
    /// A probe that takes longer has failed.
    pub timeout: u64,
    /// After the start failures do not count for so long.
    pub start_period: u64,
    /// Between two probes in that time.
    pub start_interval: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn policies_are_dockers() {
        let policy = Restart::parse;
        assert_eq!(policy("on-failure:5").unwrap(), Restart { policy: Policy::OnFailure, max: Some(5) });
        assert_eq!(policy("on-failure:0").unwrap().max, None);
        assert_eq!(policy("unless-stopped").unwrap().policy, Policy::UnlessStopped);
        for bad in ["", "maybe", "always:3", "on-failure:x", "on-failure:-1"] {
            assert_eq!(policy(bad).unwrap_err().code, Code::Usage, "{bad}");
        }
    }
}
