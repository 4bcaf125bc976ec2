//! Elements of the firewall's maps of ports, changed by one message to the kernel: a process of nft(8) takes 3 ms, this 0.1
//! (`<linux/netfilter/nf_tables.h>`).

use crate::{
    names,
    nfnetlink::{self, Connection, NESTED, NFPROTO_INET, NFTABLES, NLM_F_CREATE, Request, append},
};
use ctr_core::{Cannot, Result};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

const NFT_MSG_NEWSETELEM: u16 = 12;
const NFT_MSG_DELSETELEM: u16 = 14;
const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
const NFTA_SET_ELEM_LIST_SET: u16 = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_SET_ELEM_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;

const NFT_MSG_GETTABLE: u16 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFT_MSG_GETSETELEM: u16 = 13;

/// The maps of ports: each with the bytes of the host's address in its keys, and those of an address.
const MAPS: [(&str, usize, usize); 4] =
    [("ports", 4, 4), ("ports_any", 0, 4), ("ports6", 16, 16), ("ports_any6", 0, 16)];

/// Of the network namespace that the process began in: nobody changes the firewall of another.
static KEPT: Mutex<Option<Connection>> = Mutex::new(None);

/// An element of a map: the set's name, a concatenation, and where it leads.
#[derive(Debug)]
pub struct Port<'a> {
    /// The map.
    pub map: &'a str,
    /// `tcp . 8080`, `udp . 198.51.100.1 . 53`.
    pub key: Vec<u8>,
    /// `10.90.0.2 . 80`.
    pub value: Vec<u8>,
}

impl<'a> Port<'a> {
    /// Reads it from nft's words; `None` for what is no port.
    pub fn read(map: &'a str, key: &str, value: Option<&str>) -> Option<Self> {
        Some(Self { map, key: concatenation(key)?, value: concatenation(value?)? })
    }

    fn message(&self, table: &str, verb: u16) -> Request {
        let mut element = Vec::new();
        let parts = [(NFTA_SET_ELEM_KEY, &self.key), (NFTA_SET_ELEM_DATA, &self.value)];
        for (kind, bytes) in parts {
            let mut data = Vec::new();
            append(&mut data, NFTA_DATA_VALUE, bytes);
            append(&mut element, NESTED | kind, &data);
        }
        let mut elements = Vec::new();
        append(&mut elements, NESTED | NFTA_LIST_ELEM, &element);
        let mut request = Request::new(NFTABLES | verb, NFPROTO_INET);
        request.text(NFTA_SET_ELEM_LIST_TABLE, table);
        request.text(NFTA_SET_ELEM_LIST_SET, self.map);
        request.attribute(NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, &elements);
        request
    }
}

