//! What a container asks: the bounds that a query must keep before anything is made of it.

use simple_dns::{OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, SimpleDnsError, header_buffer};

/// Most bytes of a query: a name has 255, options of EDNS a few hundred.
pub const MAX: usize = 4096;
/// Of the header (RFC 1035, 4.1.1).
pub const HEADER: usize = 12;
/// Of an answer by UDP to who says nothing (RFC 1035, 4.2.1).
const PLAIN: usize = 512;
/// Records behind the question: EDNS, a signature.
const MAX_ADDITIONAL: u16 = 4;
/// The highest bytes of a label's length: 0 for one that is no pointer.
const POINTER: u8 = 0b1100_0000;

/// A query.
pub struct Query<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Where its question ends.
    pub end: usize,
    /// What is asked; `None` for a type that nobody here knows.
    pub question: Option<Question<'a>>,
    /// Whether it has EDNS (RFC 6891), as its answer then.
    pub edns: bool,
    /// Most bytes of its answer.
    pub limit: usize,
}

/// What is done with what is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing: it is not to be answered.
    Drop,
    /// It is answered by this alone, with the question that ends there.
    Say(RCODE, usize),
}

/// Reads a query that came by UDP or by TCP.
pub fn read(bytes: &[u8], tcp: bool) -> Result<Query<'_>, Refusal> {
    // An answer to an answer would go round for ever.
    if bytes.len() < HEADER || header_buffer::has_flags_unchecked(bytes, PacketFlag::RESPONSE) {
        return Err(Refusal::Drop);
    }
    if header_buffer::opcode_unchecked(bytes) != OPCODE::StandardQuery {
        return Err(Refusal::Say(RCODE::NotImplemented, HEADER));
    }
    let form = Refusal::Say(RCODE::FormatError, HEADER);
    let counts = (
        header_buffer::questions_unchecked(bytes),
        header_buffer::answers_unchecked(bytes),
        header_buffer::name_servers_unchecked(bytes),
    );
    if counts != (1, 0, 0) || header_buffer::additional_records_unchecked(bytes) > MAX_ADDITIONAL || bytes.len() > MAX {
        return Err(form);
    }
    let Some(end) = question_end(bytes) else { return Err(form) };
    let plain = if tcp { usize::from(u16::MAX) } else { PLAIN };
    let mut packet = match Packet::parse(bytes) {
        Ok(packet) => packet,
        // Whoever is asked may know it.
        Err(SimpleDnsError::InvalidQType(_)) => {
            return Ok(Query { bytes, end, question: None, edns: false, limit: plain });
        }
        Err(_) => return Err(form),
    };
    let size = packet.opt().map(|opt| usize::from(opt.udp_packet_size).max(PLAIN));
    let question = packet.questions.pop().ok_or(form)?;
    // Whole zones are nobody's to ask here, nor what this server is.
    if matches!(question.qtype, QTYPE::AXFR | QTYPE::IXFR)
        || !matches!(question.qclass, QCLASS::CLASS(simple_dns::CLASS::IN))
    {
        return Err(Refusal::Say(RCODE::Refused, end));
    }
    let limit = if tcp { plain } else { size.unwrap_or(PLAIN) };
    Ok(Query { bytes, end, question: Some(question), edns: size.is_some(), limit })
}

/// Where the question ends: a name without pointers, two bytes of type, two of class.
fn question_end(bytes: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let length = *bytes.get(at)?;
        if length & POINTER != 0 || at - HEADER > 255 {
            return None;
        }
        at += 1 + usize::from(length);
        if length == 0 {
            return Some(at + 4).filter(|end| *end <= bytes.len());
        }
    }
}

