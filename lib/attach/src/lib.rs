//! What a container's supervisor and those who attach say to each other: packets on the socket `attach` of the run
//! directory, a byte that tells what it is before the bytes themselves.

use ctr_core::{Cannot, Code, Error, Result, container, ident};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::PathBuf,
};

/// Most bytes of a packet, its first byte among them.
pub const LIMIT: usize = 16 << 10;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// To the container: bytes for its stdin or terminal.
    Input(&'a [u8]),
    /// To the container: there are no more; its stdin is closed.
    InputEnds,
    /// To the container: the size of its terminal.
    Size {
        /// Lines.
        rows: u16,
        /// Characters in one.
        columns: u16,
    },
    /// From the container's stdout or terminal.
    Output(&'a [u8]),
    /// From its stderr.
    Errors(&'a [u8]),
    /// Its process ended: with this exit status.
    Ended(u8),
}

impl<'a> Packet<'a> {
    /// The packet as it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let with = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
        match self {
            Self::Input(bytes) => with(b'i', bytes),
            Self::InputEnds => with(b'c', &[]),
            Self::Size { rows, columns } => with(b's', &[rows.to_le_bytes(), columns.to_le_bytes()].concat()),
            Self::Output(bytes) => with(b'o', bytes),
            Self::Errors(bytes) => with(b'e', bytes),
            Self::Ended(status) => with(b'x', &[*status]),
        }
    }

    /// The packet that `bytes` are; `None` for what is none.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Some(match bytes {
            [b'i', rest @ ..] => Self::Input(rest),
            [b'c'] => Self::InputEnds,
            [b's', a, b, c, d] => {
                Self::Size { rows: u16::from_le_bytes([*a, *b]), columns: u16::from_le_bytes([*c, *d]) }
            }
            [b'o', rest @ ..] => Self::Output(rest),
            [b'e', rest @ ..] => Self::Errors(rest),
            [b'x', status] => Self::Ended(*status),
            _ => return None,
        })
    }
}

/// Sends one packet; gives the kernel's error (EAGAIN where the other side does not read and the socket is not to wait).
pub fn send(socket: impl AsFd, packet: &Packet<'_>) -> rustix::io::Result<()> {
    loop {
        match rustix::net::send(&socket, &packet.to_bytes(), SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one packet into `buffer`, of [`LIMIT`] bytes; gives its length, 0 at the end.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    loop {
        match rustix::net::recv(&socket, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return other.map(|(length, _)| length),
        }
    }
}

/// Connects to the supervisor of container `id`.
///
/// # Errors
/// `not-found` where it has none.
pub fn connect(id: &str) -> Result<OwnedFd> {
    let nobody = || {
        Error::new(Code::NotFound, format!("container {} has no supervisor to attach to", ident::short(id)))
            .hint("it does not run, or runs in the foreground")
    };
    let path = container::attach_socket(id);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Err(nobody()) };
    let what = || format!("attach to container {}", ident::short(id));
    let dir = match rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => return Err(nobody()),
        other => other.cannot(what)?,
    };
    let address = SocketAddrUnix::new(PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name));
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .cannot(what)?;
    match rustix::net::connect(&socket, &address.cannot(what)?) {
        Err(Errno::NOENT | Errno::CONNREFUSED) => Err(nobody()),
        other => other.map(|()| socket).cannot(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_read() {
        for packet in [
            Packet::Input(b"abc"),
            Packet::InputEnds,
            Packet::Size { rows: 24, columns: 300 },
            Packet::Output(b""),
            Packet::Errors(b"x"),
            Packet::Ended(137),
        ] {
            assert_eq!(Packet::parse(&packet.to_bytes()), Some(packet));
        }
        for bad in [&b""[..], b"s12", b"x", b"zz"] {
            assert_eq!(Packet::parse(bad), None);
        }
    }
}
