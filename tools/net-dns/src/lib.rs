//! Resolves the names of the containers of a network, from their records at once, and asks the host's servers for all else.

mod answer;
mod decide;
mod forward;
mod gc;
mod names;
mod query;
mod serve;
mod stamp;
mod tcp;
mod trace;
mod upstream;

use clap::Args;
use ctr_core::{Cannot, Code, Error, Result, take_fd};
use ctr_net::{
    Lock, Network, address, background, network,
    resolver::{self, Sockets},
};
use std::{fs::File, io, os::fd::AsFd};

use serve::Shared;

/// The tool's name.
pub const NAME: &str = "net-dns";
/// The first line of its help.
pub const ABOUT: &str = "Resolve the names of the containers of a network";

/// The arguments of net-dns(1).
#[derive(Args, Debug)]
pub struct NetDns {
    /// The network
    #[arg(value_name = "NETWORK", required_unless_present_any = ["check", "gc"], conflicts_with_all = ["check", "gc"])]
    network: Option<String>,
    /// Its sockets are standard input (UDP) and output (TCP), bound to the bridge with this number, its lock standard
    /// error: net-attach starts it so
    #[arg(long, value_name = "BRIDGE", require_equals = true, requires = "network", conflicts_with = "trace")]
    sockets: Option<u32>,
    /// Print each query as a JSON line on stderr
    #[arg(long, conflicts_with_all = ["check", "gc"])]
    trace: bool,
    /// Name the networks in use whose resolver does not run
    #[arg(long)]
    check: bool,
    /// Start the resolvers that are missing; remove what those left that are gone
    #[arg(long, conflicts_with = "check")]
    gc: bool,
}

/// Does what the command line says.
///
/// # Errors
/// `not-found` for a network that is not there, or on which no container is; `unsupported` for the default one; `exists`
/// where another resolves on it.
pub fn run(args: NetDns) -> Result<()> {
    if args.check {
        return gc::check();
    }
    if args.gc {
        return gc::gc();
    }
    let network = network::load(&args.network.unwrap_or_default())?;
    let (sockets, file) = match args.sockets {
        Some(bridge) => handed_over(&network, bridge)?,
        None => own(&network)?,
    };
    serve::serve(&network, sockets, file, args.trace)
}

/// What net-attach bound. Standard error stays open too: what is said there last is found in the file. Who started this may
/// have been killed before it signed.
fn handed_over(network: &Network, bridge: u32) -> Result<(Sockets, File)> {
    let socket = |number| {
        let fd = take_fd(number).filter(|fd| rustix::net::sockopt::socket_type(fd).is_ok());
        fd.ok_or_else(|| Error::new(Code::Usage, format!("--sockets: descriptor {number} is no socket")))
    };
    let (udp, tcp) = (socket(0)?, socket(1)?);
    background::close_others()?;
    let lock = io::stderr().as_fd().try_clone_to_owned().cannot(|| "take the lock over")?;
    let file = File::from(lock);
    if resolver::running(&network.name)?.is_none() {
        resolver::sign(&file, std::process::id(), bridge)?;
    }
    Ok((Sockets { udp: udp.into(), tcp: tcp.into() }, file))
}

/// Binds them itself, in front, and says what it is.
fn own(network: &Network) -> Result<(Sockets, File)> {
    let Some(at) = resolver::address(network) else {
        let message = format!("network {} has no names", network.name);
        return Err(Error::new(Code::Unsupported, message).hint("networks that ctr network create makes have"));
    };
    let none = || Error::new(Code::NotFound, format!("no container is on network {}", network.name));
    let bridge = resolver::bridge(network)?.ok_or_else(none)?;
    // Whoever takes the last container off decides meanwhile whether the resolver leaves.
    let _lock = Lock::take()?;
    if address::of_network(&network.name)?.is_empty() {
        return Err(none());
    }
    let Some(file) = resolver::lock(&network.name)? else {
        let holder =
            resolver::running(&network.name)?.map_or_else(String::new, |note| format!(", process {}", note.pid));
        return Err(Error::new(Code::Exists, format!("network {} has its resolver{holder}", network.name)));
    };
    let sockets = resolver::bind(network, at)?;
    file.set_len(0).cannot(|| "empty the resolver's file")?;
    resolver::sign(&file, std::process::id(), bridge)?;
    Ok((sockets, file))
}
