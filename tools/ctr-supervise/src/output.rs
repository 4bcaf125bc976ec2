//! What the container writes: into the log, and to those who attached.

use crate::clients::Clients;
use ctr_attach_protocol::{LIMIT, Packet};
use ctr_log::{Stream, Writer};
use rustix::{buffer::spare_capacity, io::Errno};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// As much as a pipe holds (pipe(7)).
const PIECE: usize = 64 << 10;

/// One source of output.
pub struct Source {
    /// `None` once nobody can write to it any more.
    fd: Option<OwnedFd>,
    stream: Stream,
    /// A terminal that nobody has open just now (EIO): a process of the container may open it again, and no event
    /// tells.
    pub unheld: bool,
}

impl Source {
    /// A source of records of `stream`.
    pub fn new(fd: OwnedFd, stream: Stream) -> Self {
        Self { fd: Some(fd), stream, unheld: false }
    }

    /// What to wait for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there, at most a piece; gives whether there may be more.
    pub fn read(&mut self, log: &mut Writer, clients: &mut Clients) -> bool {
        let Some(fd) = &self.fd else { return false };
        // Only as much of it becomes memory as the kernel fills.
        let mut piece = Vec::with_capacity(PIECE);
        match rustix::io::read(fd, spare_capacity(&mut piece)) {
            Ok(0) => {
                self.fd = None;
                false
            }
            Ok(_) => {
                self.unheld = false;
                log.write(self.stream, &piece);
                for bytes in piece.chunks(LIMIT - 1) {
                    clients.tell(&match self.stream {
                        Stream::Stdout => Packet::Output(bytes),
                        Stream::Stderr => Packet::Errors(bytes),
                    });
                }
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(Errno::IO) => {
                self.unheld = true;
                false
            }
            Err(_) => {
                self.fd = None;
                false
            }
        }
    }
}