/// A concatenation as the kernel has it: each part padded to four bytes, its numbers big-endian.
fn concatenation(words: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in words.split(" . ") {
        match word {
            "tcp" => bytes.push(6),
            "udp" => bytes.push(17),
            "sctp" => bytes.push(132),
            _ => match (word.parse::<u16>(), word.parse::<IpAddr>()) {
                (Ok(port), _) => bytes.extend(port.to_be_bytes()),
                (_, Ok(IpAddr::V4(address))) => bytes.extend(address.octets()),
                (_, Ok(IpAddr::V6(address))) => bytes.extend(address.octets()),
                _ => return None,
            },
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    Some(bytes)
}

/// Adds elements to `table`, and takes others away before, in one transaction; either may be done already.
///
/// # Errors
/// `not-found` where the table is gone; `denied`.
pub fn change(table: &str, away: &[Port<'_>], add: &[Port<'_>]) -> Result<()> {
    let what = || "change the firewall".to_owned();
    let new = |port: &Port<'_>| (port.message(table, NFT_MSG_NEWSETELEM), NLM_F_CREATE);
    // To delete what is not there would fail; so it is added first.
    let away = away.iter().flat_map(|port| [new(port), (port.message(table, NFT_MSG_DELSETELEM), 0)]);
    // Kept until the process ends: with its socket who took elements away waits until no processor reads them any more, some
    // milliseconds that go by meanwhile.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(what)?,
    };
    connection.transact(NFTABLES, away.chain(add.iter().map(new))).cannot(what)?;
    // Not after a refusal: the answers behind it are there yet, and would be taken for those of the next.
    *kept = Some(connection);
    Ok(())
}

/// Who has a port of the host in the table of another instance; `None` where none has, or the kernel does not tell.
pub fn of_others(protocol: &str, ip: IpAddr, port: u16) -> Option<String> {
    let connection = Connection::open(String::new).ok()?;
    let mut tables = Vec::new();
    let list = Request::new(NFTABLES | NFT_MSG_GETTABLE, NFPROTO_INET);
    connection
        .list(list, |message| tables.extend(text(nfnetlink::attribute(nfnetlink::body(message), NFTA_TABLE_NAME))))
        .ok()?;
    tables.retain(|table| names::is_table(table) && *table != names::table());
    for table in tables {
        for (map, own, address) in MAPS.iter().filter(|(_, _, address)| (*address == 4) == ip.is_ipv4()) {
            let mut found = None;
            let mut request = Request::new(NFTABLES | NFT_MSG_GETSETELEM, NFPROTO_INET);
            request.text(NFTA_SET_ELEM_LIST_TABLE, &table);
            request.text(NFTA_SET_ELEM_LIST_SET, map);
            // One of another release may not have it.
            let _ = connection.list(request, |message| {
                for (key, value) in pairs(message) {
                    if is_at(key, *own, protocol, ip, port) {
                        found = target(value, *address);
                    }
                }
            });
            if let Some(target) = found {
                return Some(format!("another instance, of table {table}, for {target}"));
            }
        }
    }
    None
}

/// The keys and values of the elements that a message lists.
fn pairs(message: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let elements = nfnetlink::attribute(nfnetlink::body(message), NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or_default();
    nfnetlink::attributes(elements).filter_map(|(_, element)| {
        let value = |kind| nfnetlink::attribute(nfnetlink::attribute(element, kind)?, NFTA_DATA_VALUE);
        Some((value(NFTA_SET_ELEM_KEY)?, value(NFTA_SET_ELEM_DATA)?))
    })
}

/// Whether a key, with an address of `own` bytes, is that port of that address, or one of the two is of every address.
fn is_at(key: &[u8], own: usize, protocol: &str, ip: IpAddr, port: u16) -> bool {
    let wanted =
        concatenation(&if own == 0 { format!("{protocol} . {port}") } else { format!("{protocol} . {ip} . {port}") });
    let Some(wanted) = wanted.filter(|wanted| wanted.len() == key.len()) else { return false };
    let ends = |bytes: &[u8]| (bytes[..4].to_owned(), bytes[4 + own..].to_owned());
    wanted == key || (ip.is_unspecified() && ends(&wanted) == ends(key))
}

/// What a value leads to: an address of so many bytes, a port.
fn target(value: &[u8], address: usize) -> Option<SocketAddr> {
    let ip = match address {
        4 => IpAddr::from(<[u8; 4]>::try_from(value.get(..4)?).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(value.get(..16)?).ok()?),
    };
    let port = value.get(address..address + 2)?.try_into().ok()?;
    Some(SocketAddr::new(ip, u16::from_be_bytes(port)))
}

fn text(bytes: Option<&[u8]>) -> Option<String> {
    String::from_utf8(bytes?.strip_suffix(&[0])?.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn concatenations() {
        assert_eq!(concatenation("tcp . 8080"), Some(vec![6, 0, 0, 0, 0x1f, 0x90, 0, 0]));
        assert_eq!(concatenation("10.9.0.2 . 80"), Some(vec![10, 9, 0, 2, 0, 80, 0, 0]));
        assert_eq!(concatenation("udp . 198.51.100.1 . 53").map(|bytes| bytes.len()), Some(12));
        assert_eq!(concatenation("fd00::2 . 80").map(|bytes| bytes.len()), Some(20));
        assert_eq!(concatenation("\"ctr0\""), None);
    }

    #[test]
    fn a_key_is_a_port() {
        let key = |words: &str| concatenation(words).unwrap();
        let (one, all) = (IpAddr::from([10, 9, 0, 1]), IpAddr::from([0, 0, 0, 0]));
        assert!(is_at(&key("tcp . 8080"), 0, "tcp", one, 8080) && is_at(&key("tcp . 8080"), 0, "tcp", all, 8080));
        assert!(!is_at(&key("tcp . 8080"), 0, "udp", one, 8080) && !is_at(&key("tcp . 8080"), 0, "tcp", one, 8081));
        let own = key("tcp . 10.9.0.1 . 8080");
        assert!(is_at(&own, 4, "tcp", one, 8080) && is_at(&own, 4, "tcp", all, 8080));
        assert!(!is_at(&own, 4, "tcp", [10, 9, 0, 2].into(), 8080) && !is_at(&own, 4, "udp", all, 8080));
        assert_eq!(target(&key("10.9.0.2 . 80"), 4), Some(([10, 9, 0, 2], 80).into()));
        assert_eq!(target(&[], 4), None);
    }
}
