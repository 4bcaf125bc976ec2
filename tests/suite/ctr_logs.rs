//! ctr-logs: what it prints of a log. How it follows one is in `ctr_logs/follow.rs`, logs and containers in `world.rs`.

mod follow;
pub mod world;

use ctr_log::Stream;
use ctr_tests::*;
use std::fs;
use world::*;

pub fn tests() -> Vec<Test> {
    let mut all = tests!("ctr-logs",
        ["root", "overlay", "umoci", "busybox"]:
            prints_each_stream_where_it_belongs,
            a_container_without_a_log,
            tail_counts_lines,
            since_and_until,
            bad_arguments;
        ["root", "overlay", "umoci", "busybox", "strace"]:
            tail_reads_only_the_end;
        ["root", "tmpfs"]:
            a_full_disk_tears_no_record
    );
    all.extend(follow::tests());
    all
}

fn prints_each_stream_where_it_belongs() {
    let host = with_container();
    let mut log = log(&host, 10 << 20, 3);
    log.write(Stream::Stdout, "one\ntwo\t\"é\u{1b}[0m\"\n".as_bytes());
    log.write(Stream::Stderr, b"wrong\n");
    log.write(Stream::Stdout, b"no end");
    log.flush();
    let out = "one\ntwo\t\"é\u{1b}[0m\"\nno end";
    host.tool("ctr-logs", &["x"]).exits(0).stdout_is(out).stderr_is("wrong");
    host.tool("ctr-logs", &["--stream", "stdout", "x"]).ok().stdout_is(out);
    host.tool("ctr-logs", &["--stream", "stderr", "x"]).exits(0).stdout_is("").stderr_is("wrong");
    // On one descriptor they keep their order.
    host.sh("ctr-logs x 2>&1").ok().stdout_is("one\ntwo\t\"é\u{1b}[0m\"\nwrong\nno end");
    let stamped = host.sh("ctr-logs -t x 2>&1").ok().text();
    for (line, text) in stamped.lines().zip(["one", "two", "wrong", "no end"]) {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.len() == 30 && time.ends_with('Z') && rest.starts_with(text), "{line}");
    }
    // A line of several records has one time.
    log.write(Stream::Stdout, &[&b"\n"[..], &b"x".repeat(3 << 20), b"\n"].concat());
    let stamped = host.sh("ctr-logs -t --tail 1 x").ok().text();
    assert_eq!(stamped.len(), 31 + (3 << 20) + 1);
    // A container that has ended is followed to the end that there is.
    host.sh("ctr-logs -f -n 1 --stream stderr x 2>&1").ok().stdout_is("wrong\n");
}

fn a_container_without_a_log() {
    let host = with_container();
    host.tool("ctr-logs", &["x"]).fails(1).stderr_is("ctr-logs: container x kept no log: it ran in the foreground");
    host.tool("ctr-logs", &["-f", "x"]).fails(1);
    host.tool("ctr-logs", &["nobody"]).fails(1).stderr_has("no container nobody");
    // It was detached, and has written nothing yet, or is to keep nothing.
    let record = dir(&host, "x").join("document.json");
    let mut doc: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    doc["supervise"] = json!({});
    fs::write(&record, doc.to_string()).unwrap();
    host.tool("ctr-logs", &["x"]).ok().stdout_is("");
    host.tool("ctr-logs", &["-f", "x"]).ok().stdout_is("");
    doc["supervise"] = json!({"log": {"maxSize": 1, "maxFile": 0}});
    fs::write(&record, doc.to_string()).unwrap();
    host.tool("ctr-logs", &["x"]).fails(1).stderr_has("keeps no log");
}

fn tail_counts_lines() {
    let host = with_container();
    // Over several files.
    let mut log = log(&host, 1000, 50);
    for n in 0..100 {
        let stream = if n % 10 == 0 { Stream::Stderr } else { Stream::Stdout };
        log.write(stream, format!("{n}\n").as_bytes());
    }
    let tail = |args: &str| host.sh(&format!("ctr-logs {args} x 2>&1")).ok().text();
    assert_eq!(tail("--tail 3"), "97\n98\n99\n");
    assert_eq!(tail("-n 3 --stream stderr"), "70\n80\n90\n");
    assert_eq!(tail("-n 0"), "");
    assert_eq!(tail("--tail=all").lines().count(), 100);
    assert_eq!(tail("-n 1000").lines().count(), 100);
    assert_eq!(tail("-n 60").lines().next(), Some("40"));
    // Records without a newline are no lines of their own.
    log.write(Stream::Stdout, &b"x".repeat((2 << 20) + 10));
    log.write(Stream::Stderr, b"between\n");
    log.write(Stream::Stdout, b" end\nlast");
    log.flush();
    assert_eq!(tail("-n 1"), "last");
    let two = tail("-n 2");
    assert!(two.ends_with("x end\nlast") && !two.contains("between"), "{}", &two[two.len() - 30..]);
    assert_eq!(tail("-n 2 --stream stdout").len(), (2 << 20) + 10 + " end\nlast".len());
}

