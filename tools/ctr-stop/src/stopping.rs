//! One container on its way down, and the wait for all.

use crate::deaf;
use ctr_core::{
    Cannot, Code, Document, Error, Result, State, Supervise, container, container::Handle, events, json, trace,
};
use ctr_lifecycle::{await_end, freezer, give_up, keeper, stop_signal};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::Signal,
};
use std::time::{Duration, Instant};

/// docker's.
const TIMEOUT: u32 = 10;
/// Longest wait for a killed process: one in the kernel on a slow device takes its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container that was told to stop.
pub struct Stopping<'a> {
    /// What the user calls it.
    pub word: &'a str,
    doc: Document,
    /// What runs, or ran until now.
    process: Option<(State, Handle)>,
    /// Who records its end.
    keeper: Option<Handle>,
    /// It has ended, or it cannot be ended.
    done: bool,
    killed: bool,
    /// When it is killed; once it is, when that is given up.
    next: Option<Instant>,
}

impl<'a> Stopping<'a> {
    /// Sends the signal. A container that does not run is stopped already.
    pub fn begin(word: &'a str, signal: Option<i32>, timeout: Option<i64>) -> Result<Self> {
        let id = container::find(word)?;
        let doc = container::load(&id)?;
        // Before anything else: a process that ends from here on is not started again.
        container::halt(&id)?;
        let state = give_up(&id)?;
        let process = state.map(|state| Ok(Handle::open(&state)?.map(|handle| (state, handle))));
        let process = process.transpose()?.flatten();
        let done = process.is_none();
        let mut stopping = Self { word, doc, process, keeper: None, done, killed: false, next: None };
        if let Some((state, handle)) = &stopping.process {
            let signal = signal.unwrap_or_else(|| stop_signal(&stopping.doc));
            let supervise = stopping.doc.section::<Supervise>("supervise")?.unwrap_or_default();
            let seconds = timeout.unwrap_or_else(|| supervise.stop_timeout.unwrap_or(TIMEOUT).into());
            deaf::warn(word, state.pid.unwrap_or_default(), signal, seconds);
            stopping.keeper = keeper(&id, state)?;
            freezer::thaw(&stopping.doc)?;
            handle.signal(signal)?;
            events::emit("kill", &stopping.doc, &json!({"signal": signal.to_string()}));
            let wait = u64::try_from(seconds).ok().map(Duration::from_secs);
            stopping.next = wait.and_then(|wait| Instant::now().checked_add(wait));
        }
        Ok(stopping)
    }

    /// Its time is up: kills it, or gives it up where that was done.
    fn time_is_up(&mut self) -> Result<()> {
        if self.killed {
            self.done = true;
            return Ok(());
        }
        self.killed = true;
        self.next = Some(Instant::now() + PATIENCE);
        // Somebody may have paused it meanwhile.
        freezer::thaw(&self.doc)?;
        self.process.iter().try_for_each(|(_, handle)| handle.signal(Signal::KILL.as_raw()))
    }

    /// Waits until its end is recorded by whoever looks after it.
    ///
    /// # Errors
    /// `busy` where it did not end.
    pub fn finish(self) -> Result<()> {
        let Some((state, handle)) = &self.process else { return Ok(()) };
        let pid = state.pid.unwrap_or_default();
        if !handle.wait(Some(Duration::ZERO))? {
            let message = format!("cannot stop container {}: process {pid} does not end", self.word);
            return Err(Error::new(Code::Busy, message));
        }
        let id = self.doc.str("id").unwrap_or_default();
        if !await_end(id, state, self.keeper.as_ref())? {
            trace::warn(&format!("container {} has ended, its supervisor has not", self.word));
        }
        events::emit("stop", &self.doc, &json!({}));
        Ok(())
    }
}

/// Waits for the end of all; kills each whose time is up.
pub fn await_all(stopping: &mut [Stopping<'_>]) -> Result<()> {
    loop {
        let now = Instant::now();
        for s in stopping.iter_mut().filter(|s| !s.done && s.next.is_some_and(|next| next <= now)) {
            if let Err(e) = s.time_is_up() {
                trace::warn(&format!("cannot kill container {}: {e}", s.word));
            }
        }
        let mut live: Vec<_> = stopping.iter_mut().filter(|s| !s.done).collect();
        if live.is_empty() {
            return Ok(());
        }
        let next = live.iter().filter_map(|s| s.next).min();
        let left = next.map(|next| next.saturating_duration_since(now));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let handles = live.iter().filter_map(|s| s.process.as_ref());
        let mut fds: Vec<_> = handles.map(|(_, handle)| PollFd::from_borrowed_fd(handle.fd(), PollFlags::IN)).collect();
        match poll(&mut fds, left.as_ref()) {
            Err(Errno::INTR) => continue,
            other => other.cannot(|| "wait for containers")?,
        };
        let ended: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        for (s, ended) in live.iter_mut().zip(ended) {
            s.done = ended;
        }
    }
}
