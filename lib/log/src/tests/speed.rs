//! How fast the writer is; for people: `cargo test --release -p ctr-log -- --ignored --nocapture speed`.

#![allow(clippy::print_stdout)]

use super::*;
use crate::Stream;

#[test]
#[ignore = "measures, does not test"]
fn speed_of_lines() {
    for (name, line) in [
        ("100 bytes", "x".repeat(99) + "\n"),
        ("100 bytes with quotes", "abcdefg \"k\" ".repeat(9)[..99].to_owned() + "\n"),
        ("100 bytes of Greek", "αβγδε ".repeat(9) + "\n"),
        ("10 bytes", "x".repeat(9) + "\n"),
        ("10 kB", "x".repeat(9_999) + "\n"),
        ("2 MB", "x".repeat(2_000_000) + "\n"),
    ] {
        let dir = Dir::new();
        let mut log = dir.writer(10 << 20, 3);
        let bytes = line.repeat(100_000_000 / line.len()).into_bytes();
        let start = cpu();
        for part in bytes.chunks(64 << 10) {
            log.write(Stream::Stdout, part);
        }
        let rate = bytes.len() as f64 * 1e3 / (cpu() - start);
        println!("lines of {name}: {rate:.0} MB a second of CPU");
    }
}

/// Nanoseconds that this thread has run (kernel, sched-stats.rst): others on the machine do not count.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
