//! The loop that every condition is waited for by: look, then sleep until something becomes of the container.

use crate::{condition::Condition, exit_code};
use ctr_core::{Code, Document, Error, Result, State, container, container::Handle};
use ctr_lifecycle::{Noted, Watch, is_held, noted};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Longest wait for a start to get from the record to the note, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// One container that is waited for.
pub struct Waiting<'a> {
    word: &'a str,
    pub id: String,
    condition: &'a Condition,
    timeout: Option<Duration>,
    until: Option<Instant>,
    watch: Watch,
    /// Some things nobody tells of: they are looked at as often as this.
    every: Option<Duration>,
}

impl<'a> Waiting<'a> {
    pub fn new(
        word: &'a str,
        id: String,
        condition: &'a Condition,
        timeout: Option<Duration>,
        until: Option<Instant>,
    ) -> Result<Self> {
        let watch = Watch::new(&id, matches!(condition, Condition::Log(_)))?;
        let every = matches!(condition, Condition::Port(_)).then_some(crate::port::RETRY);
        Ok(Self { word, id, condition, timeout, until, watch, every })
    }

    /// Calls `look` until it gives something, after each change of the container.
    ///
    /// # Errors
    /// `limit` when the time is up.
    pub fn until<T>(&self, mut look: impl FnMut(&Noted) -> Result<Option<T>>) -> Result<T> {
        loop {
            self.watch.arm()?;
            if let Some(found) = look(&noted(&self.id)?)? {
                return Ok(found);
            }
            // Asked again: the look may have taken its time. What changed meanwhile is in the watch.
            let processes = processes(&noted(&self.id)?)?;
            let fds: Vec<_> = processes.iter().map(Handle::fd).collect();
            let again = self.every.map(|every| Instant::now() + every);
            self.watch.wait(&fds, self.until.into_iter().chain(again).min())?;
            if self.until.is_some_and(|until| Instant::now() >= until) {
                // What came in the last moment counts.
                return look(&noted(&self.id)?)?.ok_or_else(|| self.in_vain());
            }
        }
    }

    /// The document with the state as it is now.
    pub fn document(&self) -> Result<Document> {
        container::load(&self.id)
    }

    pub fn is_removed(&self) -> bool {
        !container::dir(&self.id).exists()
    }

    /// # Errors
    /// `not-found` once the container was removed.
    pub fn must_be_there(&self) -> Result<()> {
        if self.is_removed() { Err(self.fails(Code::NotFound, "it was removed")) } else { Ok(()) }
    }

    /// Whether a process of it has been there before, the last of which has ended.
    pub fn has_run(&self) -> Result<bool> {
        let state = self.document()?.section::<State>("state")?;
        Ok(state.is_some_and(|state| state.status != "created"))
    }

    /// Whether nothing of it runs. Of one that is just being started the record says `stopped` before there is a note
    /// of the process; whoever starts it holds the lock meanwhile.
    pub fn rests(&self) -> Result<bool> {
        let asked = Instant::now();
        loop {
            if !matches!(noted(&self.id)?, Noted::Dead(_) | Noted::Nothing) {
                return Ok(false);
            }
            let is_clear = !self.has_run()? || exit_code::recorded(self)?.is_some() || !is_held(&self.id)?;
            if is_clear || asked.elapsed() > PATIENCE {
                return Ok(true);
            }
            sleep(LOOK);
        }
    }

    /// # Errors
    /// `not-found` once it was removed, or nothing of it runs any more and nobody starts it again.
    pub fn must_go_on(&self, now: &Noted) -> Result<()> {
        self.must_be_there()?;
        if matches!(now, Noted::Dead(_) | Noted::Nothing) && self.has_run()? && self.rests()? {
            return Err(self.fails(Code::NotFound, "it is not running"));
        }
        Ok(())
    }

    /// The error for a condition that cannot come true.
    pub fn fails(&self, code: Code, why: &str) -> Error {
        Error::new(code, format!("cannot wait for container {} {}: {why}", self.word, self.condition))
    }

    fn in_vain(&self) -> Error {
        let time = self.timeout.unwrap_or_default();
        self.fails(Code::Limit, &format!("{time:?} are over"))
    }
}

/// The processes whose end is news.
fn processes(now: &Noted) -> Result<Vec<Handle>> {
    let (process, supervisor) = match now {
        Noted::Alive(state) => (Handle::open(state)?, state.supervisor),
        Noted::Kept(state) => (None, state.supervisor),
        Noted::Dead(_) | Noted::Nothing => (None, None),
    };
    let supervisor = supervisor.map(Handle::of).transpose()?.flatten();
    Ok(process.into_iter().chain(supervisor).collect())
}
