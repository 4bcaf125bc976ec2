//! What nftables has of a table or a chain: one message to the kernel instead of a process of nft(8).

use ctr_core::{Cannot, Code, Error, Result};
use ctr_net::nfnetlink::{self, Connection, NFPROTO_INET, NFTABLES, Request};
use std::io::ErrorKind;

// `<linux/netfilter/nf_tables.h>`:
const NFT_MSG_GETTABLE: u16 = 1;
const NFT_MSG_GETCHAIN: u16 = 4;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_USE: u16 = 6;
const NF_DROP: u32 = 0;

/// Of which packets a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: iptables(8)'s.
    Ipv4 = 2,
    /// IPv6: ip6tables(8)'s.
    Ipv6 = 10,
}

/// A chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whether it drops what none of its rules decides.
    pub drops: bool,
    /// How many rules it has, and how many lead to it, together.
    pub uses: u32,
}

/// Whether the network namespace that this thread is in has the table `name` of the family `inet`.
///
/// # Errors
/// `unsupported` where the kernel has no nftables; `denied`.
pub fn has_table(name: &str) -> Result<bool> {
    let request = request(NFT_MSG_GETTABLE, NFPROTO_INET, &[(NFTA_TABLE_NAME, name)]);
    Ok(ask(request, || format!("look for table {name}"))?.is_some())
}

/// The chain of that name in table `table` of the network namespace that this thread is in; `None` without one.
///
/// # Errors
/// As [`has_table`].
pub fn chain(family: Family, table: &str, name: &str) -> Result<Option<Chain>> {
    let words = [(NFTA_CHAIN_TABLE, table), (NFTA_CHAIN_NAME, name)];
    let Some(answer) = ask(request(NFT_MSG_GETCHAIN, family as u8, &words), || format!("look for chain {name}"))?
    else {
        return Ok(None);
    };
    // Numbers within are big-endian.
    let number = |kind| {
        nfnetlink::attribute(nfnetlink::body(&answer), kind)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes)
    };
    let drops = number(NFTA_CHAIN_POLICY) == Some(NF_DROP);
    Ok(Some(Chain { drops, uses: number(NFTA_CHAIN_USE).unwrap_or_default() }))
}

/// The answer to a request for one thing; `None` where it is not there.
fn ask(request: Request, what: impl Fn() -> String) -> Result<Option<Vec<u8>>> {
    let answer = Connection::open(&what)?.ask(request, 0).cannot(&what)?;
    let Some(error) = nfnetlink::error(&answer) else { return Ok(Some(answer)) };
    match error.kind() {
        ErrorKind::NotFound => Ok(None),
        // What a subsystem that is not there answers.
        ErrorKind::InvalidInput => Err(Error::new(Code::Unsupported, "this kernel has no nftables: networks need it")),
        _ => Err(error).cannot(what),
    }
}

/// A request with attributes that are texts.
fn request(message: u16, family: u8, attributes: &[(u16, &str)]) -> Request {
    let mut request = Request::new(NFTABLES | message, family);
    for (kind, text) in attributes {
        request.text(*kind, text);
    }
    request
}
