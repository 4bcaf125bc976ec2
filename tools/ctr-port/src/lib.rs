//! Lists the ports that a container publishes, as its record has them.

use clap::Args;
use ctr_core::{Code, Error, Result, container, print_line};

/// The tool's name.
pub const NAME: &str = "ctr-port";
/// The first line of its help.
pub const ABOUT: &str = "List the ports that a container publishes";

/// The arguments of ctr-port(1).
#[derive(Args, Debug)]
pub struct CtrPort {
    /// The container: its name, its id or the beginning of an id that no other has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Only where this port of the container is found on the host
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

/// Prints a line a port.
///
/// # Errors
/// `not-found` where there is no such container, or it does not publish the port; `invalid` for what is no port.
pub fn run(args: CtrPort) -> Result<()> {
    let doc = container::recorded(&container::find(&args.container)?)?;
    let ports = ctr_docker::ports(&doc);
    let mut published = ports.iter().filter_map(|port| Some((port, format!("{}:{}", port.ip.as_ref()?, port.public?))));
    let Some(word) = args.port else {
        return published
            .try_for_each(|(port, host)| print_line(&format!("{}/{} -> {host}", port.private, port.protocol)));
    };
    let (number, protocol) = word.split_once('/').unwrap_or((&word, "tcp"));
    let number: u16 = number.parse().map_err(|_| Error::new(Code::Invalid, format!("{word:?} is no port")))?;
    let mut found = false;
    for (_, host) in published.filter(|(port, _)| port.private == number && port.protocol == protocol) {
        found = true;
        print_line(&host)?;
    }
    if found {
        return Ok(());
    }
    Err(Error::new(Code::NotFound, format!("container {} does not publish {number}/{protocol}", args.container)))
}
