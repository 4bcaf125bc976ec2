//! Executes a finished runtime-spec: namespaces, root, confinement, the process, and the wait for its end.
//!
//! `plan` works out all it can before anything is done; `parent` clones and waits; `child` holds the order of the
//! steps inside, one file a step. Nothing of an image is trusted: its paths are looked up beneath the root by
//! descriptor (`target`), its mounts attached from descriptor to descriptor (`mounts`, `masks`, `console`).

mod bind;
mod cgroup;
mod cgroupfs;
mod channel;
mod child;
mod console;
mod copies;
mod copy;
mod creds;
mod detach;
mod devices;
mod exec;
mod guard;
pub mod init;
mod limits;
mod live;
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

pub use cgroup::named as control_group;
pub use detach::detached;
pub use live::{mount_into, unmount_from};
pub use parent::Running;
pub use signals::hold_back;

use ctr_core::{Error, Process, Result};
use oci_spec::runtime::Spec;
use rustix::process::Signal;
use std::{os::fd::OwnedFd, path::PathBuf};

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
    /// The container's terminal is relayed to the user's by this process.
    pub relayed: bool,
    /// The tool's stdin was the document: the user's terminal is looked for elsewhere.
    pub stdin_is_document: bool,
    /// Run the command below an init of ours that reaps and passes signals on.
    pub init: bool,
    /// Bring loopback up in a new network namespace.
    pub net_up: bool,
    /// What the process gets instead of the tool's own streams, or copies of them.
    pub streams: Option<Streams>,
    /// The signal that the process gets when this one is gone; `None`: it goes on.
    pub at_parents_death: Option<Signal>,
    /// Start the process beside this one: in its namespaces and control groups, nothing made anew.
    pub beside: Option<Process>,
}

impl Options {
    /// A container of its own: the tool's streams, the terminal of its stdin, tied to the tool.
    pub fn new(id: &str, rootfs: PathBuf) -> Self {
        Self {
            id: id.to_owned(),
            rootfs,
            tty: false,
            interactive: true,
            relayed: true,
            stdin_is_document: false,
            init: false,
            net_up: false,
            streams: None,
            at_parents_death: Some(Signal::KILL),
            beside: None,
        }
    }
}

/// The streams of a process without a terminal: pipes or sockets, of which a container can have no more than is given; one
/// that is `None` is the container's own null device.
#[derive(Default)]
pub struct Streams {
    /// Its stdin.
    pub stdin: Option<OwnedFd>,
    /// Its stdout.
    pub stdout: Option<OwnedFd>,
    /// Its stderr.
    pub stderr: Option<OwnedFd>,
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
pub fn run(spec: &Spec, mut options: Options, on_start: &mut dyn FnMut(i32) -> Result<()>) -> Result<Exit> {
    let streams = stdio::Stdio::prepare(&mut options);
    let run = |(stdio, copies)| parent::run(plan::Plan::of(spec, &options, stdio)?, copies, on_start);
    streams.and_then(run).map_err(with_status)
}

/// Starts the process of `spec` and leaves the rest to the caller; `None` under `--dry-run`.
///
/// Without streams or a terminal of the caller's it reads nothing, and what it writes is nobody's: the tool's own may have
/// to be copied, and nobody would.
///
/// # Errors
/// As [`run`].
pub fn start(
    spec: &Spec,
    mut options: Options,
    on_start: &mut dyn FnMut(i32) -> Result<()>,
) -> Result<Option<Running>> {
    let stdio = stdio::Stdio::of(options.streams.take().unwrap_or_default());
    let start = |stdio| parent::start(plan::Plan::of(spec, &options, stdio)?, on_start);
    stdio.and_then(start).map_err(with_status)
}

/// What the tool failed in is 125 (`ctr-document(5)`, EXIT STATUS).
fn with_status(error: Error) -> Error {
    let failed = matches!(error.exit, 1 | 2);
    if failed { Error { exit: 125, ..error } } else { error }
}
