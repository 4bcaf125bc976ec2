//! Which records are asked for.

use ctr_core::Result;
use ctr_log::{Record, Stream, parse_time};
use jiff::Timestamp;
use std::time::Duration;

/// What the flags ask for.
pub struct Wanted {
    stream: Option<Stream>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// What a record is to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Asked for.
    Wanted,
    /// Written before `--since`.
    Early,
    /// Written after `--until`.
    Late,
    /// Of another stream.
    Other,
}

impl Wanted {
    /// Reads the times.
    pub fn new(stream: Option<Stream>, since: Option<&str>, until: Option<&str>) -> Result<Self> {
        let now = Timestamp::now();
        let time = |text: Option<&str>| text.map(|text| parse_time(text, now)).transpose();
        Ok(Self { stream, since: time(since)?, until: time(until)? })
    }

    /// Whether the first records may be none of those that are asked for.
    pub fn has_beginning(&self) -> bool {
        self.since.is_some()
    }

    /// Whether nothing that is written from now on is asked for.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Timestamp::now() > until)
    }

    /// How long until then.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.until?.duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }

    /// What `record` is.
    pub fn judge(&self, record: &Record) -> Verdict {
        if (self.since.is_some() || self.until.is_some())
            && let Ok(time) = record.time.parse::<Timestamp>()
        {
            if self.since.is_some_and(|since| time < since) {
                return Verdict::Early;
            }
            if self.until.is_some_and(|until| time > until) {
                return Verdict::Late;
            }
        }
        if self.stream.is_some_and(|stream| stream != record.stream) { Verdict::Other } else { Verdict::Wanted }
    }
}
