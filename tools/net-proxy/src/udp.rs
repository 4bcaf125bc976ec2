//! Datagrams. Each client of a port has a socket of its own to the container, by which answers find back, until it is silent for
//! a while.

use ctr_net::proxy::Port;
use nix::{
    cmsg_space, libc,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg},
};
use rustix::event::epoll::{self, EventData, EventFlags};
use std::{
    collections::HashMap,
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    time::{Duration, Instant},
};

/// Datagrams that are taken before others have their turn.
const AT_ONCE: usize = 64;
/// How long a client may be silent, and the container.
const LIFE: Duration = Duration::from_secs(90);
/// Least time between two looks at who was silent.
const LOOK: Duration = Duration::from_secs(1);
/// Most bytes of a datagram.
const MAX: usize = 1 << 16;

/// Who asks which of the host's addresses by which socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Client {
    listener: usize,
    address: SocketAddr,
    asked: IpAddr,
}

struct Flow {
    client: Client,
    socket: UdpSocket,
    last: Instant,
}

/// The clients there are.
pub struct Flows {
    all: HashMap<u64, Flow>,
    by_client: HashMap<Client, u64>,
    next: u64,
    /// When to look who was silent.
    look: Option<Instant>,
    buffer: Vec<u8>,
    epoll: Rc<OwnedFd>,
    base: u64,
    max: usize,
}

impl Flows {
    /// At most `max`, whose events come with marks from `base` on.
    pub fn new(epoll: Rc<OwnedFd>, base: u64, max: usize) -> Self {
        let (all, by_client) = (HashMap::new(), HashMap::new());
        Self { all, by_client, next: 0, look: None, buffer: Vec::new(), epoll, base, max }
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.all.clear();
        self.by_client.clear();
        self.look = None;
    }

    /// Passes on what came for a port.
    pub fn take(&mut self, listener: usize, socket: &OwnedFd, port: &Port) {
        self.buffer.resize(MAX, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..AT_ONCE {
            let Ok((length, address, asked)) = receive(socket, &mut buffer) else { break };
            let (Some(address), Some(asked)) = (address, asked) else { continue };
            let client = Client { listener, address, asked };
            let Ok(flow) = self.of(client, port.to) else { continue };
            flow.last = Instant::now();
            if flow.socket.send(&buffer[..length]).is_err() {
                // The failure may have been that of one before: it is told once.
                let _ = flow.socket.send(&buffer[..length]);
            }
        }
        self.buffer = buffer;
    }

    fn of(&mut self, client: Client, to: SocketAddr) -> io::Result<&mut Flow> {
        let id = match self.by_client.get(&client) {
            Some(id) => *id,
            None => self.begin(client, to)?,
        };
        self.all.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn begin(&mut self, client: Client, to: SocketAddr) -> io::Result<u64> {
        if self.all.len() >= self.max
            && let Some(oldest) = self.all.iter().min_by_key(|(_, flow)| flow.last).map(|(id, _)| *id)
        {
            // One that goes on begins anew.
            self.end(oldest);
        }
        let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let (id, now) = (self.next, Instant::now());
        epoll::add(&*self.epoll, &socket, EventData::new_u64(self.base + id), EventFlags::IN)?;
        self.next += 1;
        self.all.insert(id, Flow { client, socket, last: now });
        self.by_client.insert(client, id);
        self.look.get_or_insert(now + LIFE);
        Ok(id)
    }

    fn end(&mut self, id: u64) {
        if let Some(flow) = self.all.remove(&id) {
            self.by_client.remove(&flow.client);
        }
    }

    /// Passes on what the container answered; `socket` gives that of a port.
    pub fn answer<'a>(&mut self, mark: u64, socket: impl Fn(usize) -> Option<&'a OwnedFd>) {
        self.buffer.resize(MAX, 0);
        let Some(flow) = self.all.get_mut(&(mark - self.base)) else { return };
        let Some(socket) = socket(flow.client.listener) else { return };
        for _ in 0..AT_ONCE {
            match flow.socket.recv(&mut self.buffer) {
                Ok(length) => {
                    flow.last = Instant::now();
                    // Where the queue is full it is lost, as datagrams are.
                    let _ = send(socket, &self.buffer[..length], &flow.client);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Nobody listens in the container; others may at another time.
                Err(_) => {}
            }
        }
    }

    /// When somebody will have been silent for long enough; `None`: nobody is there.
    pub fn patience(&self) -> Option<Duration> {
        self.look.map(|look| look.saturating_duration_since(Instant::now()))
    }

    /// Forgets who was silent.
    pub fn expire(&mut self) {
        let now = Instant::now();
        if self.look.is_none_or(|look| look > now) {
            return;
        }
        self.all.retain(|_, flow| now.duration_since(flow.last) < LIFE);
        self.by_client.retain(|_, id| self.all.contains_key(id));
        let oldest = self.all.values().map(|flow| flow.last).min();
        self.look = oldest.map(|last| (last + LIFE).max(now + LOOK));
    }
}

/// A datagram's length, who sent it, and to which of the host's addresses.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> nix::Result<(usize, Option<SocketAddr>, Option<IpAddr>)> {
    let mut space = cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let asked = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::from(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::from(Ipv6Addr::from(info.ipi6_addr.s6_addr))),
        _ => None,
    });
    let address = message.address.and_then(|address| {
        let four = address.as_sockaddr_in().map(|four| SocketAddr::V4(SocketAddrV4::from(*four)));
        four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddr::V6(SocketAddrV6::from(*six))))
    });
    Ok((message.bytes, address, asked))
}

/// From the address that was asked.
fn send(socket: &OwnedFd, bytes: &[u8], client: &Client) -> nix::Result<usize> {
    let (four, six);
    let control = match client.asked {
        IpAddr::V4(asked) => {
            let asked = libc::in_addr { s_addr: u32::from(asked).to_be() };
            four = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: asked, ipi_addr: libc::in_addr { s_addr: 0 } };
            ControlMessage::Ipv4PacketInfo(&four)
        }
        IpAddr::V6(asked) => {
            let asked = libc::in6_addr { s6_addr: asked.octets() };
            six = libc::in6_pktinfo { ipi6_addr: asked, ipi6_ifindex: 0 };
            ControlMessage::Ipv6PacketInfo(&six)
        }
    };
    let to = SockaddrStorage::from(client.address);
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], &[control], MsgFlags::MSG_DONTWAIT, Some(&to))
}
