//! Connections. Their bytes go through pipes by splice(2) and are never copied to this process. A direction has a pipe only
//! while bytes are in it, so that a connection that is silent costs two sockets.

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::{Errno, Result},
    net::{
        AddressFamily, Shutdown, SocketFlags, SocketType, accept_with, connect, shutdown, socket_with,
        sockopt::{set_socket_keepalive, set_socket_linger, set_tcp_nodelay, socket_error},
    },
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    time::Duration,
};

/// Connections that are accepted before others have their turn.
const AT_ONCE: usize = 64;
/// Bytes that one direction moves before others have their turn.
const SHARE: usize = 4 << 20;
/// Of a pipe. The kernel gives a smaller one where the user has many (pipe(7), pipe-user-pages-soft).
const PIPE: usize = 256 << 10;
/// Pipes that are kept for the next.
const SPARE: usize = 8;

/// What became of a call to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is more.
    Left,
    /// No more are accepted until one ends.
    None,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// One direction of a connection.
#[derive(Default)]
struct Flow {
    pipe: Option<Pipe>,
    /// Bytes in the pipe.
    held: usize,
    /// Who sends has ended.
    ended: bool,
    /// Who receives was told so.
    told: bool,
}

struct Connection {
    /// The client, and the container.
    sides: [OwnedFd; 2],
    /// What the client sends, and the container.
    flows: [Flow; 2],
    connected: bool,
}

/// Those there are.
pub struct Connections {
    all: HashMap<u64, Connection>,
    next: u64,
    spare: Vec<Pipe>,
    /// Those whose turn was over before their bytes were.
    waiting: VecDeque<u64>,
    epoll: Rc<OwnedFd>,
    base: u64,
    max: usize,
}

impl Connections {
    /// At most `max`, whose events come with marks from `base` on.
    pub fn new(epoll: Rc<OwnedFd>, base: u64, max: usize) -> Self {
        let (all, spare, waiting) = (HashMap::new(), Vec::new(), VecDeque::new());
        Self { all, next: 0, spare, waiting, epoll, base, max }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one more may be accepted.
    pub fn has_room(&self) -> bool {
        self.all.len() < self.max
    }

    /// Whether some wait for their turn.
    pub fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Accepts what waits, and connects each to `to`.
    pub fn accept(&mut self, listener: &OwnedFd, to: SocketAddr) -> Room {
        for _ in 0..AT_ONCE {
            if !self.has_room() {
                return Room::None;
            }
            match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(client) => {
                    // It is closed by a reset where there is no way to the container.
                    let _ = set_socket_linger(&client, Some(Duration::ZERO));
                    let _ = self.begin(client, to);
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // No descriptors, no memory: what waits is accepted when a connection has ended.
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) if !self.is_empty() => {
                    return Room::None;
                }
                Err(_) => return Room::Left,
            }
        }
        Room::Left
    }

    fn begin(&mut self, client: OwnedFd, to: SocketAddr) -> Result<()> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let server = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        for side in [&client, &server] {
            // One whose other end is gone without a word ends too.
            set_socket_keepalive(side, true)?;
            // Whoever sends has collected already.
            set_tcp_nodelay(side, true)?;
        }
        match connect(&server, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(e) => return Err(e),
        }
        let id = self.next;
        for (side, fd) in [&client, &server].into_iter().enumerate() {
            let mark = EventData::new_u64(self.base + id * 2 + side as u64);
            epoll::add(&*self.epoll, fd, mark, EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET)?;
        }
        let flows = [Flow::default(), Flow::default()];
        self.all.insert(id, Connection { sides: [client, server], flows, connected: false });
        self.next += 1;
        Ok(())
    }

    /// Takes an event.
    pub fn hear(&mut self, mark: u64) {
        let (id, side) = ((mark - self.base) / 2, (mark - self.base) % 2);
        let Some(connection) = self.all.get_mut(&id) else { return };
        if !connection.connected {
            if side == 0 {
                return;
            }
            match socket_error(&connection.sides[1]) {
                Ok(Ok(())) => {
                    connection.connected = true;
                    let _ = set_socket_linger(&connection.sides[0], None);
                }
                _ => return drop(self.all.remove(&id)),
            }
        }
        self.advance(id);
    }

    /// Gives those that wait their turn.
    pub fn go_on(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(id) = self.waiting.pop_front() else { return };
            self.advance(id);
        }
    }

    fn advance(&mut self, id: u64) {
        let Some(connection) = self.all.get_mut(&id) else { return };
        let Connection { sides, flows: [there, back], .. } = connection;
        let moved = there.advance(&sides[0], &sides[1], &mut self.spare);
        match moved.and_then(|more| Ok(back.advance(&sides[1], &sides[0], &mut self.spare)? | more)) {
            Ok(true) if !self.waiting.contains(&id) => self.waiting.push_back(id),
            Ok(_) if there.told && back.told => drop(self.all.remove(&id)),
            Ok(_) => {}
            Err(_) => {
                // One side has reset it: so is the other.
                for side in sides {
                    let _ = set_socket_linger(side, Some(Duration::ZERO));
                }
                self.all.remove(&id);
            }
        }
    }
}

impl Flow {
    /// Moves bytes until one side has none, or takes none, for the moment; gives whether there may be more.
    fn advance(&mut self, from: &OwnedFd, to: &OwnedFd, spare: &mut Vec<Pipe>) -> Result<bool> {
        let mut moved = 0;
        while moved < SHARE {
            if self.held == 0 && !self.fill(from, spare)? {
                self.spare(spare);
                if self.ended && !self.told {
                    self.told = true;
                    match shutdown(to, Shutdown::Write) {
                        // It has ended as a whole.
                        Err(Errno::NOTCONN) => {}
                        other => other?,
                    }
                }
                return Ok(false);
            }
            match self.pipe.as_ref().map(|pipe| move_bytes(&pipe.read, to, self.held)) {
                Some(Ok(length)) => {
                    self.held -= length;
                    moved += length;
                }
                Some(Err(Errno::AGAIN)) | None => return Ok(false),
                Some(Err(Errno::INTR)) => {}
                Some(Err(e)) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Whether something came.
    fn fill(&mut self, from: &OwnedFd, spare: &mut Vec<Pipe>) -> Result<bool> {
        while !self.ended {
            let pipe = match self.pipe.take().or_else(|| spare.pop()) {
                Some(pipe) => pipe,
                None => Pipe::new()?,
            };
            let filled = move_bytes(from, &pipe.write, PIPE);
            self.pipe = Some(pipe);
            match filled {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    self.held = length;
                    return Ok(true);
                }
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }

    /// Gives the pipe, which is empty, to the next.
    fn spare(&mut self, spare: &mut Vec<Pipe>) {
        spare.extend(self.pipe.take().filter(|_| spare.len() < SPARE));
    }
}

impl Pipe {
    fn new() -> Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let _ = fcntl_setpipe_size(&write, PIPE);
        Ok(Self { read, write })
    }
}

fn move_bytes(from: impl AsFd, to: impl AsFd, length: usize) -> Result<usize> {
    splice(from, None, to, None, length, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)
}
