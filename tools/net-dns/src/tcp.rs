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
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Connections at once.
const MAX: usize = 64;
/// Those of one container.
const MAX_OF_ONE: usize = 8;
/// How long one may be silent, or not take what it asked for.
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

    /// Accepts all that wait; what is one too many is closed.
    pub fn accept(&self, listener: &TcpListener, shared: &Shared) {
        while let Ok((stream, from)) = listener.accept() {
            let Some(place) = self.take(from.ip()) else { continue };
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
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    while start.elapsed() < LIFE {
        let Some(bytes) = read(stream, query::MAX)? else { return Ok(()) };
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
        write(stream, &answer)?;
    }
    Ok(())
}

/// Reads a message, with its length before it; `None` for one that is longer.
fn read(mut stream: &TcpStream, max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > max {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

fn write(mut stream: &TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat())
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
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write(&stream, query)?;
    read(&stream, usize::from(u16::MAX))
}
