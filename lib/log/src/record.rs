//! One record of a log: docker's json-file form.

use serde::Deserialize;
use std::borrow::Cow;

/// Where a container wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Its standard output, or its terminal.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Stream {
    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A record, which is a line, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Record<'a> {
    /// What was written; without a newline at its end the next record of the stream goes on with the line.
    #[serde(borrow)]
    pub log: Cow<'a, str>,
    /// Where it was written.
    pub stream: Stream,
    /// When it was read from there, RFC 3339 with nanoseconds, UTC.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
}

impl<'a> Record<'a> {
    /// Reads a line of a log; `None` where it is no record.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}
