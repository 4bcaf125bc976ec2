//! `rm` and `prune`: the record, the bridge and the rules of a network that no container is on.

use clap::Args;
use ctr_core::{Code, Error, Failures, Result, confirm, each, events, json, print_line, trace};
use ctr_net::{Lock, Network, firewall, names, network};
use ctr_netlink::{Netlink, has_table};

/// The arguments of `rm`.
#[derive(Args, Debug)]
pub struct Rm {
    /// A name, or the beginning of an id
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
    /// Networks that are not there are no failure
    #[arg(short = 'f', long)]
    force: bool,
}

impl Rm {
    /// Removes one after the other and prints their names.
    pub fn run(&self) -> Result<()> {
        let netlink = Netlink::open()?;
        each(&self.networks, |word| {
            let lock = Lock::take()?;
            let network = match network::load(word) {
                Err(e) if e.code == Code::NotFound && self.force => return Ok(()),
                Err(e) if e.code == Code::Corrupt => return remove_unread(&netlink, word, &e, &lock),
                other => other?,
            };
            if network.name == network::DEFAULT {
                let message = format!("network {} is the default one, and stays", network.name);
                return Err(Error::new(Code::Denied, message)
                    .hint("after its last container net-attach --gc takes its interface"));
            }
            remove(&netlink, &network, &lock)?;
            print_line(&network.name)
        })
    }
}

/// The arguments of `prune`.
#[derive(Args, Debug)]
pub struct Prune {
    /// Do not ask
    #[arg(short = 'f', long)]
    force: bool,
}

impl Prune {
    /// Removes them, and prints which went; goes on after one that stays.
    pub fn run(&self) -> Result<()> {
        if !self.force {
            confirm("This will remove all custom networks not used by at least one container.")?;
        }
        let netlink = Netlink::open()?;
        let lock = Lock::take()?;
        let mut deleted = Vec::new();
        let mut failures = Failures::default();
        for network in network::all()?.into_iter().filter(|network| network.name != network::DEFAULT) {
            let idle = failures.note(network::in_use(&network.name)).is_some_and(|busy| busy.is_none());
            if idle && failures.note(remove(&netlink, &network, &lock)).is_some() {
                deleted.push(network.name);
            }
        }
        print_line(&json!({"NetworksDeleted": deleted}))?;
        failures.end()
    }
}

/// The record goes first: from then on nobody attaches to it, and gc takes what is left.
fn remove(netlink: &Netlink, network: &Network, _lock: &Lock) -> Result<()> {
    network::remove(&network.name)?;
    events::emit_of("network", "destroy", &network.id, &network.name, &json!({"type": network.driver}));
    if network.parent().is_some() {
        return net_attach::forget_parents(netlink).map(drop);
    }
    netlink.delete(&network.bridge())?;
    if has_table(&names::table())? {
        firewall::remove(&firewall::of_network(network))?;
    }
    Ok(())
}

/// The same of one whose record does not read, the default one's too, which is made anew then. Which rules are its nobody knows:
/// the table becomes what the other records say.
fn remove_unread(netlink: &Netlink, name: &str, why: &Error, _lock: &Lock) -> Result<()> {
    network::remove(name)?;
    trace::warn(&why.message);
    netlink.delete(&names::bridge(name))?;
    if has_table(&names::table())? {
        firewall::install(&firewall::wanted()?)?;
    }
    print_line(&name)
}
