//! Whether the kernel has what was written. It shows values in its own way: pages for bytes, ranges for lists, every key
//! of a line.

use super::cpuset::numbers;
use std::collections::BTreeSet;

/// No page of any architecture is larger; sizes are rounded to pages.
const PAGE: u64 = 65_536;

/// Whether `shown`, which was read from `file`, means what `written` means.
pub fn same(file: &str, written: &str, shown: &str) -> bool {
    if file == "memory.oom_control" {
        return shown.lines().any(|line| line.split_once(' ') == Some(("oom_kill_disable", written)));
    }
    if file.starts_with("cpuset.") && !file.ends_with("partition") {
        return numbers(written.trim()).is_some_and(|list| Some(list) == numbers(shown.trim()));
    }
    let rounding = if file.starts_with("memory.") || file.starts_with("hugetlb.") { PAGE } else { 1 };
    written.lines().all(|line| is_shown(line, shown, rounding))
}

/// What is written to bring back `shown`, which was read from `file` before `written` was to be written there.
pub fn as_written(file: &str, written: &str, shown: &str) -> String {
    if file == "memory.oom_control" {
        let of = |line: &str| line.strip_prefix("oom_kill_disable ").map(str::to_owned);
        return shown.lines().find_map(of).unwrap_or_default();
    }
    // A line a device; one that has none has no limit.
    let of_device = |line: &str| {
        let (device, keys) = line.split_once(' ')?;
        let is_its = |shown: &&str| shown.strip_prefix(device).is_some_and(|rest| rest.starts_with(' '));
        let none = || {
            let every = if keys.contains('=') { "rbps=max wbps=max riops=max wiops=max" } else { "0" };
            format!("{device} {every}")
        };
        device.contains(':').then(|| shown.lines().find(is_its).map_or_else(none, str::to_owned))
    };
    match written.lines().map(of_device).collect::<Option<Vec<_>>>() {
        Some(lines) => lines.join("\n"),
        None => shown.trim().trim_start_matches("default ").to_owned(),
    }
}

fn is_shown(line: &str, shown: &str, rounding: u64) -> bool {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    if !first.contains(':') {
        return value(line, shown.trim(), rounding);
    }
    // `8:0 1048576` or `8:0 rbps=1 wbps=max`; a device without a limit is not shown.
    let of_device = shown.lines().find_map(|shown| shown.strip_prefix(first)?.strip_prefix(' '));
    let Some(shown) = of_device else { return rest.split(' ').all(|word| word == "0" || word.ends_with("=max")) };
    let shown: BTreeSet<&str> = shown.split(' ').collect();
    rest.split(' ').all(|word| shown.contains(word))
}

/// A word or several: numbers by what they mean, the rest as it is.
fn value(written: &str, shown: &str, rounding: u64) -> bool {
    if written == shown {
        return true;
    }
    let (written, shown): (Vec<&str>, Vec<&str>) = (written.split(' ').collect(), shown.split(' ').collect());
    if written.len() != shown.len() {
        // `default 100`, as weights are shown.
        return shown.len() == 2 && shown[0] == "default" && written == shown[1..];
    }
    written.iter().zip(&shown).all(|(written, shown)| number(written, shown, rounding))
}

fn number(written: &str, shown: &str, rounding: u64) -> bool {
    let unlimited = |word| matches!(word, "max" | "-1");
    match (size(written), size(shown)) {
        // The largest number of pages is version 1's word for no limit.
        (None, Some(shown)) if unlimited(written) => shown > i64::MAX as u64 - PAGE,
        (Some(written), Some(shown)) => shown <= written && written - shown < rounding,
        _ => written == shown || (unlimited(written) && unlimited(shown)),
    }
}

/// A number; the kernel takes k, m and g behind it (lib/cmdline.c, `memparse`).
fn size(word: &str) -> Option<u64> {
    let shift = match word.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { word } else { &word[..word.len() - 1] };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::{as_written, same};

    #[test]
    fn what_means_the_same_is_the_same() {
        for (file, written, shown) in [
            ("memory.limit_in_bytes", "100000000", "99999744\n"),
            ("memory.memsw.limit_in_bytes", "-1", "9223372036854771712\n"),
            ("memory.max", "max", "max\n"),
            ("memory.high", "64m", "67108864\n"),
            ("memory.oom_control", "1", "oom_kill_disable 1\nunder_oom 0\n"),
            ("cpuset.cpus", "0,1", "0-1\n"),
            ("cpu.max", "50000 100000", "50000 100000\n"),
            ("cpu.cfs_quota_us", "-1", "-1\n"),
            ("io.weight", "42", "default 42\n"),
            ("io.max", "8:0 wbps=1048576", "8:0 rbps=max wbps=1048576 riops=max wiops=max\n"),
            ("io.max", "8:0 wbps=max", ""),
            ("blkio.throttle.write_bps_device", "8:0 1048576\n7:1 5", "7:1 5\n8:0 1048576\n"),
        ] {
            assert!(same(file, written, shown), "{file} {written}");
        }
    }

    #[test]
    fn what_was_there_can_be_written_again() {
        for (file, written, shown, again) in [
            ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n", "0"),
            ("memory.limit_in_bytes", "64", "9223372036854771712\n", "9223372036854771712"),
            ("cpu.max", "50000 100000", "max 100000\n", "max 100000"),
            ("io.weight", "42", "default 100\n", "100"),
            ("blkio.throttle.write_bps_device", "8:0 1\n7:1 5", "7:1 9\n", "8:0 0\n7:1 9"),
            ("io.max", "8:0 wbps=1", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        ] {
            assert_eq!(as_written(file, written, shown), again, "{file}");
        }
    }

    #[test]
    fn what_was_changed_is_seen() {
        for (file, written, shown) in [
            ("memory.limit_in_bytes", "100000000", "99000000\n"),
            ("memory.limit_in_bytes", "-1", "99999744\n"),
            ("cpu.shares", "1", "2\n"),
            ("cpu.shares", "70000", "65536\n"),
            ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n"),
            ("cpuset.cpus", "0-1", "0\n"),
            ("cpuset.cpus", "0", ""),
            ("pids.max", "20", "max\n"),
            ("io.max", "8:0 wbps=1048576", "8:16 rbps=max wbps=1048576 riops=max wiops=max\n"),
            ("blkio.throttle.write_bps_device", "8:0 1048576", ""),
        ] {
            assert!(!same(file, written, shown), "{file} {written}");
        }
    }
}
