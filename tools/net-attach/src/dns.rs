//! Who the container asks for names: flags first, then the host's own servers (resolv.conf(5)); on a network with names its
//! resolver, which asks them.

use crate::end::End;
use ctr_core::{Code, Error, Result};
use ctr_net::{Network, network, resolver};
use std::{fs::File, io::Read, net::IpAddr};

/// Most bytes that are read of a file of the host.
const MAX: u64 = 1 << 20;
/// Where systemd-resolved writes the servers that it asks itself: /etc/resolv.conf then names only it, on loopback.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// The option that a resolver of ours comes with.
const NDOTS: &str = "ndots:0";

/// What the flags say.
pub struct Dns<'a> {
    pub servers: &'a [String],
    pub search: &'a [String],
    pub options: &'a [String],
    /// Whether the container has IPv6.
    pub six: bool,
}

impl Dns<'_> {
    /// The section `net.dns`.
    ///
    /// # Errors
    /// `invalid` for a flag that is no address, or no word.
    pub fn read(&self) -> Result<ctr_net::Dns> {
        let mut found = host("/etc/resolv.conf", self.six);
        if found.nameservers.is_empty() && self.servers.is_empty() {
            found.nameservers = host(RESOLVED, self.six).nameservers;
        }
        if !self.servers.is_empty() {
            let server = |word: &String| {
                let address: IpAddr = word.parse().map_err(|_| bad("server", word))?;
                Ok(address.to_string())
            };
            found.nameservers = self.servers.iter().map(server).collect::<Result<_>>()?;
        }
        if !self.search.is_empty() {
            found.search = words("search domain", self.search)?.into_iter().filter(|word| word != ".").collect();
        }
        if !self.options.is_empty() {
            found.options = words("option", self.options)?;
        }
        Ok(found)
    }
}

/// What `dns` is on these networks, where `given` are the servers of `--dns`, and whom the resolver asks beside the host's.
/// Servers on loopback are the container's own, which no resolver reaches: those it asks itself.
pub fn on<'a>(
    networks: impl IntoIterator<Item = &'a Network>,
    dns: &ctr_net::Dns,
    given: &[String],
) -> (ctr_net::Dns, Vec<String>) {
    let mut dns = dns.clone();
    let own = |word: &String| word.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let resolver = networks.into_iter().find_map(resolver::address).filter(|_| !given.iter().any(own));
    let Some(resolver) = resolver else { return (dns, Vec::new()) };
    dns.nameservers = vec![resolver.to_string()];
    // docker's: a name without a dot is a container's first, not one of a search domain.
    if !dns.options.iter().any(|option| option.starts_with("ndots:")) {
        dns.options.push(NDOTS.to_owned());
    }
    (dns, given.to_vec())
}

/// The same for a container whose networks become `ends`: it may have asked a resolver, and may do now. Servers that it asked
/// without one are those that one asks for it.
///
/// # Errors
/// Those of reading networks.
pub fn moved(net: &ctr_net::Net, ends: &[End]) -> Result<(ctr_net::Dns, Vec<String>)> {
    let mut asked = false;
    for attachment in &net.networks {
        let network = match network::find(&attachment.name) {
            // One that is left by force.
            Err(e) if e.code == Code::Corrupt => None,
            other => other?,
        };
        let resolver = network.as_ref().and_then(resolver::address);
        asked |= resolver.is_some_and(|resolver| net.dns.nameservers == [resolver.to_string()]);
    }
    let mut before = net.dns.clone();
    if asked {
        let six = ends.iter().any(|end| end.network.six().is_some());
        before.options.retain(|option| option != NDOTS);
        before.nameservers = Dns { servers: &net.upstreams, search: &[], options: &[], six }.read()?.nameservers;
    }
    let given = if asked { &net.upstreams } else { &net.dns.nameservers };
    Ok(on(ends.iter().map(|end| &end.network), &before, given))
}

fn bad(what: &str, word: &str) -> Error {
    Error::new(Code::Invalid, format!("invalid DNS {what} {word:?}"))
}

fn words(what: &str, words: &[String]) -> Result<Vec<String>> {
    let good = |word: &&String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
    match words.iter().find(|word| !good(word)) {
        Some(word) => Err(bad(what, word)),
        None => Ok(words.to_vec()),
    }
}

/// A file of the host's: what on its loopback answers is not reached from a container, nor what has an address of a link.
fn host(path: &str, six: bool) -> ctr_net::Dns {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MAX).read_to_end(&mut bytes);
    }
    parse(&String::from_utf8_lossy(&bytes), six)
}

fn parse(text: &str, six: bool) -> ctr_net::Dns {
    let mut found = ctr_net::Dns::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default();
        // The rest of a line after a comment sign is none of the words'.
        let rest: Vec<String> = words.take_while(|w| !w.starts_with(['#', ';'])).map(str::to_owned).collect();
        match keyword {
            "nameserver" => {
                let reached = |word: &&String| {
                    word.parse().is_ok_and(|a: IpAddr| (a.is_ipv4() || six) && !a.is_loopback() && !a.is_unspecified())
                };
                found.nameservers.extend(rest.first().filter(reached).cloned());
            }
            // The last of them counts.
            "search" | "domain" => found.search = rest,
            "options" => found.options.extend(rest),
            _ => {}
        }
    }
    let graphic = |word: &String| word.bytes().all(|b| b.is_ascii_graphic());
    found.search.retain(graphic);
    found.options.retain(graphic);
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_with_names_has_its_resolver() {
        let pool = || ctr_net::network::Pool::new("10.9.0.0/24".parse().unwrap(), None, None).unwrap();
        let host = parse("nameserver 10.0.0.1\nsearch a\n", false);
        let (dns, upstreams) = on([&Network::new("bridge", pool())], &host, &[]);
        assert_eq!((dns, upstreams), (host.clone(), vec![]));
        let web = Network::new("web", pool());
        let (dns, upstreams) = on([&web], &host, &[]);
        assert_eq!((dns.nameservers, dns.options), (vec!["10.9.0.1".to_owned()], vec!["ndots:0".to_owned()]));
        assert!(upstreams.is_empty());
        let given = ["192.0.2.1".to_owned()];
        assert_eq!(on([&web], &host, &given).1, given);
        let own = ctr_net::Dns { nameservers: vec!["127.0.0.1".to_owned()], ..host };
        assert_eq!(on([&web], &own, &own.nameservers), (own.clone(), vec![]));
        let ndots = ctr_net::Dns { options: vec!["ndots:2".to_owned()], ..own };
        assert_eq!(on([&web], &ndots, &[]).0.options, ["ndots:2"]);
    }

    #[test]
    fn servers_that_a_container_reaches() {
        let text = "# none\nnameserver 127.0.0.53\nnameserver 10.0.0.1 # first\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n\
                    domain a\nsearch b c\noptions ndots:2 edns0\nnameserver\n";
        let found = parse(text, false);
        assert_eq!(found.nameservers, ["10.0.0.1"]);
        assert_eq!(found.search, ["b", "c"]);
        assert_eq!(found.options, ["ndots:2", "edns0"]);
        assert_eq!(parse(text, true).nameservers, ["10.0.0.1", "2001:db8::1"]);
    }
}
