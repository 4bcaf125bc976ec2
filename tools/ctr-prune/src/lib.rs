//! Removes the containers that do not run, each as ctr-rm does it; and with them whatever else nothing uses.

mod system;

use clap::Args;
use ctr_core::{Cannot, Code, Document, Error, Failures, Result, confirm, container, ident, json, print_line, steps};
use ctr_docker::{PruneFilters, Status};
use std::process::{Command, Stdio};

/// The tool's name.
pub const NAME: &str = "ctr-prune";
/// The first line of its help.
pub const ABOUT: &str = "Remove the containers that do not run";

/// The arguments of ctr-prune(1).
#[derive(Args, Debug)]
pub struct CtrPrune {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
    /// Then the networks that no container is on, and the images without a reference that no container has
    #[arg(long)]
    system: bool,
    /// With --system: every image that no container has
    #[arg(short, long, requires = "system")]
    all: bool,
    /// With --system: the volumes without a name that no container has, too
    #[arg(long, requires = "system")]
    volumes: bool,
}

/// Removes them, and prints which went and the bytes of their writable layers; goes on after one that stays.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrPrune) -> Result<()> {
    let filters = PruneFilters::parse(&args.filters)?;
    if !args.force {
        confirm(&if args.system {
            system::warning(&args)
        } else {
            "This will remove all stopped containers.".to_owned()
        })?;
    }
    let mut ids = container::ids()?;
    ids.sort();
    let (mut deleted, mut bytes) = (Vec::new(), 0);
    let mut failures = Failures::default();
    for id in &ids {
        failures.note(idle(id, &filters).and_then(|doc| {
            let Some(doc) = doc else { return Ok(()) };
            // Of a tree that cannot be measured nothing is counted; it is removed all the same.
            let size = ctr_docker::writable(&doc).unwrap_or_default();
            remove(id)?;
            deleted.push(id);
            bytes += size;
            Ok(())
        }));
    }
    let mut done = json!({"ContainersDeleted": deleted, "SpaceReclaimed": bytes});
    if args.system {
        system::prune(&args, &mut done, &mut failures);
    }
    print_line(&done)?;
    failures.end()
}

/// The document of a container that does not run and passes the filters.
fn idle(id: &str, filters: &PruneFilters) -> Result<Option<Document>> {
    let doc = match container::load(id) {
        // Removed meanwhile.
        Err(e) if e.code == Code::NotFound => return Ok(None),
        other => other?,
    };
    // One that a pipe is making is not there yet; what is left of a killed pipe is gc's.
    let made = doc.steps()?.iter().any(|step| step.tool == "ns-spawn") || container::is_orphan(id);
    let idle = !doc.is_partial() && made && !Status::of(&doc)?.lives() && filters.match_container(&doc)?;
    Ok(idle.then_some(doc))
}

/// `ctr-rm ID`, which refuses one that was started meanwhile and says so.
fn remove(id: &str) -> Result<()> {
    let program = steps::sibling("ctr-rm");
    let what = || format!("run {}", program.display());
    let status = Command::new(&program).arg(id).stdin(Stdio::null()).stdout(Stdio::null()).status().cannot(what)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(Code::Io, format!("container {} is not removed", ident::short(id))))
}
