//! Messages of netlink by hand, most of them of netfilter: a header, attributes, the answer (netlink(7),
//! `<linux/netfilter/nfnetlink.h>`). All is in the byte order of the machine but for numbers within attributes, and padded to
//! four bytes.

use ctr_core::{Cannot, Result};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::{NETFILTER, SocketAddrNetlink},
};
use std::{
    io::{self, ErrorKind},
    os::fd::OwnedFd,
};

/// Most bytes of one answer: the kernel makes them no longer (`netlink_dump`).
const ANSWER: usize = 32 << 10;
const NLM_F_REQUEST: u16 = 1;
/// The request is to be answered even where nothing is to be said.
pub const NLM_F_ACK: u16 = 4;
/// All there are are to be listed.
pub const NLM_F_DUMP: u16 = 0x300;
/// What is not there is made.
pub const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
/// `NFNL_SUBSYS_NFTABLES << 8`, and the family of tables of both IPv4 and IPv6.
pub const NFTABLES: u16 = 10 << 8;
/// See [`NFTABLES`].
pub const NFPROTO_INET: u8 = 1;
/// The attribute has attributes within.
pub const NESTED: u16 = 0x8000;
/// Of a netlink message, and of the netfilter message within.
const HEADERS: usize = 16 + 4;

/// A socket of the network namespace that its thread was in.
#[derive(Debug)]
pub struct Connection(OwnedFd);

impl Connection {
    /// Opens it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(what: impl Fn() -> String) -> Result<Self> {
        Self::of(Some(NETFILTER), what)
    }

    /// The same of another protocol; without one of routes and interfaces, whose number is 0.
    pub(crate) fn of(protocol: Option<Protocol>, what: impl Fn() -> String) -> Result<Self> {
        let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, protocol).cannot(&what)?;
        // Who asks is a number of the kernel's choice, and 0 the kernel.
        rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0)).cannot(&what)?;
        Ok(Self(socket))
    }

    /// Sends a request; gives the first answer.
    ///
    /// # Errors
    /// The kernel's of sending and receiving; what it answers is told by [`error`].
    pub fn ask(&self, request: Request, flags: u16) -> io::Result<Vec<u8>> {
        self.send(&request.bytes(flags))?;
        self.receive(RecvFlags::empty())
    }

    /// Sends requests to a subsystem that does all of them or none.
    ///
    /// # Errors
    /// The first refusal; the connection is of no use then, for the answers behind it are not read.
    pub fn transact(&self, subsystem: u16, requests: impl IntoIterator<Item = (Request, u16)>) -> io::Result<()> {
        let mut bytes = Request::bound(NFNL_MSG_BATCH_BEGIN, subsystem).bytes(0);
        for (request, flags) in requests {
            bytes.extend(request.bytes(flags | NLM_F_ACK));
        }
        bytes.extend(Request::bound(NFNL_MSG_BATCH_END, subsystem).bytes(0));
        self.send(&bytes)?;
        // All of it was done, and every answer is there, when that returned.
        let mut answered = false;
        loop {
            match self.receive(RecvFlags::DONTWAIT) {
                Ok(answer) => error(&answer).map_or(Ok(()), Err)?,
                Err(e) if e.kind() == ErrorKind::WouldBlock && answered => return Ok(()),
                Err(e) => return Err(e),
            }
            answered = true;
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::empty()).map(drop)?)
    }

    fn receive(&self, flags: RecvFlags) -> io::Result<Vec<u8>> {
        let mut answer = Vec::with_capacity(ANSWER);
        rustix::net::recv(&self.0, rustix::buffer::spare_capacity(&mut answer), flags)?;
        Ok(answer)
    }

    /// Sends a request for many things; gives the message of each to `f`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn list(&self, request: Request, mut f: impl FnMut(&[u8])) -> io::Result<()> {
        let mut answer = self.ask(request, NLM_F_DUMP)?;
        loop {
            let mut rest = &answer[..];
            while let Some(length) =
                word(rest, 0).map(|length| length as usize).filter(|l| (16..=rest.len()).contains(l))
            {
                let (message, behind) = rest.split_at(length);
                match half(message, 4) {
                    Some(NLMSG_DONE) => return Ok(()),
                    Some(NLMSG_ERROR) => return error(message).map_or(Ok(()), Err),
                    _ => f(message),
                }
                rest = behind.get(length.next_multiple_of(4) - length..).unwrap_or_default();
            }
            answer = self.receive(RecvFlags::empty())?;
        }
    }
}

/// A message to the kernel.
#[derive(Debug)]
pub struct Request(Vec<u8>);

impl Request {
    /// One of that kind, subsystem and message, about packets of `family`.
    pub fn new(kind: u16, family: u8) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([family, 0, 0, 0]);
        Self(bytes)
    }

    /// A bound of a transaction: its resource, big-endian, is the subsystem.
    fn bound(kind: u16, subsystem: u16) -> Self {
        let mut request = Self::new(kind, 0);
        request.0[18..20].copy_from_slice(&(subsystem >> 8).to_be_bytes());
        request
    }

    /// Adds what stands between the header and the attributes.
    pub(crate) fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        append(&mut self.0, kind, value);
    }

    /// Adds one that is a text.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat());
    }

    fn bytes(mut self, flags: u16) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[6..8].copy_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        self.0
    }
}

/// Appends an attribute to others, which may be the value of one.
pub fn append(attributes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    attributes.extend(((4 + value.len()) as u16).to_ne_bytes());
    attributes.extend(kind.to_ne_bytes());
    attributes.extend(value);
    attributes.resize(attributes.len().next_multiple_of(4), 0);
}

/// The kernel's refusal, where the message is one; what it did is answered by a refusal with number 0.
pub fn error(message: &[u8]) -> Option<io::Error> {
    let number = word(message, 16).filter(|number| half(message, 4) == Some(NLMSG_ERROR) && *number != 0)?;
    Some(io::Error::from_raw_os_error((number as i32).wrapping_neg()))
}

/// The attributes of a message.
pub fn body(message: &[u8]) -> &[u8] {
    message.get(HEADERS..).unwrap_or_default()
}

/// The attribute of that kind.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(other, _)| *other == kind).map(|(_, value)| value)
}

/// Attributes by their kinds: each is its length with these four bytes, its kind, the rest.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(half(bytes, 0)?).max(4);
        let (kind, value) = (half(bytes, 2)? & !NESTED, bytes.get(4..length)?);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_again() {
        let mut request = Request::new(0x0a04, 2);
        request.attribute(1, b"filter\0");
        request.attribute(NESTED | 3, b"FORWARD\0");
        let message = request.bytes(0);
        assert_eq!((message.len() % 4, word(&message, 0)), (0, Some(message.len() as u32)));
        assert_eq!(attribute(body(&message), 3), Some(&b"FORWARD\0"[..]));
        assert_eq!(attribute(body(&message), 5), None);
        assert_eq!(attribute(&body(&message)[..3], 1), None);
        assert_eq!(attribute(&body(&message)[..6], 1), None);
        assert!(error(&message).is_none());
    }
}
