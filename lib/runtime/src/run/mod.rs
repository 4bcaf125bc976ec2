//! Executes a finished runtime-spec: namespaces, root, confinement, the process, and the wait for its end.
//!
//! `plan` works out all it can before anything is done; `parent` clones and waits; `child` holds the order of the
//! steps inside, one file a step. Nothing of an image is trusted: its paths are looked up beneath the root by
//! descriptor (`target`), its mounts attached from descriptor to descriptor (`mounts`, `masks`, `console`).

mod cgroup;
mod cgroupfs;
mod channel;
mod child;
mod console;
mod creds;
mod devices;
mod exec;
mod guard;
pub mod init;
mod limits;
mod masks;
mod mounts;
mod namespaces;
mod options;
mod parent;
mod plan;
mod procfs;
mod relay;
mod root;
mod signals;
mod stdio;
mod supported;
mod target;
mod tty;
mod watch;

use ctr_core::{Error, Result};
use oci_spec::runtime::Spec;
use std::path::PathBuf;

/// What is not in the spec but the caller's to say.
pub struct Options {
    /// The container's id.
    pub id: String,
    /// The root directory, absolute.
    pub rootfs: PathBuf,
    /// The container gets a terminal of its own, relayed to the user's.
    pub tty: bool,
    /// The container gets the tool's stdin; else it reads nothing.
    pub interactive: bool,
    /// The tool's stdin was the document: the user's terminal is looked for elsewhere.
    pub stdin_is_document: bool,
    /// Run the command below an init of ours that reaps and passes signals on.
    pub init: bool,
    /// Bring loopback up in a new network namespace.
    pub net_up: bool,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit status, 128+n for signal n.
    pub code: u8,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Runs the process of `spec` (OCI runtime-spec) to its end: relays its terminal, passes signals on.
///
/// `on_start` is told the process's number on the host while the container is still being built around it; the
/// command does not run before it has returned. Under `--dry-run` every step is printed and none is done.
///
/// # Errors
/// Exit status 127 for a command that is not there, 126 for one that cannot run, 125 for all else.
pub fn run(spec: &Spec, options: Options, on_start: &mut dyn FnMut(i32) -> Result<()>) -> Result<Exit> {
    plan::Plan::of(spec, &options).and_then(|plan| parent::run(&plan, on_start)).map_err(|error| {
        let failed = matches!(error.exit, 1 | 2);
        if failed { Error { exit: 125, ..error } } else { error }
    })
}
