//! ctr-attach: the streams of a detached container, from one or many sides.

use ctr_tests::*;
use std::{fs, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("ctr-attach",
        ["root", "overlay", "umoci", "busybox"]:
            a_terminal_is_left_and_entered_again,
            pipes_carry_bytes_and_the_end_of_input,
            two_see_the_same,
            who_reads_nothing_is_let_go,
            where_there_is_nobody_to_attach_to
    )
}

fn busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

fn a_terminal_is_left_and_entered_again() {
    let host = busybox();
    host.sh("ctr run -dit --name shell busybox sh").ok();
    let mut pty = host.pty("ctr attach shell; echo status=$?");
    thread::sleep(Duration::from_millis(300));
    pty.send("echo $((40+2)); stty size\r");
    pty.expect("42");
    pty.expect("24 80");
    pty.send("\x10\x11");
    pty.expect("status=0");
    drop(pty);
    let mut pty = host.pty("ctr attach --detach-keys a,b shell; echo status=$?");
    thread::sleep(Duration::from_millis(300));
    pty.resize(30, 90);
    thread::sleep(Duration::from_millis(300));
    pty.send("stty size; echo a-c\r");
    pty.expect("30 90");
    pty.expect("a-c");
    pty.send("exit 5\r");
    pty.expect("status=5");
    host.sh("ctr rm shell").ok();
    host.assert_clean();
}

fn pipes_carry_bytes_and_the_end_of_input() {
    let host = busybox();
    host.sh("ctr create -i --name sum busybox md5sum").ok();
    host.sh("head -c 3000000 /dev/urandom >in; md5sum <in >expected; ctr start -ai sum <in | cmp - expected").ok();
    // Without -i nothing gets in, and its stdin is at its end at once.
    host.sh("ctr create --name deaf busybox md5sum").ok();
    host.sh("echo x | ctr start -a deaf").ok().stdout_is("d41d8cd98f00b204e9800998ecf8427e  -\n");
    host.sh("ctr rm sum deaf").ok();
    host.assert_clean();
}

fn two_see_the_same() {
    let host = busybox();
    host.sh("ctr run -d -i --name talk busybox sh -c 'while read a; do echo got $a; echo err $a >&2; done; exit 3'")
        .ok();
    let one = host.cmd("ctr", &["attach", "--no-stdin", "talk"]).spawn();
    let two = host.cmd("ctr", &["attach", "--no-stdin", "talk"]).spawn();
    thread::sleep(Duration::from_millis(500));
    host.sh("printf 'a\\nb\\n' | ctr attach talk").exits(3).stdout_is("got a\ngot b\n").stderr_is("err a\nerr b");
    for client in [one, two] {
        client.wait().exits(3).stdout_is("got a\ngot b\n").stderr_is("err a\nerr b");
    }
    host.sh("ctr rm talk").ok();
    host.assert_clean();
}

fn who_reads_nothing_is_let_go() {
    let host = busybox();
    host.sh("ctr run -d --name fast busybox sh -c 'sleep 1; seq 1 300000; echo over'").ok();
    // A reader that stops: its client is stopped, not ended.
    let line = "ctr attach fast >/dev/null & sleep 0.5; pkill -STOP -P $$ ctr-attach; kill -STOP $!; sleep 0.1; true";
    host.sh_cmd(line).limit(60).run().succeeds();
    let id = host.tool("ctr-inspect", &["fast"]).ok().json()["id"].as_str().unwrap().to_owned();
    let log = host.root().join("containers").join(id).join("log");
    for _ in 0..300 {
        if fs::read_to_string(&log).unwrap_or_default().contains("over") {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(fs::read_to_string(&log).unwrap().contains("over"), "the container waits for who attached");
    host.sh("ctr rm -f fast").ok();
}

fn where_there_is_nobody_to_attach_to() {
    let host = busybox();
    host.sh("ctr attach absent").fails(1).stderr_has("absent");
    host.sh("ctr run --name over busybox true").ok();
    host.sh("ctr attach over").fails(1).stderr_has("not running");
    let run = host.cmd("ctr", &["run", "--name", "front", "busybox", "sleep", "5200"]).spawn();
    host.process("sleep 5200");
    host.sh("ctr attach front").fails(1).stderr_has("foreground");
    host.sh("ctr rm -f front over").ok();
    run.wait().exits(137);
    host.assert_clean();
}
