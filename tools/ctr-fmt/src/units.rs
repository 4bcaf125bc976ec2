//! Sizes, ages and ids in docker's words.

use jiff::Timestamp;

/// The twelve digits of an id or digest that people are shown.
pub fn short(id: &str) -> &str {
    let digits = id.split_once(':').map_or(id, |(_, digits)| digits);
    digits.get(..12).unwrap_or(digits)
}

/// Three digits and a decimal unit: `4.26MB`.
pub fn size(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes, 0);
    // 999.5 would be rounded to four digits.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let mut digits = format!("{value:.decimals$}");
    if digits.contains('.') {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{digits}{}", UNITS[unit])
}

/// Four digits and a binary unit: `7.656GiB`.
pub fn binary_size(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let whole = format!("{}", value.trunc()).len();
    let mut digits = format!("{value:.*}", 4_usize.saturating_sub(whole));
    if digits.contains('.') {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{digits}{}", UNITS[unit])
}

/// A percentage with a bar behind it, eight columns wide, in half columns: `50.12%  ████`.
pub fn bar(percent: &str) -> String {
    const WIDTH: usize = 8;
    let value: f64 = percent.trim_end_matches('%').parse().unwrap_or_default();
    let halves = ((value / 100.0 * 2.0 * WIDTH as f64).round() as usize).min(2 * WIDTH);
    let bar = "█".repeat(halves / 2) + if halves % 2 == 1 { "▌" } else { "" };
    format!("{percent:7} {bar:WIDTH$}")
}

/// The age of an RFC 3339 time: `2 weeks ago`; `N/A` for what is no time, and for the year 1 of Go's zero time.
pub fn since(time: &str) -> String {
    age(time, Timestamp::now()).map_or_else(|| "N/A".to_owned(), |age| format!("{age} ago"))
}

/// How long before `now` an RFC 3339 time was: `2 weeks`; `None` for what is no time.
pub fn age(time: &str, now: Timestamp) -> Option<String> {
    parse(time).map(|time| duration(now.duration_since(time).as_secs()))
}

/// An RFC 3339 time as docker's CREATED AT: `2025-06-15 15:06:40 +0000 UTC`.
pub fn created_at(time: &str) -> String {
    match parse(time) {
        Some(time) => format!("{} UTC", time.strftime("%Y-%m-%d %H:%M:%S +0000")),
        None => "N/A".to_owned(),
    }
}

fn parse(time: &str) -> Option<Timestamp> {
    time.parse::<Timestamp>().ok().filter(|t| t.as_second() > -62_000_000_000)
}

/// docker's words for a span of time.
fn duration(seconds: i64) -> String {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    // docker rounds to the hour from one hour on.
    let hours = (seconds + HOUR / 2) / HOUR;
    let days = hours / 24;
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..HOUR => format!("{} minutes", seconds / 60),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if days < 14 => format!("{days} days"),
        _ if days < 60 => format!("{} weeks", days / 7),
        _ if days < 730 => format!("{} months", days / 30),
        _ => format!("{} years", seconds / DAY / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_docker_prints_them() {
        for (bytes, text) in [
            (0.0, "0B"),
            (532.0, "532B"),
            (999.0, "999B"),
            (1000.0, "1kB"),
            (4_261_502.0, "4.26MB"),
            (4_200_000.0, "4.2MB"),
            (72_800_000.0, "72.8MB"),
            (126_400_000.0, "126MB"),
            (999_700.0, "1MB"),
            (9_999_000.0, "10MB"),
            (1.5e12, "1.5TB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn binary_sizes_as_docker_prints_them() {
        for (bytes, text) in [
            (0.0, "0B"),
            (532.0, "532B"),
            (1024.0, "1KiB"),
            (1_023_900.0, "999.9KiB"),
            (397_312.0, "388KiB"),
            (1_572_864.0, "1.5MiB"),
            (8_220_835_840.0, "7.656GiB"),
            (16_777_216.0, "16MiB"),
        ] {
            assert_eq!(binary_size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn bars_are_full_at_a_hundred() {
        for (percent, text) in [
            ("0.00%", "0.00%           "),
            ("6.30%", "6.30%   ▌       "),
            ("50.00%", "50.00%  ████    "),
            ("100.00%", "100.00% ████████"),
            ("399.00%", "399.00% ████████"),
            ("--", "--              "),
        ] {
            assert_eq!(bar(percent), text, "{percent}");
        }
    }

    #[test]
    fn ages_as_docker_words_them() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (-5, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (119, "About a minute"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86400, "2 weeks"),
            (60 * 86400, "2 months"),
            (730 * 86400, "2 years"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn times_and_ids() {
        assert_eq!(created_at("2025-06-15T15:06:40.123Z"), "2025-06-15 15:06:40 +0000 UTC");
        assert_eq!(created_at("0001-01-01T00:00:00Z"), "N/A");
        assert_eq!(since("yesterday"), "N/A");
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("0123"), "0123");
    }
}
