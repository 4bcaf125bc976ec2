//! The harness itself: a test that cannot fail proves nothing.

use ctr_tests::*;
use std::{
    fs,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("harness",
        ["root", "netns"]:
            a_command_has_a_time_limit,
            a_command_gets_and_gives_bytes,
            own_network_is_empty,
            what_is_left_is_seen_and_ended,
            a_terminal_takes_keys_and_sizes,
            an_unknown_need_fails;
        []:
            a_layout_is_needed_where_it_should_be,
            the_virtual_machine_runs_what_is_there
    )
}

fn a_command_has_a_time_limit() {
    let host = Host::new();
    let start = Instant::now();
    let slow = std::panic::catch_unwind(|| host.sh_cmd("sleep 98 & sleep 98").limit(1).run());
    assert!(slow.is_err() && start.elapsed() < Duration::from_secs(10));
}

fn a_command_gets_and_gives_bytes() {
    let host = Host::new();
    host.sh_cmd("cat; echo on-stderr >&2; exit 3").stdin("abc").run().exits(3).stdout_is("abc").stderr_is("on-stderr");
    host.sh("kill -9 $$").exits(137);
    host.sh("echo 'tool: message' >&2; exit 1").fails(1);
    let silent = std::panic::catch_unwind(|| host.sh("exit 1").fails(1));
    assert!(silent.is_err(), "a failure that says nothing passed");
}

fn own_network_is_empty() {
    let host = Host::with_own_net();
    let links = host.sh("ip -o link | wc -l").ok().text();
    assert_eq!(links.trim(), "1");
    host.sh("ip -o addr show dev lo").ok().stdout_has("127.0.0.1");
}

fn what_is_left_is_seen_and_ended() {
    let host = Host::new();
    host.sh("mount -t tmpfs left $CTR_RUN; setsid sleep 97 >/dev/null 2>&1 </dev/null & sleep 0.3").ok();
    host.process("sleep 97");
    let left = host.leftovers();
    assert!(left.iter().any(|l| l.starts_with("mount")) && left.iter().any(|l| l.contains("sleep 97")), "{left:?}");
}

fn a_terminal_takes_keys_and_sizes() {
    let host = Host::new();
    let mut pty = host.pty("stty size; read line; echo got $line; stty size; read line");
    pty.expect("24 80");
    pty.resize(30, 100);
    pty.send("hello\r");
    pty.expect("got hello");
    pty.expect("30 100");
    pty.send("\x03");
    assert_eq!(pty.wait().0, 130);
}

fn an_unknown_need_fails() {
    assert!(std::panic::catch_unwind(|| requires::unmet(&["no-such-word"])).is_err());
}

fn a_layout_is_needed_where_it_should_be() {
    // Each of them is met in its own machine, or a failure there.
    assert!(!requires::elsewhere(&["root", "cgroup2"], true));
    assert!(!requires::elsewhere(&["root", "cgroup1"], false));
    for (word, vm) in [("cgroup2", false), ("cgroup1", true)] {
        assert_eq!(requires::elsewhere(&["root", word], vm), requires::unmet(&[word]).is_some(), "{word}");
    }
    assert!(!requires::elsewhere(&["root"], false) && !requires::elsewhere(&["root"], true));
}

fn the_virtual_machine_runs_what_is_there() {
    let list = fs::read_to_string(suite::repository().join("tests/vm/tests")).unwrap();
    let tests = crate::all();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(tests.iter().any(|test| test.is_named(line)), "vm/tests: no test is called {line:?}");
    }
}
