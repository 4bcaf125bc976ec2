//! What a query is answered by: from the records, or by whom else is asked.

use crate::{
    names::{Asker, Names, Owner},
    query::{self, HEADER, Query, Refusal},
    trace::Line,
    upstream::Upstreams,
};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, AAAA, OPT, PTR, RData},
};
use std::net::IpAddr;

/// Most bytes of an own answer by UDP: what no path cuts into pieces.
const UNCUT: u16 = 1232;
/// How long an own answer is good for: it may be otherwise at once.
const TTL: u32 = 0;

/// What is done with a query.
pub enum Reaction {
    /// It is answered.
    Reply(Vec<u8>),
    /// Others are asked.
    Ask(Forward),
    /// Nothing: it is no query, or nobody's.
    Drop,
}

/// A query that others are asked.
pub struct Forward {
    /// Whom, the first one first.
    pub servers: Vec<IpAddr>,
    /// The query as it came.
    pub query: Vec<u8>,
    /// Where its question ends.
    pub end: usize,
    /// Most bytes of its answer.
    pub limit: usize,
}

/// Decides; says in `line` what and why.
pub fn react(
    names: &mut Names,
    upstreams: &mut Upstreams,
    from: IpAddr,
    bytes: &[u8],
    tcp: bool,
    line: &mut Line,
) -> Reaction {
    let Some(asker) = names.asker(from) else {
        line.answer("dropped: nobody's address");
        return Reaction::Drop;
    };
    line.container(&asker.id);
    let query = match query::read(bytes, tcp) {
        Ok(query) => query,
        Err(Refusal::Drop) => {
            line.answer("dropped: no query");
            return Reaction::Drop;
        }
        Err(Refusal::Say(rcode, end)) => {
            line.answer(&format!("{rcode:?}"));
            return Reaction::Reply(bare(bytes, end, rcode, false));
        }
    };
    line.asked(&query);
    if let Some(reply) = own(names, &asker, &query, line) {
        return Reaction::Reply(reply);
    }
    let servers = if asker.goes_out { upstreams.of(&asker.upstreams) } else { Vec::new() };
    if servers.is_empty() {
        line.answer("ServerFailure");
        return Reaction::Reply(bare(bytes, query.end, RCODE::ServerFailure, false));
    }
    Reaction::Ask(Forward { servers, query: bytes.to_owned(), end: query.end, limit: query.limit })
}

/// The answer that the records give; `None` where the name is none of ours.
fn own(names: &mut Names, asker: &Asker, query: &Query<'_>, line: &mut Line) -> Option<Vec<u8>> {
    let question = query.question.as_ref()?;
    let name = query.name()?;
    let kind = question.qtype;
    if let Some(mut found) = names.addresses(asker, &name) {
        let any = kind == QTYPE::ANY;
        found.retain(|address| any || kind == QTYPE::TYPE(if address.is_ipv4() { TYPE::A } else { TYPE::AAAA }));
        turn(&mut found);
        line.addresses(&found);
        let data = found.iter().map(|address| match address {
            IpAddr::V4(address) => RData::A(A::from(*address)),
            IpAddr::V6(address) => RData::AAAA(AAAA::from(*address)),
        });
        // Of a name that is ours there is nothing else: no type is asked elsewhere.
        return Some(reply(query, RCODE::NoError, data.collect()));
    }
    let address = reversed(&name).filter(|_| kind == QTYPE::TYPE(TYPE::PTR))?;
    match names.owner(asker, address) {
        Owner::Called(name) => {
            line.answer(&name);
            let data = Name::new(&name).map(|name| vec![RData::PTR(PTR(name.into_owned()))]);
            Some(reply(query, RCODE::NoError, data.unwrap_or_default()))
        }
        Owner::Nobody => {
            line.answer("NameError");
            Some(reply(query, RCODE::NameError, Vec::new()))
        }
        Owner::Elsewhere => None,
    }
}

/// Round robin: who takes the first address takes another one each time.
fn turn(addresses: &mut [IpAddr]) {
    if addresses.len() > 1 {
        addresses.rotate_left(usize::from(random()) % addresses.len());
    }
}

/// Two random bytes.
pub fn random() -> u16 {
    let mut bytes = [0; 2];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u16::from_ne_bytes(bytes)
}

/// The address that a name in `in-addr.arpa` or `ip6.arpa` stands for (RFC 1035, 3.5; RFC 3596, 2.5).
fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa") {
        let parts: Vec<&str> = digits.rsplit('.').collect();
        return (parts.len() == 4).then(|| parts.join(".").parse().ok().map(IpAddr::V4))?;
    }
    let digits: String = name.strip_suffix(".ip6.arpa")?.rsplit('.').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u128::from_str_radix(&digits, 16).ok().map(|bits| IpAddr::V6(bits.into())))?
}

