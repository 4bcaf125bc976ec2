//! Queries by TCP: few, so each connection has a thread while it lasts (RFC 7766).

use crate::{
    Shared,
    answer::{self, Forward, Reaction},
    decide::{self, Heard, Verdict, decide, last_resort},
    forward::{conclude, due},
    query::{self, HEADER},
    serve::{fenced, react},
    trace::Line,
};
use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Connections at once.
const MAX: usize = 256;
/// Those of one container.
const MAX_OF_ONE: usize = 8;
/// How long a message may take to come, silence before it included, or what was asked for to be taken.
const IDLE: Duration = Duration::from_secs(5);
/// How long one may last.
const LIFE: Duration = Duration::from_mins(1);
/// How long a server may take to be reached, and to answer.
const REACH: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(4);
/// Of a thread, which holds nothing large.
const STACK: usize = 128 << 10;

/// The connections there are.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, while it lasts.
struct Place(Connections, IpAddr);

impl Connections {
    fn take(&self, from: IpAddr) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= MAX || all.get(&from).is_some_and(|count| *count >= MAX_OF_ONE) {
            return None;
        }
        *all.entry(from).or_default() += 1;
        Some(Place(self.clone(), from))
    }

    /// Accepts all that wait; what is one too many is closed, and what no container's address is from, which none may have to
    /// count for.
    pub fn accept(&self, listener: &TcpListener, shared: &Shared) {
        while let Ok((stream, from)) = listener.accept() {
            let known = shared.lock().unwrap_or_else(PoisonError::into_inner).names.knows(from.ip());
            let Some(place) = known.then(|| self.take(from.ip())).flatten() else { continue };
            let shared = shared.clone();
            let serve = move || {
                let _place = place;
                fenced(|| drop(serve(&stream, from, &shared)));
            };
            let _ = thread::Builder::new().stack_size(STACK).spawn(serve);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

fn serve(stream: &TcpStream, from: SocketAddr, shared: &Shared) -> io::Result<()> {
    let start = Instant::now();
    // What is accepted of a socket that does not block does.
    stream.set_nonblocking(false)?;
    let end = start + LIFE;
    while Instant::now() < end {
        let until = end.min(Instant::now() + IDLE);
        let Some(bytes) = read(stream, query::MAX, until)? else { return Ok(()) };
        let mut line = Line::begin(from, true);
        let answer = match react(shared, from.ip(), &bytes, true, &mut line) {
            Reaction::Reply(answer) => answer,
            Reaction::Ask(forward) => ask(&forward, shared, &mut line),
            Reaction::Drop => {
                line.end();
                return Ok(());
            }
        };
        line.end();
        write(stream, &answer, Instant::now() + IDLE)?;
    }
    Ok(())
}

/// What is left of the time: a timeout of a socket is one of each byte, and who sends one now and then would never meet it.
fn left(until: Instant) -> io::Result<Option<Duration>> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
}

fn fill(mut stream: &TcpStream, mut bytes: &mut [u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_read_timeout(left(until)?)?;
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => bytes = &mut bytes[length..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads a message, with its length before it, until then; `None` for one that is longer.
fn read(stream: &TcpStream, max: usize, until: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    fill(stream, &mut length, until)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > max {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    fill(stream, &mut bytes, until)?;
    Ok(Some(bytes))
}

fn write(mut stream: &TcpStream, message: &[u8], until: Instant) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let bytes = [&length.to_be_bytes()[..], message].concat();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        stream.set_write_timeout(left(until)?)?;
        match stream.write(rest) {
            Ok(length) => rest = &rest[length..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Asks the servers, each by a thread of its own; those that come too late end by themselves.
fn ask(forward: &Forward, shared: &Shared, line: &mut Line) -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    let id = answer::random();
    let mut query = forward.query.clone();
    query[..2].copy_from_slice(&id.to_be_bytes());
    let mut heard = vec![Heard::Nothing; forward.servers.len()];
    for (place, server) in forward.servers.iter().copied().enumerate() {
        let (sender, query, end) = (sender.clone(), query.clone(), forward.end);
        let ask = move || {
            let answer = ask_one(server, &query).ok().flatten();
            let heard = answer.and_then(|answer| decide::read(&answer, id, &query[HEADER..end]));
            let _ = sender.send((place, heard.unwrap_or(Heard::Bad(None))));
        };
        if thread::Builder::new().stack_size(STACK).spawn(ask).is_err() {
            heard[place] = Heard::Bad(None);
        }
    }
    let start = Instant::now();
    let verdict = loop {
        let waits: Vec<bool> = {
            let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            forward.servers.iter().map(|server| !shared.upstreams.is_silent(*server)).collect()
        };
        let verdict = decide(&heard, &waits);
        if verdict != Verdict::Wait {
            break verdict;
        }
        match receiver.recv_timeout(due(start, &heard).saturating_duration_since(Instant::now())) {
            Ok((place, what)) => heard[place] = what,
            Err(_) => break last_resort(&heard),
        }
    };
    conclude(forward, verdict, heard, line)
}

fn ask_one(server: IpAddr, query: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let stream = TcpStream::connect_timeout(&(server, 53).into(), REACH)?;
    let until = Instant::now() + PATIENCE;
    write(&stream, query, until)?;
    read(&stream, usize::from(u16::MAX), until)
}
