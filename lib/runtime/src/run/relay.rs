//! The bytes that go through the container's terminal, both ways, without a thread: one loop of poll(2).

use super::signals::{self, Signals};
use ctr_core::{Cannot, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// As much of a pipe's room as POLLOUT promises (pipe(7)): a write of it does not block.
const CHUNK: usize = 4096;

/// How long to wait where no event tells.
const A_WHILE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The bytes on their way, `down` to the container's terminal and `up` from it to stdout.
pub struct Relay<'a> {
    /// `None` once one side hung up: closing it is what tells the container.
    master: Option<OwnedFd>,
    /// Nobody has the container's terminal open just now (EIO). An init closes and opens /dev/console as it
    /// likes, and no event tells: it is looked at again after a while.
    unheld: bool,
    keys: Option<&'a OwnedFd>,
    down: Vec<u8>,
    up: Vec<u8>,
}

/// What poll(2) found.
pub struct Ready {
    /// Signals can be read.
    pub signal: bool,
    /// The process has ended.
    pub ended: bool,
    keys: bool,
    master_in: bool,
    master_out: bool,
    stdout: bool,
}

impl<'a> Relay<'a> {
    /// Between the container's terminal and the user's: `keys` is where the user types, if that is for the container.
    pub fn new(master: OwnedFd, keys: Option<&'a OwnedFd>) -> Self {
        Self { master: Some(master), unheld: false, keys, down: Vec::new(), up: Vec::new() }
    }

    /// Our end of the container's terminal, until one side has hung up.
    pub fn master(&self) -> Option<&OwnedFd> {
        self.master.as_ref()
    }

    /// Waits for something to do. Each direction holds one buffer: it is read into when it is empty.
    pub fn poll(&self, pidfd: BorrowedFd<'_>, signals: &Signals) -> Result<Ready> {
        let stdout = io::stdout();
        let mut fds = vec![PollFd::new(signals, PollFlags::IN), PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        let mut place = [usize::MAX; 3];
        if let (Some(keys), true) = (self.keys, self.down.is_empty()) {
            place[0] = fds.len();
            fds.push(PollFd::new(keys, PollFlags::IN));
        }
        if let Some(master) = self.master.as_ref().filter(|_| !self.unheld) {
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, self.up.is_empty());
            events.set(PollFlags::OUT, !self.down.is_empty());
            if !events.is_empty() {
                place[1] = fds.len();
                fds.push(PollFd::new(master, events));
            }
        }
        if !self.up.is_empty() {
            place[2] = fds.len();
            fds.push(PollFd::new(&stdout, PollFlags::OUT));
        }
        let unheld = self.unheld && self.up.is_empty();
        wait(&mut fds, unheld.then_some(&A_WHILE))?;
        let got = |at: usize| fds.get(at).map_or(PollFlags::empty(), PollFd::revents);
        Ok(Ready {
            signal: !got(0).is_empty(),
            ended: !got(1).is_empty(),
            keys: !got(place[0]).is_empty(),
            master_in: unheld || got(place[1]).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
            master_out: got(place[1]).contains(PollFlags::OUT),
            stdout: !got(place[2]).is_empty(),
        })
    }

    /// Moves what can be moved without waiting.
    pub fn step(&mut self, ready: &Ready) {
        if let Some(keys) = self.keys.filter(|_| ready.keys) {
            match read(keys.as_fd(), &mut self.down) {
                // The user's terminal hung up: so does the container's.
                Ok(0) | Err(Errno::IO) => self.hang_up(),
                _ => {}
            }
        }
        if ready.master_out {
            self.write_down();
        }
        if ready.master_in && self.up.is_empty() {
            self.read_up();
        }
        if ready.stdout {
            self.write_up();
        }
    }

    fn hang_up(&mut self) {
        self.master = None;
        self.keys = None;
        self.down.clear();
    }

    fn write_down(&mut self) {
        let Some(master) = &self.master else { return };
        match rustix::io::write(master, &self.down) {
            Ok(n) => drop(self.down.drain(..n)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.down.clear(), // nobody has the other end open: keys pressed for nobody
        }
    }

    /// Reads what the container wrote; notes whether it still has the other end open.
    fn read_up(&mut self) {
        let Some(master) = &self.master else { return };
        let got = read(master.as_fd(), &mut self.up);
        self.unheld = !matches!(got, Ok(1..) | Err(Errno::AGAIN | Errno::INTR));
    }

    fn write_up(&mut self) {
        let chunk = self.up.len().min(CHUNK);
        match rustix::io::write(io::stdout(), &self.up[..chunk]) {
            Ok(n) => drop(self.up.drain(..n)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // The reader of our stdout went away: the container's terminal goes as its writer would.
            Err(_) => {
                self.up.clear();
                self.hang_up();
            }
        }
    }

    /// The process has ended: what it wrote last is still in its terminal.
    pub fn drain(&mut self, signals: &Signals) -> Result<()> {
        loop {
            while !self.up.is_empty() {
                let stdout = io::stdout();
                let mut fds = [PollFd::new(&stdout, PollFlags::OUT), PollFd::new(signals, PollFlags::IN)];
                wait(&mut fds, None)?;
                let [out, signal] = fds.map(|fd| !fd.revents().is_empty());
                if out {
                    self.write_up();
                }
                // A stdout that takes no more must not keep a tool that was told to end.
                if signal && signals.next()?.is_some_and(signals::is_deadly) {
                    return Ok(());
                }
            }
            let Some(master) = &self.master else { return Ok(()) };
            // Others may hold the terminal open where the pid namespace is shared: then silence is the end.
            let mut fds = [PollFd::new(master, PollFlags::IN)];
            wait(&mut fds, Some(&A_WHILE))?;
            if fds[0].revents().is_empty() {
                return Ok(());
            }
            self.read_up();
            if self.unheld {
                return Ok(());
            }
        }
    }
}

/// Reads what is there into an empty buffer.
fn read(fd: BorrowedFd<'_>, into: &mut Vec<u8>) -> rustix::io::Result<usize> {
    let mut buffer = [0; 4 * CHUNK];
    let n = rustix::io::read(fd, &mut buffer[..])?;
    into.extend_from_slice(&buffer[..n]);
    Ok(n)
}

/// poll(2), whatever signals interrupt it.
pub fn wait(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> Result<()> {
    loop {
        match poll(fds, timeout) {
            Err(Errno::INTR) => {}
            other => return other.map(drop).cannot(|| "poll"),
        }
    }
}
