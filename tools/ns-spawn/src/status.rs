//! `--status-fd`: what becomes of the process, as JSON lines on a descriptor of the caller's.

use ctr_core::{Code, Error, Result, State, Value, json};
use std::{fs::File, io::Write};

/// The caller's descriptor, or none.
pub struct Status(Option<File>);

impl Status {
    /// Takes a copy of descriptor `number`, which nothing that this process starts gets.
    ///
    /// # Errors
    /// `invalid` where nothing is open under it.
    pub fn open(number: Option<i32>) -> Result<Self> {
        let Some(number) = number else { return Ok(Self(None)) };
        match ctr_runtime::copy_fd(number) {
            Some(copy) => Ok(Self(Some(File::from(copy)))),
            None => Err(Error::new(Code::Invalid, format!("status descriptor {number} is not open"))),
        }
    }

    /// The process runs.
    pub fn running(&mut self, id: &str, state: &State) {
        self.line(&json!({"id": id, "status": state.status, "pid": state.pid, "startedAt": state.started_at}));
    }

    /// The process ended.
    pub fn stopped(&mut self, id: &str, state: &State, signal: Option<i32>) {
        let mut line = json!({"id": id, "status": state.status, "exitCode": state.exit_code});
        if let Some(signal) = signal {
            line["signal"] = json!(signal);
        }
        line["finishedAt"] = json!(state.finished_at);
        self.line(&line);
    }

    /// Writes one line. A reader that went away changes nothing for the process.
    pub fn line(&mut self, line: &Value) {
        if let Some(file) = &mut self.0 {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}
