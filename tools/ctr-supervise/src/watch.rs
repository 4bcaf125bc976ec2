//! The time while the container's process runs: one loop of poll(2).

use crate::{
    Charge,
    clients::Clients,
    health::Health,
    input::{Input, Sink},
    output::Source,
};
use ctr_cgroup::Oom;
use ctr_core::{Cannot, Code, Error, LogLimits, Result, container, events, json, trace};
use ctr_lifecycle::stop_signal;
use ctr_log::{Stream, Writer};
use nix::sys::{
    signal::{SigSet, SigmaskHow, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
};
use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

/// How often a terminal that nobody has open is looked at again.
const UNHELD: Duration = Duration::from_secs(1);

/// So many reads empty every stream: a pipe holds a mebibyte at most (pipe(7)), a read takes what is written as little
/// as a page.
const LAST_READS: usize = 256;

/// How long output is kept back for who wants to see it from the first byte on.
const HOLD: Duration = Duration::from_secs(5);

/// What is left once the process has ended.
pub struct Ended {
    /// The container.
    pub id: String,
    /// Exit status, 128+n for signal n.
    pub code: u8,
    /// The kernel killed one of its processes for want of memory.
    pub oom_killed: bool,
    /// Bytes of output that the log could not keep.
    pub lost: u64,
    /// Signals, for the wait before a restart.
    pub signals: SignalFd,
    /// The lock: let go before somebody else may start it.
    pub lock: Option<OwnedFd>,
    /// Who attached, and has not heard of the end yet.
    pub clients: Clients,
}

/// What a descriptor of the loop is.
#[derive(Clone, Copy)]
enum What {
    Signal,
    Process,
    Listen,
    Source(usize),
    Input,
    Probe,
    Oom,
    Client(usize),
    LateClient(usize),
}

struct Watch {
    charge: Charge,
    signals: SignalFd,
    log: Writer,
    sources: Vec<Source>,
    input: Option<Input>,
    clients: Clients,
    health: Option<Health>,
    oom: Option<Oom>,
    /// Until when nothing is read, for want of somebody who attached.
    hold: Option<Instant>,
}

/// Watches the process to its end.
pub fn watch(charge: Charge) -> Result<Ended> {
    let mut watch = Watch::new(charge)?;
    while !watch.turn()? {}
    watch.end()
}

impl Watch {
    fn new(mut charge: Charge) -> Result<Self> {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).cannot(|| "block signals")?;
        let signals = SignalFd::with_flags(&SigSet::all(), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .cannot(|| "open a signal descriptor")?;
        let log = container::log_file(&charge.id);
        let log = Writer::open(&log, charge.limits).or_else(|e| {
            // The container runs already: better without a log than not at all.
            trace::warn(&e.to_string());
            Writer::open(&log, LogLimits { max_file: 0, ..charge.limits })
        })?;
        let mut sources = Vec::new();
        let mut input = charge.input.take().map(|fd| Input::new(Sink::Pipe(Some(fd))));
        if let Some(terminal) = charge.terminal.take() {
            let copy = terminal.try_clone().cannot(|| "duplicate a descriptor")?;
            input = Some(Input::new(Sink::Terminal(copy)));
            sources.push(Source::new(terminal, Stream::Stdout));
        }
        sources.extend(charge.out.take().map(|fd| Source::new(fd, Stream::Stdout)));
        sources.extend(charge.err.take().map(|fd| Source::new(fd, Stream::Stderr)));
        let health = charge.health.take().map(|check| Health::new(&charge.id, check));
        let oom = charge.group.as_deref().map(Oom::watch).transpose().map(Option::flatten);
        let oom = oom.unwrap_or_else(|e| {
            trace::warn(&e.to_string());
            charge.group.as_deref().and_then(Oom::count)
        });
        let hold = charge.hold.then(|| Instant::now() + HOLD);
        Ok(Self { charge, signals, log, sources, input, clients: Clients::default(), health, oom, hold })
    }

    /// Waits for something and acts on it; gives whether the process has ended.
    fn turn(&mut self) -> Result<bool> {
        let ready = self.wait()?;
        self.clients.let_go();
        if self.hold.is_some_and(|until| Instant::now() >= until) {
            self.hold = None;
        }
        if let Some(health) = &mut self.health {
            health.turn(Instant::now());
        }
        if self.oom.as_ref().and_then(Oom::due).is_some_and(|due| Instant::now() >= due) {
            self.out_of_memory();
        }
        let mut ended = false;
        // Clients last to first: one that is gone leaves the places before it as they are.
        for what in ready.into_iter().rev() {
            match what {
                What::Signal => self.signal()?,
                What::Process => ended = true,
                What::Listen => {
                    self.clients.accept(self.charge.listen.as_fd());
                    self.hold = None;
                }
                What::Source(place) => {
                    if let Some(source) = self.sources.get_mut(place) {
                        source.read(&mut self.log, &mut self.clients);
                    }
                }
                What::Input => self.input.iter_mut().for_each(Input::write),
                What::Client(place) => {
                    let input = &mut self.input;
                    self.clients.read(place, |packet| input.iter_mut().for_each(|i| i.take(&packet)));
                }
                What::LateClient(place) => self.clients.catch_up(place),
                What::Oom => self.out_of_memory(),
                What::Probe => {}
            }
        }
        Ok(ended)
    }

    /// What there is to do.
    fn wait(&mut self) -> Result<Vec<What>> {
        let mut fds = Vec::with_capacity(8);
        let mut what = Vec::with_capacity(8);
        let mut add = |fd, flags, kind| {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            what.push(kind);
        };
        add(self.signals.as_fd(), PollFlags::IN, What::Signal);
        // Kept back is its end, too.
        if self.hold.is_none() {
            add(self.charge.process.as_fd(), PollFlags::IN, What::Process);
        }
        add(self.charge.listen.as_fd(), PollFlags::IN, What::Listen);
        let behind = self.clients.are_behind() || self.hold.is_some();
        let mut unheld = Vec::new();
        for (place, source) in self.sources.iter().enumerate().filter(|_| !behind) {
            match source.fd() {
                Some(_) if source.unheld => unheld.push(What::Source(place)),
                Some(fd) => add(fd, PollFlags::IN, What::Source(place)),
                None => {}
            }
        }
        let blocked = self.input.as_ref().and_then(Input::waits_for);
        if let Some(fd) = blocked {
            add(fd, PollFlags::OUT, What::Input);
        }
        for fd in self.health.iter().flat_map(Health::waits_for) {
            add(fd, PollFlags::IN, What::Probe);
        }
        if let Some((fd, flags)) = self.oom.as_ref().and_then(Oom::bell) {
            add(fd, flags, What::Oom);
        }
        for (place, (fd, late)) in self.clients.sockets().enumerate() {
            if late {
                add(fd, PollFlags::OUT, What::LateClient(place));
            } else {
                // While the container does not read, only a hang-up is of interest.
                let flags = if blocked.is_none() { PollFlags::IN } else { PollFlags::empty() };
                add(fd, flags, What::Client(place));
            }
        }
        let now = Instant::now();
        let due = [
            self.hold,
            self.clients.deadline(),
            self.oom.as_ref().and_then(Oom::due),
            self.health.as_ref().map(Health::due),
            (!unheld.is_empty()).then(|| now + UNHELD),
        ];
        let timeout = due.into_iter().flatten().min().map(|due| due.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(Vec::new()),
            other => other.map(drop).cannot(|| "poll")?,
        }
        let ready = fds.iter().zip(what).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, what)| what);
        Ok(unheld.into_iter().chain(ready).collect())
    }

    /// Who ends this program means the container: it gets its stop signal, and is not started again.
    fn signal(&mut self) -> Result<()> {
        while let Some(info) = self.signals.read_signal().cannot(|| "read a signal")? {
            let number = info.ssi_signo as i32;
            if matches!(number, libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT) {
                container::halt(&self.charge.id).unwrap_or_else(|e| trace::warn(&e.to_string()));
                let asks = container::recorded(&self.charge.id).map_or(libc::SIGTERM, |doc| stop_signal(&doc));
                let _ = container::pidfd_signal(self.charge.process.as_fd(), asks);
            }
        }
        // Whatever signal came: several may have become one.
        if let Some(pid) = self.charge.pid {
            let probe = self.health.as_ref().and_then(Health::probe);
            container::reap_orphans(&[pid, probe.unwrap_or(pid)]);
        }
        Ok(())
    }

    /// Says so where the kernel killed for want of memory.
    fn out_of_memory(&mut self) {
        if self.oom.as_mut().is_some_and(|oom| oom.more() > 0)
            && let Ok(doc) = container::recorded(&self.charge.id)
        {
            events::emit("oom", &doc, &json!({}));
        }
    }

    /// Its status, which ends the zombie too; then what it wrote last, which is still in its streams.
    fn end(mut self) -> Result<Ended> {
        let status = loop {
            match waitid(WaitId::PidFd(self.charge.process.as_fd()), WaitIdOptions::EXITED) {
                Err(Errno::INTR) => {}
                other => break other.cannot(|| "wait for the container's process")?,
            }
        };
        let status = status.ok_or_else(|| Error::new(Code::Internal, "the container's process has no status"))?;
        let code = status.terminating_signal().map_or_else(|| status.exit_status().unwrap_or(1), |s| 128 + s) as u8;
        drop(self.health.take());
        container::end_descendants();
        if let Some(group) = &self.charge.group {
            ctr_cgroup::end(group, &self.charge.id).unwrap_or_else(|e| trace::warn(&e.to_string()));
        }
        self.out_of_memory();
        for source in &mut self.sources {
            // At most what the kernel held: others may have the stream too, and write on.
            for _ in 0..LAST_READS {
                if !source.read(&mut self.log, &mut self.clients) {
                    break;
                }
            }
        }
        self.log.flush();
        Ok(Ended {
            id: self.charge.id,
            code,
            oom_killed: self.oom.is_some_and(|oom| oom.all() > 0),
            lost: self.log.lost(),
            signals: self.signals,
            lock: self.charge.lock,
            clients: self.clients,
        })
    }
}
