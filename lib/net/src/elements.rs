//! Elements of the firewall's maps of ports, changed by one message to the kernel: a process of nft(8) takes 3 ms, this 0.1
//! (`<linux/netfilter/nf_tables.h>`).

use crate::nfnetlink::{Connection, NESTED, NFPROTO_INET, NFTABLES, NLM_F_CREATE, Request, append};
use ctr_core::{Cannot, Result};
use std::{
    net::IpAddr,
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
    kept.insert(connection).transact(NFTABLES, away.chain(add.iter().map(new))).cannot(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenations() {
        assert_eq!(concatenation("tcp . 8080"), Some(vec![6, 0, 0, 0, 0x1f, 0x90, 0, 0]));
        assert_eq!(concatenation("10.9.0.2 . 80"), Some(vec![10, 9, 0, 2, 0, 80, 0, 0]));
        assert_eq!(concatenation("udp . 198.51.100.1 . 53").map(|bytes| bytes.len()), Some(12));
        assert_eq!(concatenation("fd00::2 . 80").map(|bytes| bytes.len()), Some(20));
        assert_eq!(concatenation("\"ctr0\""), None);
    }
}
