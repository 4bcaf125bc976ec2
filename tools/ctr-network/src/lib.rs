//! Defines, lists, shows and removes the networks that net-attach attaches containers to.

mod create;
mod member;
mod remove;
mod show;

use clap::{Args, Subcommand};
use ctr_core::Result;

/// The tool's name.
pub const NAME: &str = "ctr-network";
/// The first line of its help.
pub const ABOUT: &str = "Define, list and remove the networks of containers, and who is on them";

/// The arguments of ctr-network(1).
#[derive(Args, Debug)]
pub struct CtrNetwork {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Define a network
    Create(create::Create),
    /// Put a container on a network
    Connect(member::Connect),
    /// Take a container off a network
    Disconnect(member::Disconnect),
    /// List the networks, a JSON line each
    Ls(show::Ls),
    /// Show networks in docker's shape, a JSON line each
    Inspect(show::Inspect),
    /// Remove networks that no container is on
    Rm(remove::Rm),
    /// Remove every network that no container is on
    Prune(remove::Prune),
}

/// Does what the command line says.
///
/// # Errors
/// Those of the verb.
pub fn run(args: CtrNetwork) -> Result<()> {
    match args.verb {
        Verb::Create(create) => create.run(),
        Verb::Connect(connect) => connect.run(),
        Verb::Disconnect(disconnect) => disconnect.run(),
        Verb::Ls(ls) => ls.run(),
        Verb::Inspect(inspect) => inspect.run(),
        Verb::Rm(rm) => rm.run(),
        Verb::Prune(prune) => prune.run(),
    }
}
