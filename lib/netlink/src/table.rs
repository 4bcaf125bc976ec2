//! What nftables has of a table or a chain: one message to the kernel instead of a process of nft(8).

use ctr_core::{Cannot, Code, Error, Result};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use std::io::ErrorKind;

/// `NFNL_SUBSYS_NFTABLES << 8` (`<linux/netfilter/nfnetlink.h>`), and of it (`nf_tables.h`):
const NFTABLES: u16 = 10 << 8;
const NFT_MSG_GETTABLE: u16 = 1;
const NFT_MSG_GETCHAIN: u16 = 4;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_USE: u16 = 6;
const NF_DROP: u32 = 0;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NFPROTO_INET: u8 = 1;
/// Of a netlink message, and of the netfilter message within.
const HEADERS: usize = 16 + 4;

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
    Ok(ask(&request, || format!("look for table {name}"))?.is_some())
}

/// The chain of that name in table `table` of the network namespace that this thread is in; `None` without one.
///
/// # Errors
/// As [`has_table`].
pub fn chain(family: Family, table: &str, name: &str) -> Result<Option<Chain>> {
    let words = [(NFTA_CHAIN_TABLE, table), (NFTA_CHAIN_NAME, name)];
    let Some(answer) = ask(&request(NFT_MSG_GETCHAIN, family as u8, &words), || format!("look for chain {name}"))?
    else {
        return Ok(None);
    };
    // Numbers within are big-endian.
    let number = |kind| attribute(&answer, kind).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let drops = number(NFTA_CHAIN_POLICY) == Some(NF_DROP);
    Ok(Some(Chain { drops, uses: number(NFTA_CHAIN_USE).unwrap_or_default() }))
}

/// The answer to a request for one thing; `None` where it is not there.
fn ask(request: &[u8], what: impl Fn() -> String) -> Result<Option<Vec<u8>>> {
    let socket = Socket::new(NETLINK_NETFILTER).cannot(&what)?;
    socket.connect(&SocketAddr::new(0, 0)).cannot(&what)?;
    socket.send(request, 0).cannot(&what)?;
    let (answer, _) = socket.recv_from_full().cannot(&what)?;
    let field = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    if half(&answer, 4) != Some(NLMSG_ERROR) {
        return Ok(Some(answer));
    }
    let error = std::io::Error::from_raw_os_error(-field(16).unwrap_or_default());
    match error.kind() {
        ErrorKind::NotFound => Ok(None),
        // What a subsystem that is not there answers.
        ErrorKind::InvalidInput => Err(Error::new(Code::Unsupported, "this kernel has no nftables: networks need it")),
        _ => Err(error).cannot(what),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
}

/// The attribute of that kind: each is its length with these four bytes, its kind, the rest, padded to four.
fn attribute(message: &[u8], kind: u16) -> Option<&[u8]> {
    let mut at = HEADERS;
    loop {
        let length = usize::from(half(message, at)?).max(4);
        if half(message, at + 2)? == kind {
            return message.get(at + 4..at + length);
        }
        at += length.next_multiple_of(4);
    }
}

/// A netlink header, a netfilter header, attributes that are texts (netlink(7): all in the byte order of the machine, padded
/// to four bytes).
fn request(message: u16, family: u8, attributes: &[(u16, &str)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend([0; 4]);
    bytes.extend((NFTABLES | message).to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, 0, 0, 0]);
    for (kind, text) in attributes {
        bytes.extend(((4 + text.len() + 1) as u16).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_again() {
        let message = request(NFT_MSG_GETCHAIN, 2, &[(NFTA_CHAIN_TABLE, "filter"), (NFTA_CHAIN_NAME, "FORWARD")]);
        assert_eq!(message.len() % 4, 0);
        assert_eq!(attribute(&message, NFTA_CHAIN_NAME), Some(&b"FORWARD\0"[..]));
        assert_eq!(attribute(&message, NFTA_CHAIN_POLICY), None);
        assert_eq!(attribute(&message[..HEADERS + 3], NFTA_CHAIN_TABLE), None);
    }
}
