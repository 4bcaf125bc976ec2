//! The container stands still while it is read.

use ctr_core::{Cannot, Code, Error, Lock, Result, container, ident, in_own_session, paths, steps};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The tool that freezes.
const PAUSE: &str = "ctr-pause";
/// Longest wait for one that is just being started, or whose end is just being recorded.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container in which nothing runs until this is dropped. One that somebody else paused stays so by itself.
#[derive(Default)]
pub struct Still {
    /// Thaws it once our end of its stdin is closed: by us, or by the kernel should we be killed.
    pause: Option<Child>,
    /// Where it does not run: nobody can start it.
    _lock: Option<Lock>,
    /// Nobody else commits it: the one who ends first would let it go on.
    _alone: Option<Lock>,
}

impl Still {
    /// Freezes the container; keeps one that does not run from being started.
    ///
    /// # Errors
    /// `busy` where it cannot be frozen, or is being started or removed for longer than ten seconds.
    pub fn hold(id: &str) -> Result<Self> {
        let start = Instant::now();
        let alone = Some(Lock::exclusive(&paths::run_dir(id).join("commit.lock"))?);
        loop {
            let state = container::live_state(id)?.map(|state| state.status);
            let held = match state.as_deref() {
                Some("running") => freeze(id).map(|pause| (Some(pause), None)),
                Some("paused") => Ok((None, None)),
                Some(other) => {
                    Err(Error::new(Code::Busy, format!("container {} is {other}", ident::short(id))).hint("try again"))
                }
                None => container::hold(id).map(|lock| (None, lock)),
            };
            let changes = state.as_deref() != Some("running") || ended(id)?;
            match held {
                // It was just being started, or has just ended.
                Err(e) if e.code == Code::Busy && start.elapsed() < PATIENCE && changes => {}
                Err(e) => return Err(e),
                Ok((pause, lock)) => return Ok(Self { pause, _lock: lock, _alone: alone }),
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// `io` where it may still be frozen.
    pub fn end(mut self) -> Result<()> {
        let Some(mut pause) = self.pause.take() else { return Ok(()) };
        drop(pause.stdin.take());
        let why = words(&mut pause);
        if pause.wait().cannot(|| format!("wait for {PAUSE}"))?.success() {
            return Ok(());
        }
        Err(Error::new(Code::Io, format!("the container may still be paused: {why}")).hint("ctr-pause --undo"))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        if let Some(mut pause) = self.pause.take() {
            drop(pause.stdin.take());
            let _ = pause.wait();
        }
    }
}

fn ended(id: &str) -> Result<bool> {
    Ok(container::live_state(id)?.is_none())
}

fn freeze(id: &str) -> Result<Child> {
    let mut command = Command::new(steps::sibling(PAUSE));
    command.args(["--until-eof", id]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What interrupts us must not keep it from thawing.
    let mut pause = in_own_session(&mut command).spawn().cannot(|| format!("run {PAUSE}"))?;
    let mut line = String::new();
    if let Some(said) = pause.stdout.take() {
        BufReader::new(said).read_line(&mut line).cannot(|| format!("read what {PAUSE} says"))?;
    }
    if line.trim_end() == id {
        return Ok(pause);
    }
    let why = words(&mut pause);
    let _ = pause.wait();
    Err(Error::new(Code::Busy, format!("cannot pause container {}: {why}", ident::short(id)))
        .hint("--pause=false reads it as it runs"))
}

/// What it says on stderr, to its end, without its name.
fn words(pause: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut said) = pause.stderr.take() {
        let _ = said.read_to_string(&mut text);
    }
    text.trim_end().rsplit(": ").next().unwrap_or_default().to_owned()
}
