//! What is typed for the container: to its stdin, or to its terminal.

use ctr_attach_protocol::Packet;
use rustix::{io::Errno, termios::Winsize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where it goes to.
pub enum Sink {
    /// A pipe, until it is closed.
    Pipe(Option<OwnedFd>),
    /// The terminal; its output is read from another copy of the descriptor.
    Terminal(OwnedFd),
}

/// The bytes on their way.
pub struct Input {
    sink: Sink,
    waiting: Vec<u8>,
    ends: bool,
}

impl Input {
    /// Nothing on its way yet.
    pub fn new(sink: Sink) -> Self {
        Self { sink, waiting: Vec::new(), ends: false }
    }

    /// Acts on a packet of somebody who attached.
    pub fn take(&mut self, packet: &Packet<'_>) {
        match *packet {
            Packet::Input(bytes) if !self.ends => {
                self.waiting.extend_from_slice(bytes);
                self.write();
            }
            Packet::InputEnds => {
                self.ends = matches!(self.sink, Sink::Pipe(_));
                self.write();
            }
            Packet::Size { rows, columns } => {
                if let Sink::Terminal(terminal) = &self.sink {
                    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
                    let _ = rustix::termios::tcsetwinsize(terminal, size);
                }
            }
            _ => {}
        }
    }

    /// The descriptor that is waited for, while bytes are on their way: until then no more are taken.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        if self.waiting.is_empty() { None } else { self.fd() }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.sink {
            Sink::Pipe(fd) => fd.as_ref().map(AsFd::as_fd),
            Sink::Terminal(fd) => Some(fd.as_fd()),
        }
    }

    /// Writes what can be written.
    pub fn write(&mut self) {
        while !self.waiting.is_empty() {
            let Some(fd) = self.fd() else {
                self.waiting = Vec::new();
                break;
            };
            match rustix::io::write(fd, &self.waiting) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // Nobody reads it any more.
                Err(_) => self.waiting = Vec::new(),
            }
        }
        self.waiting = Vec::new();
        if self.ends {
            self.sink = Sink::Pipe(None);
        }
    }
}
