//! Queries by UDP that others are asked: to each server from a socket of its own, which the kernel gives a random port and
//! which takes answers of that server alone (RFC 5452).

use crate::{
    answer::{self, Forward},
    decide::{self, Heard, Verdict, decide, last_resort},
    query::HEADER,
    trace::Line,
    upstream::Upstreams,
};
use rustix::event::epoll::{self, EventData, EventFlags};
use simple_dns::RCODE;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    rc::Rc,
    time::{Duration, Instant},
};

/// How long a server is waited for where a later one has said that there is no such name.
const GRACE: Duration = Duration::from_millis(250);
/// How long all of them are: by then clients ask again.
const DEADLINE: Duration = Duration::from_secs(4);
/// Queries that wait for answers.
pub const MAX_PENDING: usize = 1000;
/// Those of one container.
pub const MAX_OF_ONE: usize = 100;
/// How long a server is listened to after the query was settled without it: only to know that it is not silent.
const LATE: Duration = Duration::from_secs(10);
/// Sockets that are.
const MAX_LATE: usize = 256;
/// The port of servers.
const DNS: u16 = 53;
/// The lowest bits of a socket's mark are its place in the list of servers, the others tell the query. What is lower belongs to
/// other descriptors.
pub const FIRST_MARK: u64 = 1 << 8;

/// One that waits.
struct Pending {
    client: SocketAddr,
    forward: Forward,
    id: u16,
    sockets: Vec<Option<UdpSocket>>,
    heard: Vec<Heard>,
    start: Instant,
    line: Line,
}

/// One server's answer that is of no use any more.
struct Late {
    mark: u64,
    server: IpAddr,
    socket: UdpSocket,
    id: u16,
    /// The question.
    asked: Vec<u8>,
    until: Instant,
}

/// All of them.
pub struct Forwards {
    epoll: Rc<OwnedFd>,
    pending: HashMap<u64, Pending>,
    /// The oldest first.
    late: VecDeque<Late>,
    of_one: HashMap<IpAddr, usize>,
    next: u64,
    buffer: Vec<u8>,
}

/// An answer that is to be sent.
pub type Reply = (SocketAddr, Vec<u8>);

impl Forwards {
    /// Sockets are watched by this `epoll`.
    pub fn new(epoll: Rc<OwnedFd>) -> Self {
        let buffer = vec![0; usize::from(u16::MAX)];
        let (pending, late, of_one) = (HashMap::new(), VecDeque::new(), HashMap::new());
        Self { epoll, pending, late, of_one, next: FIRST_MARK, buffer }
    }

    /// Asks; gives an answer where there is one at once: that nobody can be asked.
    pub fn ask(&mut self, client: SocketAddr, forward: Forward, mut line: Line) -> Option<Reply> {
        let count = self.of_one.entry(client.ip()).or_default();
        if *count >= MAX_OF_ONE || self.pending.len() >= MAX_PENDING {
            line.answer("ServerFailure: too many at once");
            line.end();
            return Some((client, answer::bare(&forward.query, forward.end, RCODE::ServerFailure, false)));
        }
        *count += 1;
        let (mark, id) = (self.next, answer::random());
        self.next += FIRST_MARK;
        let mut query = forward.query.clone();
        query[..2].copy_from_slice(&id.to_be_bytes());
        let ask = |(place, server): (usize, &IpAddr)| {
            let socket = connect(*server)?;
            epoll::add(&*self.epoll, &socket, EventData::new_u64(mark + place as u64), EventFlags::IN)?;
            socket.send(&query)?;
            Ok::<_, io::Error>(socket)
        };
        let sockets: Vec<_> = forward.servers.iter().enumerate().map(ask).map(Result::ok).collect();
        let heard = |socket: &Option<UdpSocket>| if socket.is_some() { Heard::Nothing } else { Heard::Bad(None) };
        let heard = sockets.iter().map(heard).collect();
        let pending = Pending { client, forward, id, sockets, heard, start: Instant::now(), line };
        let verdict = decide(&pending.heard, &[]);
        self.pending.insert(mark, pending);
        self.settle(mark, verdict)
    }

    /// The socket with this mark has something; gives the answer if that settles it.
    pub fn hear(&mut self, mark: u64, upstreams: &mut Upstreams) -> Option<Reply> {
        let (key, place) = (mark & !(FIRST_MARK - 1), (mark & (FIRST_MARK - 1)) as usize);
        let Some(pending) = self.pending.get_mut(&key) else {
            self.hear_late(mark, upstreams);
            return None;
        };
        let socket = pending.sockets.get(place)?.as_ref()?;
        let asked = &pending.forward.query[HEADER..pending.forward.end];
        let heard = receive(socket, &mut self.buffer, pending.id, asked)?;
        pending.sockets[place] = None;
        match heard {
            Heard::Bad(None) => upstreams.unanswered(pending.forward.servers[place], pending.start),
            _ => upstreams.answered(pending.forward.servers[place]),
        }
        pending.heard[place] = heard;
        let late = pending.start.elapsed() >= GRACE;
        let waits: Vec<bool> = pending.forward.servers.iter().map(|s| !late && !upstreams.is_silent(*s)).collect();
        let verdict = decide(&pending.heard, &waits);
        self.settle(key, verdict)
    }

