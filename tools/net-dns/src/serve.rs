//! The loop: queries, connections, what servers answer, and the end of the network.

use crate::{
    answer::{self, Reaction},
    forward::Forwards,
    names::Names,
    query,
    tcp::Connections,
    trace::{self, Line},
    upstream::Upstreams,
};
use ctr_core::{Cannot, Result};
use ctr_net::{
    Lock, Network, address, background,
    resolver::{self, Sockets},
};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    fs::inotify,
    io::Errno,
};
use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What a descriptor that is ready is, below the marks of forwarded queries.
const UDP: u64 = 0;
const TCP: u64 = 1;
const ADDRESSES: u64 = 2;
/// Queries that are taken before the others have their turn.
const AT_ONCE: usize = 64;
/// Descriptors that forwarding may need: `MAX_PENDING` times three, connections, and a few.
const DESCRIPTORS: u64 = 8192;
/// Events of one wait.
const EVENTS: usize = 64;
/// How often the addresses are looked at where the kernel has no watch left to give.
const LOOK: Duration = Duration::from_secs(30);

/// What threads share.
pub struct State {
    /// Who is called what.
    pub names: Names,
    /// Whom to ask for the rest.
    pub upstreams: Upstreams,
}

/// It.
pub type Shared = Arc<Mutex<State>>;

/// Serves until no address of the network is in use.
///
/// # Errors
/// The kernel's.
pub fn serve(network: &Network, sockets: Sockets, file: File, traced: bool) -> Result<()> {
    trace::init(traced);
    if !traced {
        // What goes wrong with one query is no news for the file that says why a resolver ended.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let Sockets { udp, tcp } = sockets;
    let epoll = Rc::new(epoll::create(CreateFlags::CLOEXEC).cannot(|| "make an epoll")?);
    let watch = |fd: &dyn std::os::fd::AsFd, mark| {
        epoll::add(&*epoll, fd.as_fd(), EventData::new_u64(mark), EventFlags::IN).cannot(|| "watch a descriptor")
    };
    watch(&udp, UDP)?;
    watch(&tcp, TCP)?;
    // Watched before the first look, so that no removal is missed.
    let addresses = watch_addresses(&network.name);
    if let Some(addresses) = &addresses {
        watch(addresses, ADDRESSES)?;
    }
    background::confine(DESCRIPTORS)?;
    let state = State { names: Names::of(&network.name), upstreams: Upstreams::default() };
    let shared: Shared = Arc::new(Mutex::new(state));
    let connections = Connections::default();
    let mut forwards = Forwards::new(Rc::clone(&epoll));
    let mut events = Vec::with_capacity(EVENTS);
    let mut looks = true;
    let lock_of_networks = loop {
        if looks && let Some(lock) = is_over(network)? {
            break lock;
        }
        let patience = forwards.patience().or(addresses.is_none().then_some(LOOK));
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        events.clear();
        match epoll::wait(&*epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Err(Errno::INTR) => continue,
            other => other.cannot(|| "wait for queries")?,
        };
        let mut replies = Vec::new();
        for event in &events {
            match event.data.u64() {
                UDP => fenced(|| take(&udp, &shared, &mut forwards)),
                TCP => connections.accept(&tcp, &shared),
                ADDRESSES => drain(addresses.as_ref()),
                mark => {
                    let mut state = lock(&shared);
                    replies.extend(forwards.hear(mark, &mut state.upstreams));
                }
            }
        }
        replies.extend(forwards.settle_late(&mut lock(&shared).upstreams));
        for (client, bytes) in replies {
            let _ = udp.send_to(&bytes, client);
        }
        looks = addresses.is_none() || events.iter().any(|event| event.data.u64() == ADDRESSES);
    };
    // Whoever starts the next one has the file first and binds then.
    drop((udp, tcp));
    resolver::forget(&network.name, &file)?;
    // Standard error may be open beside it, by the same lock.
    file.unlock().cannot(|| "give up the resolver's file")?;
    drop(lock_of_networks);
    Ok(())
}

/// Keeps what goes wrong with one query from the others'.
pub fn fenced(f: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(f));
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done with a query of this address.
pub fn react(shared: &Shared, from: IpAddr, bytes: &[u8], tcp: bool, line: &mut Line) -> Reaction {
    let mut state = lock(shared);
    let State { names, upstreams } = &mut *state;
    answer::react(names, upstreams, from, bytes, tcp, line)
}

/// Takes queries by UDP.
fn take(udp: &std::net::UdpSocket, shared: &Shared, forwards: &mut Forwards) {
    // A byte more: what fills it was longer.
    let mut buffer = [0; query::MAX + 1];
    for _ in 0..AT_ONCE {
        let Ok((length, from)) = udp.recv_from(&mut buffer) else { return };
        if let Some((client, bytes)) = one(&buffer[..length], from, shared, forwards) {
            // Where the container's queue is full it asks again.
            let _ = udp.send_to(&bytes, client);
        }
    }
}

fn one(bytes: &[u8], from: SocketAddr, shared: &Shared, forwards: &mut Forwards) -> Option<(SocketAddr, Vec<u8>)> {
    let mut line = Line::begin(from, false);
    let reply = match react(shared, from.ip(), bytes, false, &mut line) {
        Reaction::Reply(bytes) => Some((from, bytes)),
        Reaction::Ask(forward) => return forwards.ask(from, forward, line),
        Reaction::Drop => None,
    };
    line.end();
    reply
}

/// Tells of each address of the network that is given back.
fn watch_addresses(network: &str) -> Option<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok()?;
    let what = inotify::WatchFlags::DELETE | inotify::WatchFlags::DELETE_SELF | inotify::WatchFlags::MOVE_SELF;
    inotify::add_watch(&watch, address::root().join(network), what).ok()?;
    Some(watch)
}

fn drain(watch: Option<&OwnedFd>) {
    let mut buffer = [0; 4096];
    while watch.is_some_and(|watch| rustix::io::read(watch, &mut buffer).is_ok_and(|length| length > 0)) {}
}

/// The lock of networks if the last container is gone: while it is held nobody claims an address, and who does it later
/// finds no resolver.
fn is_over(network: &Network) -> Result<Option<Lock>> {
    if !address::of_network(&network.name)?.is_empty() {
        return Ok(None);
    }
    let lock = Lock::take()?;
    Ok(address::of_network(&network.name)?.is_empty().then_some(lock))
}