/// An own answer; as much of it as fits, and marked where that is not all.
fn reply(query: &Query<'_>, rcode: RCODE, data: Vec<RData<'_>>) -> Vec<u8> {
    let Some(question) = &query.question else { return bare(query.bytes, query.end, rcode, false) };
    let mut packet = Packet::new_reply(simple_dns::header_buffer::id_unchecked(query.bytes));
    let wants = simple_dns::header_buffer::has_flags_unchecked(query.bytes, PacketFlag::RECURSION_DESIRED);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    if wants {
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *packet.rcode_mut() = rcode;
    packet.answers = data.into_iter().map(|d| ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL, d)).collect();
    packet.questions.push(question.clone());
    if query.edns {
        *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: UNCUT, version: 0 });
    }
    let limit = if query.limit == usize::from(u16::MAX) { query.limit } else { query.limit.min(usize::from(UNCUT)) };
    loop {
        match packet.build_bytes_vec_compressed() {
            Ok(bytes) if bytes.len() <= limit => return bytes,
            Ok(_) if packet.answers.pop().is_some() => packet.set_flags(PacketFlag::TRUNCATION),
            _ => return bare(query.bytes, query.end, RCODE::ServerFailure, false),
        }
    }
}

/// An answer that has nothing but the query's question, which ends there: an error, or that the whole one is too long.
pub fn bare(query: &[u8], end: usize, rcode: RCODE, truncated: bool) -> Vec<u8> {
    let mut bytes = query[..end].to_owned();
    // Of the flags the query's opcode and its wish for recursion stay (RFC 1035, 4.1.1).
    bytes[2] = 0x80 | bytes[2] & 0x79 | if truncated { 0x02 } else { 0 };
    bytes[3] = 0x80 | rcode as u8 & 0x0f;
    bytes[4..HEADER].fill(0);
    bytes[5] = u8::from(end > HEADER);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::tests::of;

    #[test]
    fn reverse_names() {
        for (name, address) in [
            ("2.0.91.10.in-addr.arpa", Some("10.91.0.2")),
            ("91.10.in-addr.arpa", None),
            ("256.0.91.10.in-addr.arpa", None),
            ("1.2.0.91.10.in-addr.arpa", None),
            ("in-addr.arpa", None),
            ("web", None),
        ] {
            assert_eq!(reversed(name), address.map(|a| a.parse().unwrap()), "{name}");
        }
        let v6 = format!("1{}.8.b.d.0.1.0.0.2.ip6.arpa", ".0".repeat(23));
        assert_eq!(reversed(&v6), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(reversed(&v6[2..]), None);
    }

    fn many(n: u8) -> Vec<RData<'static>> {
        (0..n).map(|n| RData::A(A::from(std::net::Ipv4Addr::new(10, 9, 0, n)))).collect()
    }

    #[test]
    fn an_answer_fits_or_says_so() {
        for (size, tcp, whole) in [(0, false, false), (1232, false, false), (65000, false, false), (0, true, true)] {
            let bytes = of("web", TYPE::A, size);
            let query = query::read(&bytes, tcp).ok().unwrap();
            let answer = reply(&query, RCODE::NoError, many(200));
            assert!(answer.len() <= if tcp { 65535 } else { usize::from(size).clamp(512, 1232) }, "{}", answer.len());
            let packet = Packet::parse(&answer).unwrap();
            assert_eq!(packet.has_flags(PacketFlag::TRUNCATION), !whole);
            assert_eq!(packet.answers.len() == 200, whole);
            assert!(packet.answers.len() > 20);
            assert_eq!(packet.opt().is_some(), size > 0);
            assert_eq!(packet.id(), 0x1234);
        }
    }

    #[test]
    fn an_error_has_the_question_alone() {
        let bytes = of("web", TYPE::A, 1232);
        let query = query::read(&bytes, false).ok().unwrap();
        let answer = bare(&bytes, query.end, RCODE::ServerFailure, true);
        let packet = Packet::parse(&answer).unwrap();
        assert_eq!((packet.id(), packet.rcode(), packet.questions.len()), (0x1234, RCODE::ServerFailure, 1));
        assert!(packet.has_flags(PacketFlag::RESPONSE | PacketFlag::TRUNCATION | PacketFlag::RECURSION_DESIRED));
        let packet = bare(&bytes, HEADER, RCODE::FormatError, false);
        assert_eq!(Packet::parse(&packet).unwrap().rcode(), RCODE::FormatError);
    }

    #[test]
    fn each_is_first_at_times() {
        let all: Vec<IpAddr> = (1..4).map(|n| IpAddr::from([10, 9, 0, n])).collect();
        let firsts: std::collections::HashSet<IpAddr> = (0..200)
            .map(|_| {
                let mut turned = all.clone();
                turn(&mut turned);
                turned[0]
            })
            .collect();
        assert_eq!(firsts.len(), 3);
    }
}
