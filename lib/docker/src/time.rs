//! The times that docker's `until=`, `--since` and `--until` take.

use ctr_core::{Code, Error, Result};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// A moment: RFC 3339, a date with or without a time (UTC), seconds since 1970 with a fraction or without, or a span
/// such as `1h30m` before `now`.
///
/// # Errors
/// `invalid` for what is none of them.
pub fn parse_time(word: &str, now: Timestamp) -> Result<Timestamp> {
    let invalid = || {
        Error::new(Code::Invalid, format!("invalid time {word:?}"))
            .hint("2026-11-25T10:00:00Z, 2026-11-25, seconds since 1970, or 1h30m for so long ago")
    };
    if let Some(time) = seconds(word) {
        return Ok(time);
    }
    if let Ok(time) = word.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Some(time) = civil(word) {
        return TimeZone::UTC.to_timestamp(time).map_err(|_| invalid());
    }
    let span = word.parse::<SignedDuration>().map_err(|_| invalid())?;
    now.checked_sub(span).map_err(|_| invalid())
}

/// `1136073600` or `1136073600.000000001`.
fn seconds(word: &str) -> Option<Timestamp> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    Timestamp::new(whole.parse().ok()?, format!("{fraction:0<9}").parse().ok()?).ok()
}

fn civil(word: &str) -> Option<DateTime> {
    // jiff reads a date with a zone as one without, and drops the zone.
    let is_civil = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T' | b'.'));
    let parsed = word.parse::<DateTime>().ok().or_else(|| Some(word.parse::<Date>().ok()?.at(0, 0, 0, 0)));
    parsed.filter(|_| is_civil)
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn dockers_forms_of_a_time() {
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        for (word, time) in [
            ("2026-11-25T08:30:00Z", "2026-11-25T08:30:00Z"),
            ("2026-11-25T08:30:00.5+01:00", "2026-11-25T07:30:00.5Z"),
            ("2026-11-25T08:30:00", "2026-11-25T08:30:00Z"),
            ("2026-11-25T08:30", "2026-11-25T08:30:00Z"),
            ("2026-11-25", "2026-11-25T00:00:00Z"),
            ("1136073600", "2006-01-01T00:00:00Z"),
            ("1136073600.000000001", "2006-01-01T00:00:00.000000001Z"),
            ("10m", "2026-11-25T09:50:00Z"),
            ("1h30m", "2026-11-25T08:30:00Z"),
            ("24h", "2026-11-24T10:00:00Z"),
        ] {
            assert_eq!(parse_time(word, now).unwrap().to_string(), time, "{word}");
        }
        for bad in ["", "yesterday", "-", "1.2.3", "2026-13-01", "10x"] {
            assert!(parse_time(bad, now).is_err(), "{bad:?}");
        }
    }
}
