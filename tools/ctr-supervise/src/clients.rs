//! Those who attached: each gets what the container writes, and what they type is for the container.

use ctr_attach_protocol::{LIMIT, Packet, receive, send};
use rustix::{io::Errno, net::SocketFlags};
use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

/// A client that reads nothing for so long is let go: the container must not wait for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// More at once nobody needs, and each may hold up the others.
const MOST: usize = 16;

/// One of them.
pub struct Client {
    socket: OwnedFd,
    /// What its socket did not take, at most what one read of the container gave.
    late: VecDeque<Vec<u8>>,
    /// Since when.
    since: Instant,
}

/// All of them.
#[derive(Default)]
pub struct Clients(Vec<Client>);

impl Clients {
    /// Takes in whoever waits at the socket.
    pub fn accept(&mut self, listen: BorrowedFd<'_>) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(socket) = rustix::net::accept_with(listen, flags) {
            if self.0.len() < MOST {
                self.0.push(Client { socket, late: VecDeque::new(), since: Instant::now() });
            }
        }
    }

    /// Sends a packet to each.
    pub fn tell(&mut self, packet: &Packet<'_>) {
        self.0.retain_mut(|client| client.tell(packet));
    }

    /// Whether one of them is behind: nothing is read from the container meanwhile.
    pub fn are_behind(&self) -> bool {
        self.0.iter().any(|client| !client.late.is_empty())
    }

    /// When the first of those behind is let go.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|client| !client.late.is_empty()).map(|client| client.since + PATIENCE).min()
    }

    /// Lets those go that have been behind for too long.
    pub fn let_go(&mut self) {
        self.0.retain(|client| client.late.is_empty() || client.since.elapsed() < PATIENCE);
    }

    /// Their sockets, each with whether it is to be written to.
    pub fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        self.0.iter().map(|client| (client.socket.as_fd(), !client.late.is_empty()))
    }

    /// Tries again with the one at `place`, which takes bytes now.
    pub fn catch_up(&mut self, place: usize) {
        let Some(client) = self.0.get_mut(place) else { return };
        while let Some(bytes) = client.late.front() {
            match Packet::parse(bytes).map_or(Ok(()), |packet| send(&client.socket, &packet)) {
                Ok(()) => drop(client.late.pop_front()),
                Err(Errno::AGAIN) => return,
                Err(_) => return drop(self.0.remove(place)),
            }
        }
    }

    /// Reads a packet of the one at `place` into `f`; one that hung up is gone.
    pub fn read(&mut self, place: usize, f: impl FnOnce(Packet<'_>)) {
        let Some(client) = self.0.get(place) else { return };
        let mut buffer = [0; LIMIT];
        match receive(&client.socket, &mut buffer) {
            Ok(n @ 1..) => {
                if let Some(packet) = Packet::parse(&buffer[..n]) {
                    f(packet);
                }
            }
            Err(Errno::AGAIN) => {}
            Ok(_) | Err(_) => drop(self.0.remove(place)),
        }
    }
}

impl Client {
    /// Gives whether it is still there.
    fn tell(&mut self, packet: &Packet<'_>) -> bool {
        if !self.late.is_empty() {
            self.late.push_back(packet.to_bytes());
            return true;
        }
        match send(&self.socket, packet) {
            Ok(()) => true,
            Err(Errno::AGAIN) => {
                self.since = Instant::now();
                self.late.push_back(packet.to_bytes());
                true
            }
            Err(_) => false,
        }
    }
}
