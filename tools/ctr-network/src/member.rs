//! `connect` and `disconnect`: a container that is there comes on a network, or goes off it.

use clap::Args;
use ctr_core::{Code, Error, Result, container, events, json};
use ctr_net::Network;
use net_attach::Wanted;

/// The arguments of `connect`.
#[derive(Args, Debug)]
pub struct Connect {
    /// Call it so too on this network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Give another container a name for this one alone
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    link: Vec<String>,
    /// Give it this address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Give it this address of IPv6
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// The default route goes by the network that has most of it
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    gw_priority: Option<i32>,
    /// A name, or the beginning of an id
    #[arg(value_name = "NETWORK")]
    network: String,
    /// The container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Connect {
    /// Puts the container on the network.
    pub fn run(&self) -> Result<()> {
        let wanted = Wanted {
            network: self.network.clone(),
            aliases: self.alias.iter().map(|word| net_attach::alias(word)).collect::<Result<_>>()?,
            links: self.link.iter().map(|word| net_attach::link(word)).collect::<Result<_>>()?,
            ip: self.ip.as_deref().map(net_attach::ip).transpose()?,
            ip6: self.ip6.as_deref().map(net_attach::ip).transpose()?,
            mac: None,
            priority: self.gw_priority.unwrap_or_default(),
        };
        let id = container::find(&self.container)?;
        if matches!(self.network.as_str(), "host" | "none") {
            let message = format!("cannot connect container {} to network {}", self.container, self.network);
            let why = "that is no network, but said when a container is made, and stands alone";
            return Err(Error::new(Code::Invalid, format!("{message}: {why}")));
        }
        let network = net_attach::connect(&id, &wanted).map_err(|e| cannot("connect", &self.container, e))?;
        emit("connect", &network, &id);
        Ok(())
    }
}

/// The arguments of `disconnect`.
#[derive(Args, Debug)]
pub struct Disconnect {
    /// Also from a network that is no longer there
    #[arg(short = 'f', long)]
    force: bool,
    /// A name, or the beginning of an id
    #[arg(value_name = "NETWORK")]
    network: String,
    /// The container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Disconnect {
    /// Takes the container off the network.
    pub fn run(&self) -> Result<()> {
        let id = container::find(&self.container)?;
        let left = net_attach::disconnect(&id, &self.network, self.force);
        if let Some(network) = left.map_err(|e| cannot("disconnect", &self.container, e))? {
            emit("disconnect", &network, &id);
        }
        Ok(())
    }
}

fn cannot(what: &str, container: &str, e: Error) -> Error {
    // Errors that say which container of themselves.
    if matches!(e.code, Code::NotFound | Code::Exists | Code::Invalid) && e.message.starts_with("container ") {
        return e;
    }
    Error { message: format!("cannot {what} container {container}: {}", e.message), ..e }
}

fn emit(action: &str, network: &Network, container: &str) {
    let attributes = json!({"container": container, "name": network.name, "type": network.driver});
    events::emit_of("network", action, &network.id, &network.name, &attributes);
}
