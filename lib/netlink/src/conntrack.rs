//! Connections that the kernel remembers the way of. What belongs to one is led to where its first packet was, whatever the rules
//! say since, and for datagrams anything between two ports is one, until nothing came for half a minute or three
//! (`<linux/netfilter/nfnetlink_conntrack.h>`).

use ctr_core::{Cannot, Result, json, trace};
use ctr_net::nfnetlink::{self, Connection, NESTED, NLM_F_ACK, Request, append, attribute, body};
use std::{
    io::{self, ErrorKind},
    net::IpAddr,
};

/// `NFNL_SUBSYS_CTNETLINK << 8` and `IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const UDP: u8 = 17;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
/// Within a tuple, and within its two parts.
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
/// Within a filter: which fields of the first direction are to be compared, and which of the other.
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const COMPARE_SOURCE: u32 = 1;
const COMPARE_TO: u32 = 1 << 1;
const COMPARE_PROTOCOL: u32 = 1 << 3;
const COMPARE_PORT: u32 = 1 << 5;

/// Which connections are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Those that this address began.
    From(IpAddr),
    /// Those that this address answers, by whatever address it was asked.
    To(IpAddr),
    /// The datagrams for this port of this address; 0.0.0.0 and ::: of every one of that kind.
    Datagrams(IpAddr, u16),
}

/// Lets the kernel forget connections of the network namespace that this thread is in: what comes next goes by the rules.
///
/// # Errors
/// The kernel's; one without such a memory has nothing to forget.
pub fn forget(which: &[Connections]) -> Result<()> {
    if which.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = which.iter().map(|which| format!("{which:?}")).collect();
    let what = || "forget connections".to_owned();
    trace::act(
        "forget",
        || json!({"connections": shown}),
        || {
            let connection = Connection::open(what)?;
            for one in which {
                let answer = connection.ask(one.all(), NLM_F_ACK).cannot(what)?;
                match nfnetlink::error(&answer) {
                    None => {}
                    // Kernels before 6.8 take no filter there, and miss the rest of a connection's description.
                    Some(e) if is_unknown(&e) => {
                        return [AF_INET, AF_INET6]
                            .into_iter()
                            .try_for_each(|family| by_list(&connection, family, which))
                            .cannot(what);
                    }
                    Some(e) => return Err(e).cannot(what),
                }
            }
            Ok(())
        },
    )
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

/// The same, one by one.
fn by_list(connection: &Connection, family: u8, which: &[Connections]) -> io::Result<()> {
    let mut stale = Vec::new();
    let listed = connection.list(Request::new(GET, family), |message| {
        let part = |kind| attribute(body(message), kind);
        let read = || Some((Direction::read(part(CTA_TUPLE_ORIG)?)?, Direction::read(part(CTA_TUPLE_REPLY)?)?));
        let Some((asked, answered)) = read() else { return };
        if which.iter().any(|which| which.mean(&asked, &answered)) {
            let mut request = Request::new(DELETE, family);
            for (kind, nested) in [(CTA_TUPLE_ORIG, NESTED), (CTA_ID, 0), (CTA_ZONE, 0)] {
                if let Some(value) = part(kind) {
                    request.attribute(kind | nested, value);
                }
            }
            stale.push(request);
        }
    });
    match listed {
        // The kernel has no such subsystem.
        Err(e) if is_unknown(&e) => return Ok(()),
        other => other?,
    }
    for request in stale {
        // One that is not there ended meanwhile.
        if let Some(e) =
            nfnetlink::error(&connection.ask(request, NLM_F_ACK)?).filter(|e| e.kind() != ErrorKind::NotFound)
        {
            return Err(e);
        }
    }
    Ok(())
}

impl Connections {
    /// The request to forget all of them.
    fn all(self) -> Request {
        let (mut ip, mut protocol) = (Vec::new(), Vec::new());
        let (kind, flags) = match self {
            Self::From(address) => {
                add(&mut ip, [CTA_IP_V4_SRC, CTA_IP_V6_SRC], address);
                (CTA_TUPLE_ORIG, COMPARE_SOURCE)
            }
            Self::To(address) => {
                add(&mut ip, [CTA_IP_V4_SRC, CTA_IP_V6_SRC], address);
                (CTA_TUPLE_REPLY, COMPARE_SOURCE)
            }
            Self::Datagrams(address, port) => {
                append(&mut protocol, CTA_PROTO_NUM, &[UDP]);
                append(&mut protocol, CTA_PROTO_DST_PORT, &port.to_be_bytes());
                add(&mut ip, [CTA_IP_V4_DST, CTA_IP_V6_DST], address);
                let to = if address.is_unspecified() { 0 } else { COMPARE_TO };
                (CTA_TUPLE_ORIG, COMPARE_PROTOCOL | COMPARE_PORT | to)
            }
        };
        let (mut tuple, mut filter) = (Vec::new(), Vec::new());
        append(&mut tuple, CTA_TUPLE_IP | NESTED, &ip);
        append(&mut tuple, CTA_TUPLE_PROTO | NESTED, &protocol);
        for (direction, of) in [(CTA_FILTER_ORIG_FLAGS, CTA_TUPLE_ORIG), (CTA_FILTER_REPLY_FLAGS, CTA_TUPLE_REPLY)] {
            append(&mut filter, direction, &(if kind == of { flags } else { 0 }).to_ne_bytes());
        }
        let mut request = Request::new(DELETE, self.family());
        request.attribute(kind | NESTED, &tuple);
        request.attribute(CTA_FILTER | NESTED, &filter);
        request
    }

    fn family(self) -> u8 {
        let (Self::From(address) | Self::To(address) | Self::Datagrams(address, _)) = self;
        if address.is_ipv4() { AF_INET } else { AF_INET6 }
    }

    /// Whether they are one of which one direction is this, the other that.
    fn mean(self, asked: &Direction, answered: &Direction) -> bool {
        match self {
            Self::From(address) => asked.source == address,
            Self::To(address) => answered.source == address,
            Self::Datagrams(ip, port) => {
                asked.protocol == UDP
                    && asked.port == port
                    && (ip == asked.to || ip.is_unspecified() && ip.is_ipv4() == asked.to.is_ipv4())
            }
        }
    }
}

/// Adds an address to others, as the attribute of its kind.
fn add(ip: &mut Vec<u8>, [four, six]: [u16; 2], address: IpAddr) {
    match address {
        IpAddr::V4(address) => append(ip, four, &address.octets()),
        IpAddr::V6(address) => append(ip, six, &address.octets()),
    }
}

/// One direction of a connection: who sends, to whom.
struct Direction {
    source: IpAddr,
    to: IpAddr,
    protocol: u8,
    /// 0 for protocols without ports.
    port: u16,
}

impl Direction {
    fn read(tuple: &[u8]) -> Option<Self> {
        let ip = attribute(tuple, CTA_TUPLE_IP)?;
        let protocol = attribute(tuple, CTA_TUPLE_PROTO)?;
        let four = |kind| attribute(ip, kind).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(IpAddr::from);
        let six = |kind| attribute(ip, kind).and_then(|b| <[u8; 16]>::try_from(b).ok()).map(IpAddr::from);
        let port = attribute(protocol, CTA_PROTO_DST_PORT).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
        Some(Self {
            source: four(CTA_IP_V4_SRC).or_else(|| six(CTA_IP_V6_SRC))?,
            to: four(CTA_IP_V4_DST).or_else(|| six(CTA_IP_V6_DST))?,
            protocol: *attribute(protocol, CTA_PROTO_NUM)?.first()?,
            port: port.unwrap_or_default(),
        })
    }
}