impl Query<'_> {
    /// The name asked for, in lower case; `None` for one that no container can have: with a dot in a label, or another
    /// character than those of names.
    pub fn name(&self) -> Option<String> {
        let labels = self.question.as_ref()?.qname.get_labels();
        let mut name = String::with_capacity(64);
        for label in labels {
            if !name.is_empty() {
                name.push('.');
            }
            for byte in label.as_ref() {
                let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                name.push(if plain { byte.to_ascii_lowercase() as char } else { return None });
            }
        }
        Some(name).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use simple_dns::{CLASS, Name, TYPE, rdata::OPT};

    /// One of this name and type, with EDNS of `size` bytes where that is not 0.
    pub fn of(name: &str, kind: TYPE, size: u16) -> Vec<u8> {
        let mut packet = Packet::new_query(0x1234);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(Name::new(name).unwrap(), kind.into(), CLASS::IN.into(), false));
        if size > 0 {
            *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: size, version: 0 });
        }
        packet.build_bytes_vec().unwrap()
    }

    #[test]
    fn a_query_and_its_bounds() {
        let bytes = of("Web.Red", TYPE::A, 0);
        let query = read(&bytes, false).ok().unwrap();
        assert_eq!(
            (query.name().unwrap().as_str(), query.limit, query.edns, query.end),
            ("web.red", 512, false, bytes.len())
        );
        let bytes = of("web", TYPE::A, 1232);
        assert_eq!(read(&bytes, false).ok().unwrap().limit, 1232);
        let bytes = of("web", TYPE::A, 3);
        assert_eq!(read(&bytes, false).ok().unwrap().limit, 512);
        assert_eq!(read(&bytes, true).ok().unwrap().limit, 65535);
    }

    #[test]
    fn what_is_none_is_refused() {
        let refusal = |bytes: &[u8]| read(bytes, false).err();
        let good = of("web", TYPE::A, 0);
        let form = Some(Refusal::Say(RCODE::FormatError, HEADER));
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(refusal(&good), None);
        assert_eq!(refusal(&good[..11]), Some(Refusal::Drop));
        assert_eq!(refusal(&with(2, 0x81)), Some(Refusal::Drop), "an answer");
        assert_eq!(refusal(&with(2, 0x29)), Some(Refusal::Say(RCODE::NotImplemented, HEADER)));
        assert_eq!(refusal(&with(5, 2)), form, "two questions");
        assert_eq!(refusal(&with(7, 1)), form, "an answer counted");
        assert_eq!(refusal(&with(10, 0xff)), form, "65,280 records counted");
        assert_eq!(refusal(&with(12, 0xc0)), form, "a pointer");
        assert_eq!(refusal(&with(12, 40)), form, "a label beyond the end");
        assert_eq!(refusal(&good[..good.len() - 1]), form);
        assert_eq!(refusal(&with(good.len() - 3, 252)), Some(Refusal::Say(RCODE::Refused, good.len())), "AXFR");
        assert_eq!(refusal(&with(good.len() - 1, 3)), Some(Refusal::Say(RCODE::Refused, good.len())), "CHAOS");
        // A type that has no name here is somebody else's to know.
        let unknown = with(good.len() - 4, 0x77);
        assert!(read(&unknown, false).ok().unwrap().question.is_none());
    }

    #[test]
    fn no_bytes_are_too_odd() {
        // A generator of its own: every run is the same one.
        let mut seed = 1_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        };
        for round in 0..200_000 {
            let mut bytes = of("web.example", TYPE::A, if round % 2 == 0 { 1232 } else { 0 });
            for _ in 0..=round % 5 {
                let at = usize::from(next()) % bytes.len();
                bytes[at] = next();
            }
            bytes.truncate(bytes.len() - usize::from(next()) % 8);
            let _ = read(&bytes, round % 3 == 0).map(|query| query.name());
        }
    }

    #[test]
    fn names_that_only_look_like_one() {
        let bytes = of(r"web\.red", TYPE::A, 0);
        assert_eq!(read(&bytes, false).ok().unwrap().name(), None);
        let bytes = of("", TYPE::A, 0);
        assert_eq!(read(&bytes, false).ok().unwrap().name(), None);
    }
}
