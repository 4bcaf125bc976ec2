//! The loop: connections, datagrams, and the end of the container.

use crate::{
    tcp::{Connections, Room},
    udp::Flows,
    watch::{Verdict, Watch},
};
use ctr_core::{Cannot, Result};
use ctr_net::{background, proxy::Port};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
};
use std::{
    fs::File,
    os::fd::OwnedFd,
    rc::Rc,
    time::{Duration, Instant},
};

/// What a descriptor that is ready is: below these marks a port by its place.
const WATCH: u64 = 1 << 32;
const FLOWS: u64 = 1 << 33;
const CONNECTIONS: u64 = 1 << 62;
/// Events of one wait.
const EVENTS: usize = 256;
/// Connections at once, and clients of UDP.
const MAX_CONNECTIONS: u64 = 4096;
const MAX_FLOWS: u64 = 1024;
/// Descriptors that a connection may need: two sockets, and a pipe a direction.
const OF_CONNECTION: u64 = 6;
/// Those of its own.
const OWN: u64 = 32;

/// How long it asks for the next event before it sleeps: the answer to what was passed on is often that near, and to be woken takes
/// as long.
const AWAKE: Duration = Duration::from_micros(50);

/// The ports.
struct Ports<'a> {
    all: &'a [Port],
    /// Of each; none once another has them.
    sockets: Vec<OwnedFd>,
    epoll: Rc<OwnedFd>,
    accepts: bool,
}

impl Ports<'_> {
    /// Lets connections be told of, or wait.
    fn accept(&mut self, accepts: bool) -> Result<()> {
        if self.accepts == accepts {
            return Ok(());
        }
        self.accepts = accepts;
        for (place, (port, socket)) in self.all.iter().zip(&self.sockets).enumerate() {
            if port.protocol == "udp" {
                continue;
            }
            let mark = EventData::new_u64(place as u64);
            let done = if accepts {
                epoll::add(&*self.epoll, socket, mark, EventFlags::IN)
            } else {
                epoll::delete(&*self.epoll, socket)
            };
            done.cannot(|| "watch a port")?;
        }
        Ok(())
    }
}

/// Serves until the container has ended; or another has its ports, and the last connection is over.
///
/// # Errors
/// The kernel's.
pub fn serve(id: &str, ports: &[Port], sockets: Vec<OwnedFd>, file: File) -> Result<()> {
    let epoll = Rc::new(epoll::create(CreateFlags::CLOEXEC).cannot(|| "make an epoll")?);
    let mut watch = Watch::of(id, file, Rc::clone(&epoll), WATCH)?;
    for (place, (port, socket)) in ports.iter().zip(&sockets).enumerate() {
        if port.protocol == "udp" {
            epoll::add(&*epoll, socket, EventData::new_u64(place as u64), EventFlags::IN).cannot(|| "watch a port")?;
        }
    }
    let own = OWN + ports.len() as u64;
    let has = background::confine(MAX_CONNECTIONS * OF_CONNECTION + MAX_FLOWS + own)?;
    // Where there may be few descriptors, a quarter of them is for datagrams.
    let flows = MAX_FLOWS.min(has.saturating_sub(own) / 4);
    let connections = MAX_CONNECTIONS.min((has.saturating_sub(own + flows) / OF_CONNECTION).max(1));
    let mut flows = Flows::new(Rc::clone(&epoll), FLOWS, flows.max(1) as usize);
    let mut connections = Connections::new(Rc::clone(&epoll), CONNECTIONS, connections as usize);
    let mut ports = Ports { all: ports, sockets, epoll: Rc::clone(&epoll), accepts: false };
    ports.accept(true)?;
    let mut events = Vec::with_capacity(EVENTS);
    let mut looks = true;
    let mut busy = Instant::now();
    loop {
        if looks {
            match watch.look()? {
                Verdict::Stay => {}
                Verdict::Leave => return watch.forget(),
                Verdict::Retire if ports.sockets.is_empty() => {}
                Verdict::Retire => {
                    ports.sockets.clear();
                    flows.clear();
                    watch.let_go()?;
                }
            }
        }
        if ports.sockets.is_empty() && connections.is_empty() {
            return Ok(());
        }
        let waits = (connections.are_waiting() || busy.elapsed() < AWAKE).then_some(Duration::ZERO);
        let patience = [waits, watch.patience(), flows.patience()].into_iter().flatten().min();
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        events.clear();
        match epoll::wait(&*epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Err(Errno::INTR) => continue,
            other => other.cannot(|| "wait for connections")?,
        };
        looks = watch.patience().is_some();
        if !events.is_empty() {
            busy = Instant::now();
        }
        for event in &events {
            match event.data.u64() {
                WATCH => looks = true,
                mark @ CONNECTIONS.. => connections.hear(mark),
                mark @ FLOWS.. => flows.answer(mark, |place| ports.sockets.get(place)),
                place => {
                    let place = place as usize;
                    let (Some(port), Some(socket)) = (ports.all.get(place), ports.sockets.get(place)) else { continue };
                    if port.protocol == "udp" {
                        flows.take(place, socket, port);
                    } else if connections.accept(socket, port.to) == Room::None {
                        ports.accept(false)?;
                    }
                }
            }
        }
        connections.go_on();
        flows.expire();
        if connections.has_room() {
            ports.accept(true)?;
        }
    }
}
