//! Times as docker's `--since` and `--until` take them.

use ctr_core::{Code, Error, Result};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use std::{env, fs, path::Path};

/// The time that `text` means: RFC 3339, also cut short (`2026-11-25`, `2026-11-25T10:00`) and without a zone, which is
/// then this machine's; seconds since 1970 with a fraction or without; or how long before `now`, as `1h30m`.
///
/// # Errors
/// `usage` for what is none of these.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp> {
    unix(text).or_else(|| now.checked_sub(parse_duration(text)?).ok()).or_else(|| date(text)).ok_or_else(|| {
        Error::new(Code::Usage, format!("invalid time {text:?}"))
            .hint("as 2026-11-25T10:00:00Z, 2026-11-25, 1795600800, 10m, 1h30m")
    })
}

/// Seconds with at most nine decimals.
fn unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9.9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanoseconds).ok()
}

/// The order counts: jiff takes a time with a zone for a local one too.
fn date(text: &str) -> Option<Timestamp> {
    // A day in a zone, 2026-11-25+02:00, is one that jiff does not take.
    let day = || format!("{}T00:00:00{}", text.get(..10)?, text.get(10..)?).parse().ok();
    let local = || zone().to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse().ok().or_else(day).or_else(local)
}

/// The zone of this machine's clock, as `TZ` or /etc/localtime say (tzset(3)).
fn zone() -> TimeZone {
    let file = |path: &Path| TimeZone::tzif("", &fs::read(path).ok()?).ok();
    let zone = match env::var("TZ") {
        Err(_) => file(Path::new("/etc/localtime")),
        Ok(name) => {
            let name = name.strip_prefix(':').unwrap_or(&name);
            file(&Path::new("/usr/share/zoneinfo").join(name)).or_else(|| TimeZone::posix(name).ok())
        }
    };
    zone.unwrap_or(TimeZone::UTC)
}

/// A duration in Go's form: numbers with units, `300ms`, `1.5h`, `2h45m`; `None` for what is none.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut sum = SignedDuration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|n| *n > 0)?;
        let unit = rest[number..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |n| number + n);
        let nanoseconds = match &rest[number..unit] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        sum = sum.checked_add(times(&rest[..number], nanoseconds)?)?;
        rest = &rest[unit..];
    }
    Some(if negative { -sum } else { sum })
}

/// A decimal number of units.
fn times(number: &str, nanoseconds: i64) -> Option<SignedDuration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let part = (fraction * nanoseconds as f64) as i64;
    Some(SignedDuration::from_nanos(whole.checked_mul(nanoseconds)?.checked_add(part)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_as_docker_takes_them() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:00.123456789Z", "2026-11-25T10:00:00.123456789Z"),
            ("2026-11-25T10:00:00.5+02:00", "2026-11-25T08:00:00.5Z"),
            ("2026-11-25T10:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25Z", "2026-11-25T00:00:00Z"),
            ("2026-11-25+02:00", "2026-11-24T22:00:00Z"),
            ("1795600800", "2026-11-25T10:00:00Z"),
            ("1795600800.25", "2026-11-25T10:00:00.25Z"),
            ("1795600800.1234567891", "2026-11-25T10:00:00.123456789Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("10m", "2026-11-25T11:50:00Z"),
            ("1h30m", "2026-11-25T10:30:00Z"),
            ("-1m", "2026-11-25T12:01:00Z"),
        ] {
            assert_eq!(parse_time(text, now).unwrap(), time.parse().unwrap(), "{text}");
        }
        for bad in ["", "yesterday", "10", "1795600800.", "10 m", "2026-13-01", "2026-11-25T", "1.2.3", "-", "T10:00"] {
            let good = bad == "10";
            assert_eq!(parse_time(bad, now).is_ok(), good, "{bad}");
        }
    }

    #[test]
    fn times_without_a_zone_are_local() {
        for (text, full) in [
            ("2026-11-25T10:00:00", "2026-11-25T10:00:00"),
            ("2026-11-25T10:00", "2026-11-25T10:00:00"),
            ("2026-11-25", "2026-11-25T00:00:00"),
            ("2026-11-25T10:00:00.5", "2026-11-25T10:00:00.5"),
        ] {
            let local: DateTime = full.parse().unwrap();
            assert_eq!(date(text), Some(zone().to_timestamp(local).unwrap()), "{text}");
        }
    }

    #[test]
    fn durations_as_go_has_them() {
        for (text, milliseconds) in [
            ("300ms", 300),
            ("1.5h", 5_400_000),
            ("2h45m", 9_900_000),
            ("+1s", 1000),
            ("-1.5s", -1500),
            (".5s", 500),
            ("1.s", 1000),
            ("1000us", 1),
            ("1000µs", 1),
            ("1000000ns", 1),
        ] {
            assert_eq!(parse_duration(text), Some(SignedDuration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "1", "s", "1x", ".s", "1h-1m", "h1", "1..5s", "99999999999h"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
