//! The container stands still while it is read.

use ctr_core::{Cannot, Code, Error, Result, container, ident, in_own_session, steps};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

/// The tool that freezes.
const PAUSE: &str = "ctr-pause";

/// A container that is frozen until this is dropped. Another process thaws it, once our end of its stdin is closed: by us,
/// or by the kernel should we be killed.
pub struct Still {
    pause: Child,
}

impl Still {
    /// Freezes the container; `None` where it does not run, or is paused already.
    ///
    /// # Errors
    /// `busy` where it cannot be frozen.
    pub fn hold(id: &str) -> Result<Option<Self>> {
        let runs = || Ok(container::live_state(id)?.is_some_and(|state| state.status == "running"));
        if !runs()? {
            return Ok(None);
        }
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
            return Ok(Some(Self { pause }));
        }
        let mut why = String::new();
        if let Some(mut said) = pause.stderr.take() {
            let _ = said.read_to_string(&mut why);
        }
        let _ = pause.wait();
        // It may have ended meanwhile.
        if !runs()? {
            return Ok(None);
        }
        let why = why.trim_end().rsplit(": ").next().unwrap_or_default();
        Err(Error::new(Code::Busy, format!("cannot pause container {}: {why}", ident::short(id)))
            .hint("--pause=false reads it as it runs"))
    }

    /// Thaws it.
    ///
    /// # Errors
    /// `io` where it may still be frozen.
    pub fn end(mut self) -> Result<()> {
        drop(self.pause.stdin.take());
        let status = self.pause.wait().cannot(|| format!("wait for {PAUSE}"))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::new(Code::Io, "the container may still be paused").hint("ctr-pause --undo"))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        drop(self.pause.stdin.take());
        let _ = self.pause.wait();
    }
}
