//! Connects this terminal, or these streams, to those of a detached container.

mod keys;

use clap::Args;
use ctr_attach_protocol::{LIMIT, Packet, connect, receive, send};
use ctr_core::{Cannot, Code, Error, Result, container, events, json};
use keys::Keys;
use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, getppid},
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    thread::sleep,
    time::{Duration, Instant},
};

/// The tool's name.
pub const NAME: &str = "ctr-attach";
/// The first line of its help.
pub const ABOUT: &str = "Connect to the streams of a detached container";

/// The arguments of ctr-attach(1).
#[derive(Args, Debug)]
pub struct CtrAttach {
    /// Do not pass stdin on
    #[arg(long)]
    no_stdin: bool,
    /// The keys that leave the container running and end this tool
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: String,
    /// Pass signals on to the container's process: true or false
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// Name, id or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Relays until the container's process ends, and exits with its status; or until the detach keys.
///
/// # Errors
/// `invalid` for a container that does not run, `not-found` for one without a supervisor.
pub fn run(args: CtrAttach) -> Result<()> {
    let id = container::find(&args.container)?;
    // First of all: one whose process has just ended may wait for us, with what it wrote.
    let socket = connect(&id).or_else(|e| match container::live_state(&id)? {
        Some(_) => Err(e),
        None => Err(Error::new(Code::Invalid, format!("container {} is not running", args.container))),
    })?;
    let doc = container::recorded(&id)?;
    let terminal = doc.get("spec").and_then(|s| s.get("process")).and_then(|p| p.get("terminal")) == Some(&json!(true));
    let takes_input = doc.get("supervise").and_then(|s| s.get("stdin")) == Some(&json!(true));
    let input = !args.no_stdin && takes_input;
    events::emit("attach", &doc, &json!({}));
    let process = container::live_state(&id)?.map(|state| container::Handle::open(&state)).transpose()?.flatten();
    let raw = if terminal && input && isatty(io::stdin()) { Some(Raw::enter()?) } else { None };
    let relay = Relay {
        id,
        parent: getppid(),
        socket,
        signals: signals(&args)?,
        process: process.filter(|_| args.sig_proxy && raw.is_none()),
        keys: raw.is_some().then(|| Keys::parse(&args.detach_keys)).transpose()?,
        input,
    };
    relay.resize();
    let status = relay.run()?;
    drop(raw);
    if let Some(status) = status {
        std::process::exit(status.into());
    }
    events::emit("detach", &doc, &json!({}));
    Ok(())
}

/// How long a removal may take.
const PATIENCE: Duration = Duration::from_secs(2);

struct Relay {
    id: String,
    /// Who waits for this tool.
    parent: Option<Pid>,
    socket: OwnedFd,
    signals: SignalFd,
    process: Option<container::Handle>,
    keys: Option<Keys>,
    input: bool,
}

impl Relay {
    /// Gives the exit status of the container; `None` after the detach keys.
    fn run(mut self) -> Result<Option<u8>> {
        let mut buffer = vec![0; LIMIT];
        loop {
            let stdin = io::stdin();
            let mut fds = vec![PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            if self.input {
                fds.push(PollFd::new(&stdin, PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                other => other.map(drop).cannot(|| "poll")?,
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[1] && self.signal()? {
                return Ok(Some(128 + libc::SIGTERM as u8));
            }
            if ready[0] {
                let length = receive(&self.socket, &mut buffer).cannot(|| "listen to the supervisor")?;
                match Packet::parse(&buffer[..length]) {
                    Some(Packet::Output(bytes)) => write(io::stdout().as_fd(), bytes)?,
                    Some(Packet::Errors(bytes)) => write(io::stderr().as_fd(), bytes)?,
                    Some(Packet::Ended(status)) => return Ok(Some(status)),
                    _ if length == 0 => return self.unsaid().map(Some),
                    _ => {}
                }
            }
            if ready.get(2) == Some(&true) && self.read_input(&mut buffer)? {
                return Ok(None);
            }
        }
    }

    /// Passes on what is typed; gives whether it ended with the detach keys.
    fn read_input(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let length = match rustix::io::read(io::stdin(), &mut buffer[..LIMIT - 1]) {
            Err(Errno::INTR | Errno::AGAIN) => return Ok(false),
            Err(Errno::IO) => 0,
            other => other.cannot(|| "read stdin")?,
        };
        if length == 0 {
            self.input = false;
            return self.send(&Packet::InputEnds).map(|()| false);
        }
        let (bytes, detach) = match &mut self.keys {
            Some(keys) => keys.filter(&buffer[..length]),
            None => (buffer[..length].to_vec(), false),
        };
        for bytes in bytes.chunks(LIMIT - 1) {
            self.send(&Packet::Input(bytes))?;
        }
        Ok(detach)
    }

    /// The supervisor is gone and has not said how the container ended: a removal by force kills both.
    fn unsaid(&self) -> Result<u8> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if !container::dir(&self.id).exists() {
                return Ok(128 + libc::SIGKILL as u8);
            }
            sleep(Duration::from_millis(5));
        }
        Err(Error::new(Code::Io, "the supervisor is gone").hint("it was killed, or this end read too slowly"))
    }

    /// Passes signals on; gives whether one says that nobody waits for this tool any more: the wrapper was killed.
    fn signal(&mut self) -> Result<bool> {
        while let Some(info) = self.signals.read_signal().cannot(|| "read a signal")? {
            let number = info.ssi_signo as i32;
            if number == libc::SIGWINCH {
                self.resize();
            } else if let Some(process) = &self.process {
                process.signal(number)?;
            }
            if number == libc::SIGTERM && getppid() != self.parent {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn resize(&self) {
        if let Ok(size) = tcgetwinsize(io::stdin()) {
            let _ = self.send(&Packet::Size { rows: size.ws_row, columns: size.ws_col });
        }
    }

    fn send(&self, packet: &Packet<'_>) -> Result<()> {
        match send(&self.socket, packet) {
            // What it wrote last is still to be read.
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            other => other.cannot(|| "talk to the supervisor"),
        }
    }
}

/// The signals that are passed on, or all that must be known: the size of the terminal.
fn signals(args: &CtrAttach) -> Result<SignalFd> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGWINCH);
    if args.sig_proxy {
        for signal in
            [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2]
        {
            wanted.add(signal);
        }
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), None).cannot(|| "block signals")?;
    SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).cannot(|| "open a signal descriptor")
}

fn write(to: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&to, PollFlags::OUT)], None);
            }
            Err(Errno::PIPE) => std::process::exit(141),
            Err(e) => return Err(e).cannot(|| "write"),
        }
    }
    Ok(())
}

/// This terminal in raw mode: every key goes to the container's. Dropping it brings the old mode back.
struct Raw(Termios);

impl Raw {
    fn enter() -> Result<Self> {
        let before = tcgetattr(io::stdin()).cannot(|| "read the mode of the terminal")?;
        let mut mode = before.clone();
        mode.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &mode).cannot(|| "set the mode of the terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
