//! What is waited for, and how long, in the words of the command line.

use jiff::SignedDuration;
use regex_lite::Regex;
use std::{fmt, time::Duration};

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Condition {
    NotRunning,
    Exited,
    NextExit,
    Removed,
    Running,
    /// The status of the health check.
    Health(&'static str),
    Port(u16),
    Log(Regex),
}

pub fn parse(text: &str) -> Result<Condition, String> {
    Ok(match text {
        "not-running" => Condition::NotRunning,
        "exited" => Condition::Exited,
        "next-exit" => Condition::NextExit,
        "removed" => Condition::Removed,
        "running" => Condition::Running,
        "healthy" => Condition::Health("healthy"),
        "unhealthy" => Condition::Health("unhealthy"),
        _ => match text.split_once(':') {
            Some(("port", port)) => match port.parse() {
                Ok(port) if port > 0 => Condition::Port(port),
                _ => return Err("a port is a number from 1 to 65535".to_owned()),
            },
            Some(("log", pattern)) => {
                let whole = |e: regex_lite::Error| format!("no regular expression: {e}");
                Condition::Log(Regex::new(pattern).map_err(whole)?)
            }
            _ => return Err("there is no such condition".to_owned()),
        },
    })
}

/// A number of seconds, or numbers with units (`1m30s`, `500ms`).
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed = text.parse::<SignedDuration>().ok();
    parsed.and_then(|d| Duration::try_from(d).ok()).ok_or_else(|| "a duration is 60s, 1m30s, 500ms".to_owned())
}

/// As messages have it: "cannot wait for container web …".
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning | Self::Exited => f.write_str("to end"),
            Self::NextExit => f.write_str("to end again"),
            Self::Removed => f.write_str("to be removed"),
            Self::Running => f.write_str("to run"),
            Self::Health(status) => write!(f, "to be {status}"),
            Self::Port(port) => write!(f, "to answer on port {port}"),
            Self::Log(pattern) => write!(f, "to log a line that matches {:?}", pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_conditions() {
        assert!(matches!(parse("port:80"), Ok(Condition::Port(80))));
        assert!(matches!(parse("log:^ready: (now|soon)$"), Ok(Condition::Log(_))));
        for bad in ["", "Running", "port:", "port:0", "port:65536", "log:(", "log"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, ms) in [("60s", 60_000), ("1m30s", 90_000), ("500ms", 500), ("7", 7000), ("0", 0), ("1h", 3_600_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "-1", "-5s", "soon", "5 parsecs"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }
}
