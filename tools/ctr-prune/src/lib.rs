//! Removes the containers that do not run, each as ctr-rm does it.

mod filter;

use clap::Args;
use ctr_core::{Cannot, Code, Document, Error, Result, container, each, ident, json, print_line, steps};
use ctr_docker::Status;
use filter::Filters;
use std::{
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
};

/// The tool's name.
pub const NAME: &str = "ctr-prune";
/// The first line of its help.
pub const ABOUT: &str = "Remove the containers that do not run";

const WARNING: &str = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ";

/// The arguments of ctr-prune(1).
#[derive(Args, Debug)]
pub struct CtrPrune {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only containers that match: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
}

/// Removes them, and prints which went and the bytes of their writable layers; goes on after one that stays.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrPrune) -> Result<()> {
    let filters = Filters::parse(&args.filters)?;
    if !args.force && !confirmed()? {
        return Err(Error::new(Code::Denied, "nothing is removed: not confirmed"));
    }
    let mut ids = container::ids()?;
    ids.sort();
    let (mut deleted, mut bytes) = (Vec::new(), 0);
    let result = each(&ids, |id| {
        let Some(doc) = idle(id, &filters)? else { return Ok(()) };
        // Of a tree that cannot be measured nothing is counted; it is removed all the same.
        let size = ctr_docker::writable(&doc).unwrap_or_default();
        remove(id)?;
        deleted.push(id);
        bytes += size;
        Ok(())
    });
    print_line(&json!({"ContainersDeleted": deleted, "SpaceReclaimed": bytes}))?;
    result
}

/// The document of a container that does not run and passes the filters.
fn idle(id: &str, filters: &Filters) -> Result<Option<Document>> {
    let doc = match container::load(id) {
        // Removed meanwhile.
        Err(e) if e.code == Code::NotFound => return Ok(None),
        other => other?,
    };
    // One that a pipe is making is not there yet; what is left of a killed pipe is gc's.
    let made = doc.steps()?.iter().any(|step| step.tool == "ns-spawn") || container::is_orphan(id);
    let idle = !doc.is_partial() && made && !Status::of(&doc)?.lives() && filters.match_all(&doc)?;
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

/// Asks on the terminal.
fn confirmed() -> Result<bool> {
    let usage =
        |why: &str| Error::new(Code::Usage, format!("cannot ask whether to remove: {why}")).hint("give --force");
    if !io::stdin().is_terminal() {
        return Err(usage("stdin is not a terminal"));
    }
    let mut stderr = io::stderr();
    stderr.write_all(WARNING.as_bytes()).and_then(|()| stderr.flush()).cannot(|| "write to stderr")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).cannot(|| "read stdin")?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
