//! Whether nftables has a table: one message to the kernel instead of a process of nft(8).

use ctr_core::{Cannot, Code, Error, Result};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use std::io::ErrorKind;

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE` (`<linux/netfilter/nfnetlink.h>`, `nf_tables.h`).
const GET_TABLE: u16 = 10 << 8 | 1;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NFPROTO_INET: u8 = 1;
const NFTA_TABLE_NAME: u16 = 1;
/// Of a netlink message, and of the netfilter message within.
const HEADERS: usize = 16 + 4;

/// Whether the network namespace that this thread is in has the table `name` of the family `inet`.
///
/// # Errors
/// `unsupported` where the kernel has no nftables; `denied`.
pub fn has_table(name: &str) -> Result<bool> {
    let what = || format!("look for table {name}");
    let socket = Socket::new(NETLINK_NETFILTER).cannot(what)?;
    socket.connect(&SocketAddr::new(0, 0)).cannot(what)?;
    socket.send(&request(name), 0).cannot(what)?;
    let (answer, _) = socket.recv_from_full().cannot(what)?;
    let field = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    if kind != Some(NLMSG_ERROR) {
        return Ok(true);
    }
    let error = std::io::Error::from_raw_os_error(-field(16).unwrap_or_default());
    match error.kind() {
        ErrorKind::NotFound => Ok(false),
        // What a subsystem that is not there answers.
        ErrorKind::InvalidInput => Err(Error::new(Code::Unsupported, "this kernel has no nftables: networks need it")),
        _ => Err(error).cannot(what),
    }
}

/// A netlink header, a netfilter header, the attribute with the name (netlink(7): all in the byte order of the machine, padded
/// to four bytes).
fn request(name: &str) -> Vec<u8> {
    let attribute = 4 + name.len() + 1;
    let mut bytes = Vec::with_capacity(HEADERS + attribute + 3);
    bytes.extend(((HEADERS + attribute.next_multiple_of(4)) as u32).to_ne_bytes());
    bytes.extend(GET_TABLE.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([NFPROTO_INET, 0, 0, 0]);
    bytes.extend((attribute as u16).to_ne_bytes());
    bytes.extend(NFTA_TABLE_NAME.to_ne_bytes());
    bytes.extend(name.as_bytes());
    bytes.push(0);
    let padded = bytes.len().next_multiple_of(4);
    bytes.resize(padded, 0);
    bytes
}
