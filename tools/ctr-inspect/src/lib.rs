//! Shows containers: the document of each, one line, with the state of its process as the kernel tells it now.

use clap::Args;
use ctr_core::{Code, Result, container, each, print_line};
use std::process;

/// The tool's name.
pub const NAME: &str = "ctr-inspect";
/// The first line of its help.
pub const ABOUT: &str = "Print the documents of containers";

/// The arguments of ctr-inspect(1).
#[derive(Args, Debug)]
pub struct CtrInspect {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Say nothing of a container that is not there; the status tells
    #[arg(long)]
    if_any: bool,
}

/// Prints the containers that are there, then fails for those that are not.
///
/// # Errors
/// The last failure; the earlier ones are printed.
pub fn run(args: CtrInspect) -> Result<()> {
    each(&args.containers, |word| {
        let found = container::find(word).and_then(|id| container::load(&id));
        match found {
            Err(e) if args.if_any && e.code == Code::NotFound => process::exit(1),
            other => print_line(&other?.to_line()),
        }
    })
}
