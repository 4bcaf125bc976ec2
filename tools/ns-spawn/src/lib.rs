//! Completes the OCI runtime-spec from image config and flags, and runs its process in new namespaces.

mod begun;
mod bundle;
mod check;
mod detach;
mod gc;
mod spawn;
mod state;
mod status;
mod supervise;
mod undo;
mod volumes;

use cg_limit::CgLimit;
use clap::{Args, ValueEnum};
use ctr_core::{Code, Common, Document, Done, Error, Result, Rootfs, Tool, Value, container, print_line, steps, trace};
use ctr_runtime::{
    run::Options,
    spec::{self, Flags, Source},
};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use overlay_mount::OverlayMount;
use status::Status;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The arguments of ns-spawn(1).
#[derive(Args, Debug)]
pub struct NsSpawn {
    /// Give the container the tool's stdin
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Give the container this name, if its document has none yet
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Give the container a label, if its document has no id yet
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// Undo every step of the document when the process has ended, or could not begin; failed: only where the document
    /// could not be completed
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "ended")]
    rm: Option<Rm>,
    /// Leave it running, with a supervisor that keeps its log, and print the document
    #[arg(short = 'd', long, conflicts_with_all = ["bundle", "print_spec"])]
    detach: bool,
    /// Complete the container and do not start it: `ctr-start` does
    #[arg(long, conflicts_with_all = ["detach", "bundle", "print_spec"])]
    create: bool,
    /// With -d or --create print the container's id, not the document
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Print the finished config.json and run nothing
    #[arg(long, conflicts_with_all = ["rm", "bundle"])]
    print_spec: bool,
    /// Run the OCI bundle in DIR as it is; no document is read
    #[arg(short = 'b', long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Leave the directories that the image says are volumes as they are: no vol-mount makes one
    #[arg(long, conflicts_with = "bundle")]
    no_image_volumes: bool,
    /// Write what becomes of the process as JSON lines to descriptor N
    #[arg(long, value_name = "N")]
    status_fd: Option<i32>,
    #[command(flatten)]
    supervise: supervise::SuperviseFlags,
    #[command(flatten)]
    flags: Flags,
    /// This call is the one that starts the container.
    #[arg(skip)]
    held: bool,
}

/// When every step of the document is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rm {
    /// When its process has ended, or could not begin.
    Ended,
    /// When a tool of the pipe failed before there was anything to start.
    Failed,
}

impl Tool for NsSpawn {
    const NAME: &'static str = "ns-spawn";
    const ABOUT: &'static str = "Complete the OCI runtime-spec of a container and run it";
    const FAILED: u8 = 125;
    const PATIENT: bool = true;

    fn reads_document(&self) -> bool {
        self.bundle.is_none()
    }

    fn add(&mut self, doc: &mut Document, common: &Common) -> Result<Done> {
        let mut status = Status::open(self.status_fd)?;
        if let Some(dir) = &self.bundle {
            if common.file.is_some() {
                return Err(Error::new(Code::Invalid, "a bundle needs no document: give -b or -f, not both"));
            }
            return bundle::run(self, dir, &mut status);
        }
        let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
        if !Path::new(&rootfs.path).is_absolute() {
            return Err(Error::new(Code::Invalid, format!("document: rootfs {:?} is not absolute", rootfs.path)));
        }
        if self.print_spec {
            return self.print_spec(doc, &rootfs);
        }
        if self.detach || self.create {
            return detach::detach(self, doc, &rootfs);
        }
        if self.quiet {
            return Err(Error::new(Code::Usage, "--quiet is for -d and --create: in front stdout is the command's"));
        }
        self.supervise.refuse_in_foreground()?;
        spawn::spawn(self, doc, &rootfs, common.file.is_none(), &mut status)
    }

    fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
        undo::undo(doc, undo)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check::check(doc)
    }

    fn repair(doc: &mut Document) -> Result<()> {
        detach::repair(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        gc::gc()
    }

    /// This tool or one before failed: with `--rm` nothing may stay of what this pipe has begun. A container that was there
    /// before goes only where its start was this call's to try.
    fn inherited(&self, doc: &Document) -> Result<()> {
        if let Ok(mut status) = Status::open(self.status_fd) {
            status.line(&doc.as_value());
        }
        if self.rm.is_some_and(|rm| is_new(doc) || (rm == Rm::Ended && self.held)) {
            // Its record has a step that this call made and the document has not: vol-mount's.
            let record = doc.str("id").and_then(|id| container::recorded(id).ok());
            let is_later =
                |record: &Document| record.steps().is_ok_and(|s| s.len() > doc.steps().map_or(0, |s| s.len()));
            undo_all(record.as_ref().filter(|record| is_later(record)).unwrap_or(doc));
        }
        Ok(())
    }

    fn prints(&self) -> bool {
        (self.detach || self.create) && !self.quiet
    }

    fn print(&self, doc: &Document) -> io::Result<()> {
        if self.quiet { writeln!(io::stdout(), "{}", doc.str("id").unwrap_or_default()) } else { doc.print() }
    }
}

impl NsSpawn {
    fn print_spec(&self, doc: &mut Document, rootfs: &Rootfs) -> Result<Done> {
        let id = doc.str("id").map(container::checked_id).transpose()?.map(str::to_owned);
        self.complete(doc, rootfs, id.as_deref())?;
        let spec = doc.get("spec").unwrap_or(&Value::Null);
        spec::read(spec)?;
        let text = serde_json::to_string_pretty(spec).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        print_line(&text)?;
        Ok(Done::Exit(0))
    }

    /// Completes `doc.spec` in place.
    fn complete(&self, doc: &mut Document, rootfs: &Rootfs, id: Option<&str>) -> Result<()> {
        let mut spec = std::mem::take(doc.object("spec")?);
        let files = id.map(container::dir);
        let source = Source {
            id,
            rootfs: Path::new(&rootfs.path),
            readonly: rootfs.readonly,
            image: doc.get("image").and_then(|i| i.get("config")).and_then(|c| c.get("config")),
            net: doc.get("net"),
            files: files.as_deref(),
        };
        spec::complete(&mut spec, &self.flags, &source)?;
        *doc.object("spec")? = spec;
        Ok(())
    }
}

/// Whether the container was never whole: no call of this tool has completed it. One that was may run, or hold what it
/// wrote. What there is of one that is being removed goes with its record.
fn is_new(doc: &Document) -> bool {
    let Some(id) = doc.str("id") else { return true };
    container::recorded(id).is_ok_and(|record| !container::is_complete(&record) && !record.is_partial())
}

/// What both a document's container and a bundle give to the engine.
fn options(spec: &Spec, id: &str) -> Options {
    let tty = spec.process().as_ref().and_then(oci_spec::runtime::Process::terminal).unwrap_or(false);
    let init = spec.annotations().as_ref().is_some_and(|a| a.get(spec::INIT).is_some_and(|v| v == "true"));
    let namespaces = spec.linux().as_ref().and_then(|l| l.namespaces().as_deref()).unwrap_or_default();
    let new_network = namespaces.iter().any(|n| n.typ() == LinuxNamespaceType::Network && n.path().is_none());
    Options { tty, init, net_up: new_network, ..Options::new(id, PathBuf::new()) }
}

/// How the steps of the usual pipe are taken back without a process for each, which at every end would cost a tenth of
/// `ctr run`.
pub const UNDO: [(&str, steps::Undo); 5] = [
    (NsSpawn::NAME, NsSpawn::undo),
    (CgLimit::NAME, CgLimit::undo),
    ("net-attach", ctr_net::undo),
    ("vol-mount", ctr_vol::undo),
    (OverlayMount::NAME, OverlayMount::undo),
];

fn undo_all(doc: &Document) {
    for error in steps::undo_all(doc, &UNDO) {
        trace::warn(&error.to_string());
    }
}
