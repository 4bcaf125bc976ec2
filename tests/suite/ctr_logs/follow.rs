//! Following a log: through rotations, restarts and removals, to the end of the container, without a busy moment.

use super::world::*;
use ctr_log::Stream;
use ctr_tests::{Host, Test, command::Running, json, tests};
use nix::sys::signal::Signal;
use std::{fs, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("ctr-logs", ["root", "overlay", "umoci", "busybox"]:
        follows_to_the_end_of_the_container,
        follows_through_rotations,
        follows_a_container_that_restarts,
        ends_at_a_time,
        ends_when_its_reader_goes,
        a_reader_that_stops_reading_blocks_nobody_else,
        a_removed_container_ends_it,
        sleeps_while_nothing_is_written)
}

/// `ctr-logs -f x` into the file `out`.
fn follow(host: &Host) -> Running {
    host.sh_cmd("exec ctr-logs -f x >out").spawn()
}

fn follows_to_the_end_of_the_container() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7101);
    let mut log = log(&host, 1 << 20, 3);
    log.write(Stream::Stdout, b"before\n");
    let all = follow(&host);
    let new = host.sh_cmd("exec ctr-logs -f --tail 0 x >new").spawn();
    says(&host, "out", "before\n");
    // Until the other has found its place.
    wait_for(|| {
        log.write(Stream::Stdout, b"after\n");
        fs::metadata(host.dir().join("new")).is_ok_and(|new| new.len() > 0)
    });
    log.write(Stream::Stdout, b"last words");
    log.flush();
    container.end();
    all.wait().ok();
    new.wait().ok();
    let (all, new) =
        (fs::read_to_string(host.dir().join("out")).unwrap(), fs::read_to_string(host.dir().join("new")).unwrap());
    assert!(all.starts_with("before\nafter\n") && all.ends_with("after\nlast words"), "{all}");
    assert!(new.starts_with("after\n") && all.ends_with(&new), "{new}");
}

fn follows_through_rotations() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7102);
    let mut log = log(&host, 20_000, 1000);
    let follower = follow(&host);
    let mut expected = String::new();
    for n in 0..3000 {
        let line = format!("{n} {}\n", "x".repeat(n % 50));
        log.write(Stream::Stdout, line.as_bytes());
        expected += &line;
    }
    assert!(dir(&host, "x").join("log.12").exists());
    container.end();
    follower.wait().ok();
    assert_eq!(fs::read_to_string(host.dir().join("out")).unwrap(), expected);
    host.tool("ctr-logs", &["x"]).ok().stdout_is(&expected);
}

fn follows_a_container_that_restarts() {
    let host = with_container();
    let mut log = log(&host, 1 << 20, 3);
    log.write(Stream::Stdout, b"1\n");
    let supervisor = host.cmd("sleep", &["7103"]).spawn();
    let pid = host.process("sleep 7103");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let start: u64 = stat[stat.rfind(')').unwrap() + 2..].split(' ').nth(19).unwrap().parse().unwrap();
    let run_dir = host.run().join("containers").join(dir(&host, "x").file_name().unwrap());
    fs::create_dir_all(&run_dir).unwrap();
    // The process is gone, its supervisor is not.
    let state = json!({"status": "restarting", "supervisor": {"pid": pid, "pidStart": start}});
    fs::write(run_dir.join("state.json"), state.to_string()).unwrap();
    let follower = follow(&host);
    says(&host, "out", "1\n");
    log.write(Stream::Stdout, b"2\n");
    says(&host, "out", "1\n2\n");
    log.write(Stream::Stdout, b"3");
    log.flush();
    supervisor.signal(Signal::SIGKILL);
    supervisor.wait().exits(137);
    follower.wait().ok();
    says(&host, "out", "1\n2\n3");
}

fn ends_at_a_time() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7104);
    log(&host, 1 << 20, 3).write(Stream::Stdout, b"one\n");
    host.tool("ctr-logs", &["-f", "--until", "-1s", "x"]).ok().stdout_is("one\n");
    container.end();
}

fn ends_when_its_reader_goes() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7105);
    let mut log = log(&host, 10 << 20, 3);
    log.write(Stream::Stdout, b"first\n");
    // Nothing more is written: only the wait can tell it.
    let statuses = |logs: &str| host.sh(&format!("{{ {logs}; echo $? >status; }} | head -n 1; cat status"));
    statuses("ctr-logs -f x").ok().stdout_is("first\n141\n");
    log.write(Stream::Stdout, &b"line\n".repeat(100_000));
    statuses("ctr-logs -f x").ok().stdout_is("first\n141\n");
    container.end();
    statuses("ctr-logs x").ok().stdout_is("first\n141\n");
}

fn a_reader_that_stops_reading_blocks_nobody_else() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7106);
    let mut log = log(&host, 100_000, 3);
    log.write(Stream::Stdout, b"0\n");
    let follower = host.sh_cmd("ctr-logs -f x | { head -n 1 >out; cat go >/dev/null; cat >rest; }");
    host.sh("mkfifo go").ok();
    let follower = follower.spawn();
    says(&host, "out", "0\n");
    // Far more than a pipe holds, and than the log keeps.
    for n in 1..=40_000 {
        log.write(Stream::Stdout, format!("{n}\n").as_bytes());
    }
    assert_eq!(log.lost(), 0);
    host.sh("echo >go").ok();
    container.end();
    let ran = follower.wait().exits(0);
    let rest = fs::read_to_string(host.dir().join("rest")).unwrap();
    let numbers: Vec<u32> = rest.lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "out of order, or twice");
    assert_eq!(numbers.last(), Some(&40_000));
    // What was rotated away before it was read is gone, and it says so.
    assert!(numbers.len() < 40_000, "nothing was dropped: the test is too small");
    ran.stderr_has("dropped before they were read");
}

fn a_removed_container_ends_it() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7107);
    log(&host, 1 << 20, 3).write(Stream::Stdout, b"one\n");
    let follower = follow(&host);
    says(&host, "out", "one\n");
    host.tool("ctr-rm", &["-f", "x"]).ok();
    follower.wait().ok();
    drop(container);
}

fn sleeps_while_nothing_is_written() {
    let host = Host::new();
    let container = Sleeper::start(&host, 7108);
    log(&host, 1 << 20, 3).write(Stream::Stdout, b"one\n");
    let follower = follow(&host);
    says(&host, "out", "one\n");
    // Each time that it wakes it sleeps again of its own will.
    let sleeps = || {
        let status = fs::read_to_string(format!("/proc/{}/status", follower.pid())).unwrap();
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap().trim().to_owned()
    };
    wait_for(|| {
        let before = sleeps();
        thread::sleep(Duration::from_secs(1));
        sleeps() == before
    });
    container.end();
    follower.wait().ok();
}
