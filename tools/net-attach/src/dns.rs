//! Who the container asks for names: flags first, then the host's own servers (resolv.conf(5)).

use ctr_core::{Code, Error, Result};
use std::{fs::File, io::Read, net::IpAddr};

/// Most bytes that are read of a file of the host.
const MAX: u64 = 1 << 20;
/// Where systemd-resolved writes the servers that it asks itself: /etc/resolv.conf then names only it, on loopback.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

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
    use super::*;

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
