//! Makes, lists, shows, copies and removes volumes, which vol-mount mounts.

mod create;
mod filter;
mod remove;
mod show;
mod tar;

use clap::{Args, Subcommand};
use ctr_core::Result;

/// The tool's name.
pub const NAME: &str = "ctr-volume";
/// The first line of its help.
pub const ABOUT: &str = "Make, list and remove volumes, and copy their files";

/// The arguments of ctr-volume(1).
#[derive(Args, Debug)]
pub struct CtrVolume {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Make a volume
    Create(create::Create),
    /// List volumes, a JSON line each
    Ls(show::Ls),
    /// Show volumes in docker's shape, a JSON line each
    Inspect(show::Inspect),
    /// Remove volumes that no container uses
    Rm(remove::Rm),
    /// Remove every volume without a name that no container uses
    Prune(remove::Prune),
    /// Write the files of a volume as a tar
    Export(tar::Export),
    /// Make a volume of a tar
    Import(tar::Import),
}

/// Does what the command line says.
///
/// # Errors
/// Those of the verb.
pub fn run(args: CtrVolume) -> Result<()> {
    match args.verb {
        Verb::Create(create) => create.run(),
        Verb::Ls(ls) => ls.run(),
        Verb::Inspect(inspect) => inspect.run(),
        Verb::Rm(rm) => rm.run(),
        Verb::Prune(prune) => prune.run(),
        Verb::Export(export) => export.run(),
        Verb::Import(import) => import.run(),
    }
}
