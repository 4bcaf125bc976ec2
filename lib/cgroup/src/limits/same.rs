//! Whether the kernel has what was written. It shows values in its own way: pages for bytes, ranges for lists, every key
//! of a line.

use super::cpuset::numbers;
use rustix::param::page_size;

/// What a number of the file is rounded down to: the kernel keeps sizes as pages, those of `hugetlb` as huge ones, whose
/// size is in the name; every other number as it is.
fn unit(file: &str) -> u64 {
    let (controller, name) = file.split_once('.').unwrap_or_default();
    let is_size = name.ends_with("_in_bytes") || name.ends_with("max") || matches!(name, "high" | "low" | "min");
    match controller {
        "memory" if is_size || name == "swap.high" => page_size() as u64,
        "hugetlb" => name.split_once("B.").and_then(|(huge, _)| size(huge)).unwrap_or(1),
        _ => 1,
    }
}

/// Whether `shown`, which was read from `file`, means what `written` means.
pub fn same(file: &str, written: &str, shown: &str) -> bool {
    if file == "memory.oom_control" {
        return shown.lines().any(|line| line.split_once(' ') == Some(("oom_kill_disable", written)));
    }
    if file.starts_with("cpuset.") && !file.ends_with("partition") {
        return numbers(written.trim()).is_some_and(|list| Some(list) == numbers(shown.trim()));
    }
    written.lines().all(|line| is_shown(line, shown, unit(file)))
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

/// Whether a written line is among those shown: that which begins with the same key, where it has one (a device, in `io.max`
/// and version 1; a resource, in `misc.max` and `rdma.max`), else the only one.
fn is_shown(line: &str, shown: &str, unit: u64) -> bool {
    let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
    let of_key = shown.lines().find_map(|shown| shown.strip_prefix(key)?.strip_prefix(' '));
    match of_key {
        Some(shown) if number(key).is_none() => values(rest, shown, unit),
        // A device without a limit is not shown.
        None if key.contains(':') => rest.split(' ').all(|word| word == "0" || word.ends_with("=max")),
        _ => {
            let shown = shown.trim();
            // `default 100`, as weights are shown.
            values(line, shown.strip_prefix("default ").unwrap_or(shown), unit)
        }
    }
}

/// Words of a line: `key=value` in any order, others one after the other. Those that were not written are the kernel's.
fn values(written: &str, shown: &str, unit: u64) -> bool {
    let shown: Vec<&str> = shown.split_ascii_whitespace().collect();
    written.split_ascii_whitespace().enumerate().all(|(at, word)| match word.split_once('=') {
        Some((key, written)) => {
            let mut pairs = shown.iter().filter_map(|word| word.split_once('='));
            pairs.any(|(other, shown)| other == key && value(written, shown, unit))
        }
        None => shown.get(at).is_some_and(|shown| value(word, shown, unit)),
    })
}

fn value(written: &str, shown: &str, unit: u64) -> bool {
    // The kernel's most (`PAGE_COUNTER_MAX`), of which version 1 shows the number for no limit.
    let most = |unit: u64| i64::MAX as u64 / unit * unit;
    let unlimited = |word| matches!(word, "max" | "-1");
    if written == shown || (unlimited(written) && unlimited(shown)) {
        return true;
    }
    match (size(written), size(shown)) {
        (Some(written), Some(shown)) => (written / unit * unit).min(most(unit)) == shown,
        (None, Some(shown)) if unlimited(written) => shown == most(unit) && unit > 1,
        (Some(written), None) if unlimited(shown) => written >= most(unit) && unit > 1,
        // `33` as `33.00`, of cpu.uclamp.
        _ => number(written).is_some_and(|n| Some(n) == number(shown)),
    }
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|n: &f64| n.is_finite())
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
            ("memory.max", "9223372036854775807", "max\n"),
            ("memory.limit_in_bytes", "9223372036854775807", "9223372036854771712\n"),
            ("memory.high", "64m", "67108864\n"),
            ("memory.oom_control", "1", "oom_kill_disable 1\nunder_oom 0\n"),
            ("cpuset.cpus", "0,1", "0-1\n"),
            ("cpu.max", "50000 100000", "50000 100000\n"),
            ("cpu.cfs_quota_us", "-1", "-1\n"),
            ("io.weight", "42", "default 42\n"),
            ("io.max", "8:0 wbps=1048576", "8:0 rbps=max wbps=1048576 riops=max wiops=max\n"),
            ("io.max", "8:0 wbps=max", ""),
            ("io.max", "8:0 wbps=1m", "8:0 rbps=max wbps=1048576 riops=max wiops=max\n"),
            ("cpu.max", "50000", "50000 100000\n"),
            ("cpu.max", "max", "max 100000\n"),
            ("cpu.uclamp.min", "33", "33.00\n"),
            ("hugetlb.2MB.max", "3m", "2097152\n"),
            ("misc.max", "sev 5", "sev 5\nsev_es 0\n"),
            ("rdma.max", "mlx4_0 hca_object=7", "mlx4_0 hca_handle=max hca_object=7\nocrdma1 hca_handle=max\n"),
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
            ("memory.limit_in_bytes", "67141632", "67108864\n"),
            ("memory.swappiness", "60", "10\n"),
            ("memory.oom.group", "1", "0\n"),
            ("hugetlb.2MB.max", "5m", "2097152\n"),
            ("misc.max", "sev 5", "sev 6\nsev_es 5\n"),
            ("rdma.max", "mlx4_0 hca_object=7", "mlx4_0 hca_handle=7 hca_object=8\n"),
            ("cpu.max", "50000", "60000 100000\n"),
            ("pids.max", "-1", "20\n"),
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
