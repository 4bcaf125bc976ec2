//! Shows containers, one line each, with the state of their processes as the kernel tells it now: as documents, or
//! in docker's shape.

mod config;
mod docker;
mod given;
mod host_config;
mod network;

pub use config::config;

use clap::Args;
use ctr_core::{Absent, Code, Result, container, each, print_error, print_line};
use ctr_docker::Sizes;

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
    /// Print what `docker container inspect` shows instead of the document
    #[arg(long)]
    docker: bool,
    /// With --docker: also the bytes that the container's files take
    #[arg(short, long, requires = "docker")]
    size: bool,
    /// Say nothing of a container that is not there, and print no document for an error; the status tells
    #[arg(long)]
    if_any: bool,
}

/// Prints the containers that are there, then fails for those that are not.
///
/// # Errors
/// The last failure; the earlier ones are printed.
pub fn run(args: CtrInspect) -> Result<()> {
    let mut absent = Absent::new(args.if_any, &[Code::NotFound]);
    let mut printed = false;
    let mut sizes = args.size.then(Sizes::default);
    let shown = each(&args.containers, |word| {
        let found = container::find(word).and_then(|id| container::load(&id));
        let Some(doc) = absent.pass(found)? else { return Ok(()) };
        if args.docker {
            return print_line(&docker::inspect(&doc, sizes.as_mut())?);
        }
        printed = true;
        print_line(&doc.to_line())
    });
    if let Err(e) = &shown
        && !args.docker
        && !args.if_any
        && !printed
    {
        print_error(e);
    }
    absent.end(shown)
}