/// A log with lines of the hours 10 to 12 of a day.
fn write_hours(host: &Host) {
    let line = |hour: u32| {
        format!("{{\"log\":\"{hour}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-25T{hour}:00:00.000000000Z\"}}\n")
    };
    fs::write(dir(host, "x").join("log"), (10..13).map(line).collect::<String>()).unwrap();
}

fn since_and_until() {
    let host = with_container();
    write_hours(&host);
    let logs = |args: &str| host.sh_cmd(&format!("ctr-logs {args} x")).env("TZ", "UTC").run().ok().text();
    assert_eq!(logs("--since 2026-11-25T11:00:00Z"), "11\n12\n");
    assert_eq!(logs("--since 2026-11-25T11:00:00.000000001Z"), "12\n");
    assert_eq!(logs("--since 2026-11-25T11:00"), "11\n12\n");
    assert_eq!(logs("--since 2026-11-25"), "10\n11\n12\n");
    assert_eq!(logs("--until 2026-11-25T12:30:00+01:00"), "10\n11\n");
    assert_eq!(logs("--since 1795604400.5 --until 1795608000"), "12\n");
    assert_eq!(logs("--until 2026-11-25T11:00:00Z -n 1"), "11\n");
    assert_eq!(logs("--since 2026-11-26 -n 1"), "");
    // What is to come is not waited for where the time is over.
    assert_eq!(logs("-f --until 2026-11-25T10:00:00Z"), "10\n");
    let local = host.sh_cmd("ctr-logs --since 2026-11-25T11:30 x").env("TZ", "UTC-1").run().ok();
    local.stdout_is("11\n12\n");
    // Ten years before now, and a moment.
    assert_eq!(logs("--since 87600h").lines().count(), 3);
    log(&host, 1 << 20, 3).write(Stream::Stdout, b"now\n");
    assert_eq!(logs("--since 10m"), "now\n");
    assert_eq!(logs("--until 10m"), "10\n11\n12\n");
}

fn bad_arguments() {
    let host = with_container();
    write_hours(&host);
    for args in [["--since", "yesterday"], ["--until", "10 m"], ["--tail", "many"], ["-n", "-1"], ["--stream", "x"]] {
        host.tool("ctr-logs", &[args[0], args[1], "x"]).fails(2);
    }
    host.tool("ctr-logs", &[]).fails(2);
    host.tool("ctr-logs", &["--details", "x"]).fails(1).stderr_has("details");
    // A line that is no record is left out, and said.
    let mut text = fs::read_to_string(dir(&host, "x").join("log")).unwrap();
    text.insert_str(0, "{\"log\":1}\nnothing\n");
    fs::write(dir(&host, "x").join("log"), text).unwrap();
    host.tool("ctr-logs", &["x"]).exits(0).stdout_is("10\n11\n12\n").stderr_has("2 lines");
}

fn tail_reads_only_the_end() {
    let host = with_container();
    let mut log = log(&host, 100 << 20, 3);
    for _ in 0..100 {
        log.write(Stream::Stdout, &b"a line of some thirty bytes\n".repeat(4000));
    }
    let ran = host.sh("strace -o trace -e trace=read,pread64 ctr-logs -n 10 x | wc -l");
    ran.ok().stdout_is("10\n");
    let trace = fs::read_to_string(host.dir().join("trace")).unwrap();
    let read: u64 = trace.lines().filter_map(|line| line.rsplit_once("= ")?.1.parse::<u64>().ok()).sum();
    assert!(read > 1000, "{trace}");
    assert!(read < 1 << 20, "{read} bytes read of {}", fs::metadata(dir(&host, "x").join("log")).unwrap().len());
}

fn a_full_disk_tears_no_record() {
    let host = Host::new();
    host.sh("mkdir full && mount -t tmpfs -o size=128k full full").ok();
    let path = host.dir().join("full/log");
    let mut log = log_at(&path, 10 << 20, 3);
    for n in 0..2000 {
        log.write(Stream::Stdout, format!("{n} {}\n", "x".repeat(500)).as_bytes());
    }
    assert!(log.lost() > 500_000, "{}", log.lost());
    let numbers = || -> Vec<u32> {
        let text = fs::read_to_string(&path).unwrap();
        let record = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        text.lines()
            .map(|line| record(line)["log"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap())
            .collect()
    };
    let kept = numbers();
    assert_eq!(kept, (0..kept.len() as u32).collect::<Vec<_>>());
    assert!(kept.len() > 150, "{}", kept.len());
    // There is room again.
    host.sh("mount -o remount,size=1m full").ok();
    log.write(Stream::Stdout, b"7000 more\n");
    assert_eq!(numbers().last(), Some(&7000));
    drop(log);
    host.sh("umount full").ok();
}