    /// The same for one that was settled; by another event of the same wait it may be gone altogether.
    fn hear_late(&mut self, mark: u64, upstreams: &mut Upstreams) {
        let Some(place) = self.late.iter().position(|late| late.mark == mark) else { return };
        let late = &self.late[place];
        let Some(heard) = receive(&late.socket, &mut self.buffer, late.id, &late.asked) else { return };
        if heard != Heard::Bad(None) {
            upstreams.answered(late.server);
        }
        self.late.remove(place);
    }

    /// Settles what has waited long enough.
    pub fn settle_late(&mut self, upstreams: &mut Upstreams) -> Vec<Reply> {
        let now = Instant::now();
        let late: Vec<u64> = self.pending.iter().filter(|(_, p)| p.due() <= now).map(|(key, _)| *key).collect();
        while self.late.front().is_some_and(|late| late.until <= now) {
            self.late.pop_front();
        }
        let mut replies = Vec::new();
        for key in late {
            let Some(pending) = self.pending.get(&key) else { continue };
            for (server, heard) in pending.forward.servers.iter().zip(&pending.heard) {
                if *heard == Heard::Nothing {
                    upstreams.unanswered(*server, pending.start);
                }
            }
            let verdict = last_resort(&pending.heard);
            replies.extend(self.settle(key, verdict));
        }
        replies
    }

    /// How long until the next of them has.
    pub fn patience(&self) -> Option<Duration> {
        let late = self.late.front().map(|late| late.until);
        let next = self.pending.values().map(Pending::due).chain(late).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn settle(&mut self, key: u64, verdict: Verdict) -> Option<Reply> {
        if verdict == Verdict::Wait {
            return None;
        }
        let mut pending = self.pending.remove(&key)?;
        if let Some(count) = self.of_one.get_mut(&pending.client.ip()) {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&pending.client.ip());
            }
        }
        let until = Instant::now() + LATE;
        for (place, (server, socket)) in pending.forward.servers.iter().zip(pending.sockets).enumerate() {
            let Some(socket) = socket else { continue };
            if self.late.len() >= MAX_LATE {
                self.late.pop_front();
            }
            let asked = pending.forward.query[HEADER..pending.forward.end].to_owned();
            self.late.push_back(Late {
                mark: key + place as u64,
                server: *server,
                socket,
                id: pending.id,
                asked,
                until,
            });
        }
        let bytes = conclude(&pending.forward, verdict, pending.heard, &mut pending.line);
        Some((pending.client, bytes))
    }
}

impl Pending {
    fn due(&self) -> Instant {
        due(self.start, &self.heard)
    }
}

/// What has come on a socket; `None` where it is no answer, or not yet.
fn receive(socket: &UdpSocket, buffer: &mut [u8], id: u16, asked: &[u8]) -> Option<Heard> {
    loop {
        match socket.recv(buffer) {
            Ok(length) => {
                if let Some(heard) = decide::read(&buffer[..length], id, asked) {
                    return Some(heard);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
            // Nobody listens there, or no way leads there (ICMP).
            Err(_) => return Some(Heard::Bad(None)),
        }
    }
}

/// When a query that was sent at `start` is settled by what there is.
pub fn due(start: Instant, heard: &[Heard]) -> Instant {
    let negative = heard.iter().any(|heard| matches!(heard, Heard::Negative(_)));
    start + if negative { GRACE } else { DEADLINE }
}

fn connect(server: IpAddr) -> io::Result<UdpSocket> {
    let own: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect((server, DNS))?;
    Ok(socket)
}

/// The answer to the client: the one that counts, with the client's id, or that there is none.
pub fn conclude(forward: &Forward, verdict: Verdict, heard: Vec<Heard>, line: &mut Line) -> Vec<u8> {
    let (by, taken) = match verdict {
        Verdict::Take(place) => (forward.servers.get(place).copied(), heard.into_iter().nth(place)),
        _ => (None, None),
    };
    line.by(by);
    let bare = |rcode, truncated| answer::bare(&forward.query, forward.end, rcode, truncated);
    let bytes = match taken {
        Some(Heard::Good(bytes) | Heard::Negative(bytes) | Heard::Bad(Some(bytes))) if bytes.len() > forward.limit => {
            bare(simple_dns::header_buffer::rcode_unchecked(&bytes), true)
        }
        Some(Heard::Good(mut bytes) | Heard::Negative(mut bytes) | Heard::Bad(Some(mut bytes))) => {
            bytes[..2].copy_from_slice(&forward.query[..2]);
            bytes
        }
        _ => bare(RCODE::ServerFailure, false),
    };
    line.answer(&format!("{:?}", simple_dns::header_buffer::rcode_unchecked(&bytes)));
    line.end();
    bytes
}
