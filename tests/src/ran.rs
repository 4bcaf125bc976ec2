//! How a command ended, and what a test may say about it.

use serde_json::Value;
use std::{fmt, time::Duration};

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command as a shell would show it.
    pub command: String,
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it wrote.
    pub stderr: Vec<u8>,
    /// Its exit status; 128+n where signal n ended it.
    pub status: i32,
    /// Wall time.
    pub took: Duration,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]).into_owned();
        write!(
            f,
            "\n  command: {}\n  status:  {}\n  stdout:  {}\n  stderr:  {}",
            self.command,
            self.status,
            cut(&self.stdout).trim_end(),
            cut(&self.stderr).trim_end()
        )
    }
}

impl Ran {
    /// It exited 0 and said nothing on stderr.
    #[track_caller]
    pub fn ok(self) -> Self {
        let ran = self.succeeds();
        assert!(ran.stderr.is_empty(), "unexpected stderr{ran}");
        ran
    }

    /// It exited 0; it may have said something on stderr.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// It ended with `status`.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert!(self.status == status, "expected status {status}{self}");
        self
    }

    /// It ended with `status` and said why: exactly one line on stderr, `tool: message`.
    #[track_caller]
    pub fn fails(self, status: i32) -> Self {
        let ran = self.exits(status);
        let text = ran.stderr_text();
        let one_line = text.ends_with('\n') && text.lines().count() == 1;
        let named = text.split_once(": ").is_some_and(|(tool, rest)| !tool.contains(' ') && !rest.trim().is_empty());
        assert!(one_line && named, "expected one line 'tool: message' on stderr{ran}");
        ran
    }

    /// Stderr is `text` and a newline.
    #[track_caller]
    pub fn stderr_is(self, text: &str) -> Self {
        assert!(self.stderr_text() == format!("{text}\n"), "expected stderr {text:?}{self}");
        self
    }

    /// Stderr contains `text`.
    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr_text().contains(text), "expected {text:?} on stderr{self}");
        self
    }

    /// Stdout is `text`, to the byte.
    #[track_caller]
    pub fn stdout_is(self, text: &str) -> Self {
        assert!(self.stdout == text.as_bytes(), "expected stdout {text:?}{self}");
        self
    }

    /// Stdout contains `text`.
    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.text().contains(text), "expected {text:?} on stdout{self}");
        self
    }

    /// Stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stderr as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The one JSON value on stdout; of several (`--stream`) the last.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.jsons().pop().unwrap_or_else(|| panic!("no JSON on stdout{self}"))
    }

    /// All JSON values on stdout.
    #[track_caller]
    pub fn jsons(&self) -> Vec<Value> {
        serde_json::Deserializer::from_slice(&self.stdout)
            .into_iter()
            .map(|value| value.unwrap_or_else(|e| panic!("stdout is not JSON: {e}{self}")))
            .collect()
    }

    /// The code of the error in the document on stdout.
    #[track_caller]
    pub fn error_code(&self) -> String {
        let doc = self.json();
        doc["error"]["code"].as_str().unwrap_or_else(|| panic!("no error in the document{self}")).to_owned()
    }

    /// The document on stdout carries an error of `code`.
    #[track_caller]
    pub fn code(self, code: &str) -> Self {
        assert!(self.error_code() == code, "expected error.code {code}{self}");
        self
    }
}
