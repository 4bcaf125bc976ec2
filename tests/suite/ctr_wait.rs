//! ctr-wait: every condition, what makes it impossible, and that waiting costs nothing.

use crate::living::*;
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{fs, io::Write, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("ctr-wait",
        ["root", "overlay", "umoci", "busybox"]:
            the_exit_status_is_printed,
            a_container_that_starts_later,
            a_port_inside_answers;
        []:
            an_end_that_nobody_saw,
            a_supervisor_records_the_end,
            exited_waits_through_restarts,
            the_next_exit_is_a_later_one,
            removal_and_a_status_only_the_events_know,
            healthy,
            a_line_of_the_log,
            a_log_that_is_rotated,
            time_is_up,
            waiting_sleeps,
            bad_words
    )
}

/// ctr-wait in the background, once it waits: it has a watch (inotify) with its two directories in it.
#[track_caller]
fn waiting(host: &Host, args: &[&str]) -> command::Running {
    let wait = host.cmd("ctr-wait", args).spawn();
    let watches = |pid: i32| {
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
        let texts = infos.map(|info| fs::read_to_string(info.path()).unwrap_or_default());
        texts.map(|text| text.lines().filter(|line| line.starts_with("inotify wd:")).count()).max().unwrap_or(0)
    };
    until("it waits", || watches(wait.pid()) >= 2 && sleeps(wait.pid()));
    wait
}

fn sleeps(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"))
}

fn the_exit_status_is_printed() {
    let host = busybox();
    let run = web(&host, &[], "trap 'exit 7' TERM; touch /up; while :; do sleep 0.05; done");
    let wait = waiting(&host, &["web"]);
    let exited = waiting(&host, &["--condition", "exited", "web"]);
    host.tool("ctr-stop", &["web"]).ok();
    wait.wait().ok().stdout_is("7\n");
    exited.wait().ok().stdout_is("7\n");
    run.wait().exits(7);
    host.tool("ctr", &["run", "--name", "two", "busybox", "false"]).exits(1);
    host.tool("ctr-wait", &["web", "two"]).ok().stdout_is("7\n1\n");
    host.tool("ctr-wait", &["web", "none", "two"]).fails(1).stdout_is("7\n1\n").stderr_has("no container none");
}

fn a_container_that_starts_later() {
    let host = busybox();
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --name web >doc").ok();
    // Created is not running, and not exited.
    host.tool("ctr-wait", &["web"]).ok().stdout_is("0\n");
    let running = waiting(&host, &["--condition", "running", "web"]);
    let exited = waiting(&host, &["--condition", "exited", "web"]);
    let next = waiting(&host, &["--condition", "next-exit", "web"]);
    let run = host.sh_cmd("exec ns-spawn -f doc -- sleep 6501").spawn();
    running.wait().ok().stdout_is("");
    kill(host.process("sleep 6501"), Signal::SIGKILL);
    exited.wait().ok().stdout_is("137\n");
    next.wait().ok().stdout_is("137\n");
    run.wait().exits(137);
    let removed = waiting(&host, &["--condition", "removed", "web"]);
    host.tool("ctr-rm", &["web"]).ok();
    removed.wait().ok().stdout_is("137\n");
}

fn a_port_inside_answers() {
    let host = busybox();
    let run = web(&host, &[], "touch /up; while [ ! -e /go ]; do sleep 0.05; done; exec httpd -f -p 8080");
    host.tool("ctr-wait", &["--condition", "port:8080", "--timeout", "300ms", "web"])
        .fails(1)
        .stderr_is("ctr-wait: cannot wait for container web to answer on port 8080: 300ms are over");
    let wait = host.cmd("ctr-wait", &["--condition", "port:8080", "web"]).spawn();
    // What listens outside of the container does not count.
    fs::write(rootfs(&host, "web").unwrap().join("go"), "").unwrap();
    wait.wait().ok().stdout_is("");
    let other = host.cmd("ctr-wait", &["--condition", "port:8081", "web"]).spawn();
    host.tool("ctr-kill", &["web"]).ok();
    other.wait().fails(1).stderr_has("it is not running");
    run.wait().exits(137);
}

fn an_end_that_nobody_saw() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"state": {"status": "stopped", "startedAt": "2026-11-25T10:00:00Z"}}));
    host.tool("ctr-wait", &["web"]).ok().stdout_is("255\n");
    let process = host.cmd("sleep", &["6502"]).spawn();
    web.runs(process.pid(), None, &json!({}));
    let wait = waiting(&host, &["web"]);
    drop(process);
    wait.wait().ok().stdout_is("255\n");
}

fn a_supervisor_records_the_end() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let (process, supervisor) = (host.cmd("sleep", &["6503"]).spawn(), host.cmd("sleep", &["6504"]).spawn());
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let mut wait = waiting(&host, &["web"]);
    drop(process);
    thread::sleep(Duration::from_millis(200));
    assert!(wait.runs(), "the end is not recorded yet");
    web.ended(3);
    wait.wait().ok().stdout_is("3\n");

    // Its supervisor killed: nobody will record the end.
    fs::remove_file(web.dir().join("exit.json")).unwrap();
    let process = host.cmd("sleep", &["6505"]).spawn();
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let mut wait = waiting(&host, &["web"]);
    drop(supervisor);
    assert!(wait.runs(), "the container runs on");
    drop(process);
    wait.wait().ok().stdout_is("0\n");
}

fn exited_waits_through_restarts() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let (process, supervisor) = (host.cmd("sleep", &["6506"]).spawn(), host.cmd("sleep", &["6507"]).spawn());
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let first = waiting(&host, &["web"]);
    let mut last = waiting(&host, &["--condition", "exited", "web"]);
    drop(process);
    let restarting = json!({"status": "restarting", "pid": 1, "pidStart": 1, "exitCode": 4});
    web.runs(supervisor.pid(), Some(supervisor.pid()), &restarting);
    first.wait().ok().stdout_is("4\n");
    let process = host.cmd("sleep", &["6508"]).spawn();
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    until("it waits", || sleeps(last.pid()));
    assert!(last.runs());
    drop(process);
    web.ended(5);
    drop(supervisor);
    last.wait().ok().stdout_is("5\n");
}

fn the_next_exit_is_a_later_one() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"state": {"status": "stopped"}}));
    web.ended(1);
    let mut next = waiting(&host, &["--condition", "next-exit", "web"]);
    assert!(next.runs());
    let process = host.cmd("sleep", &["6509"]).spawn();
    fs::remove_file(web.dir().join("exit.json")).unwrap();
    web.runs(process.pid(), None, &json!({}));
    until("it waits", || sleeps(next.pid()));
    thread::sleep(Duration::from_millis(100));
    drop(process);
    web.ended(2);
    next.wait().ok().stdout_is("2\n");
}

fn removal_and_a_status_only_the_events_know() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let (process, supervisor) = (host.cmd("sleep", &["6510"]).spawn(), host.cmd("sleep", &["6511"]).spawn());
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let ended = waiting(&host, &["web"]);
    let removed = waiting(&host, &["--condition", "removed", "web"]);
    for (id, code) in [(&"0".repeat(64), "1"), (&web.id, "6")] {
        let die = json!({"time": "2026-11-25T10:00:00Z", "type": "container", "action": "die", "id": id, "name": "x",
            "attributes": {"exitCode": code}});
        let file = fs::OpenOptions::new().append(true).create(true).open(host.run().join("events.jsonl"));
        writeln!(file.unwrap(), "{die}").unwrap();
    }
    // All at once, as --rm does: nothing is left to be read.
    fs::remove_dir_all(web.dir()).unwrap();
    drop(process);
    ended.wait().ok().stdout_is("6\n");
    removed.wait().ok().stdout_is("6\n");
}

fn healthy() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"supervise": {"health": {"test": ["CMD", "true"]}}}));
    let process = host.cmd("sleep", &["6512"]).spawn();
    let health = |status: &str| {
        web.runs(process.pid(), None, &json!({"health": {"status": status, "failingStreak": 0, "log": []}}));
    };
    let wait = || waiting(&host, &["--condition", "healthy", "--timeout", "60s", "web"]);
    web.runs(process.pid(), None, &json!({}));
    let first = wait();
    health("starting");
    health("healthy");
    first.wait().ok().stdout_is("");
    health("starting");
    let (second, unhealthy) = (wait(), waiting(&host, &["--condition", "unhealthy", "web"]));
    health("unhealthy");
    second.wait().fails(1).stderr_is("ctr-wait: cannot wait for container web to be healthy: it is unhealthy");
    unhealthy.wait().ok();
    health("starting");
    let third = wait();
    drop(process);
    web.ended(1);
    third.wait().fails(1).stderr_has("it is not running");

    let none = StandIn::new(&host, "none", &json!({}));
    let process = host.cmd("sleep", &["6513"]).spawn();
    none.runs(process.pid(), None, &json!({}));
    host.tool("ctr-wait", &["--condition", "healthy", "none"]).fails(1).stderr_has("it has no health check");
}

/// A line as docker's json-file has it.
fn record(time: &str, stream: &str, text: &str) -> String {
    format!("{}\n", json!({"log": text, "stream": stream, "time": format!("2026-11-25T{time}Z")}))
}

fn append(web: &StandIn, text: &str) {
    let file = fs::OpenOptions::new().append(true).create(true).open(web.dir().join("log"));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn a_line_of_the_log() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"supervise": {}}));
    let process = host.cmd("sleep", &["6514"]).spawn();
    let started = json!({"startedAt": "2026-11-25T10:00:00.5Z"});
    web.runs(process.pid(), None, &started);
    let wait = |pattern: &str| waiting(&host, &["--condition", &format!("log:{pattern}"), "web"]);
    let mut ready = wait("^server (is )?ready$");
    // The run before; another line; parts of a line of each stream; a record that is still being written.
    append(&web, &record("10:00:00.4", "stdout", "server ready\n"));
    append(&web, &record("10:00:01", "stdout", "the server is ready\n"));
    append(&web, &record("10:00:01", "stdout", "server "));
    append(&web, &record("10:00:01", "stderr", "server is "));
    append(&web, "{\"torn\n");
    let last = record("10:00:02", "stderr", "ready\r\n");
    append(&web, &last[..20]);
    thread::sleep(Duration::from_millis(200));
    assert!(ready.runs());
    append(&web, &last[20..]);
    ready.wait().ok().stdout_is("");
    // What is there already counts too, and after the end.
    host.tool("ctr-wait", &["--condition", "log:is ready", "web"]).ok();
    let never = wait("never");
    drop(process);
    fs::write(
        web.dir().join("exit.json"),
        json!({"status": "stopped", "exitCode": 1,
        "startedAt": "2026-11-25T10:00:00.5Z"})
        .to_string(),
    )
    .unwrap();
    never.wait().fails(1).stderr_has("it is not running");
    host.tool("ctr-wait", &["--condition", "log:is ready", "web"]).ok();
    StandIn::new(&host, "none", &json!({"supervise": {"log": {"maxSize": 1, "maxFile": 0}}}));
    host.tool("ctr-wait", &["--condition", "log:x", "none"]).fails(1).stderr_has("it keeps no log");
}

fn a_log_that_is_rotated() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"supervise": {}}));
    let process = host.cmd("sleep", &["6515"]).spawn();
    web.runs(process.pid(), None, &json!({"startedAt": "2026-11-25T10:00:00Z"}));
    let at = |n: &str| web.dir().join(n);
    append(&web, &record("10:00:01", "stdout", "one\n"));
    let (two, five) =
        (waiting(&host, &["--condition", "log:two", "web"]), waiting(&host, &["--condition", "log:five", "web"]));
    // A process that is stopped misses every event but the last.
    kill(two.pid(), Signal::SIGSTOP);
    for (n, text) in ["two\n", "three\n", "four\n"].iter().enumerate() {
        append(&web, &record(&format!("10:01:0{n}"), "stdout", text));
        if n > 0 {
            fs::rename(at("log.1"), at("log.2")).unwrap();
        }
        fs::rename(at("log"), at("log.1")).unwrap();
    }
    kill(two.pid(), Signal::SIGCONT);
    two.wait().ok();
    append(&web, &record("10:02:00", "stdout", "five\n"));
    five.wait().ok();
}

fn time_is_up() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let process = host.cmd("sleep", &["6516"]).spawn();
    web.runs(process.pid(), None, &json!({}));
    let wait = host.tool("ctr-wait", &["--timeout", "200ms", "web"]).fails(1);
    assert!(wait.stderr_is("ctr-wait: cannot wait for container web to end: 200ms are over").took.as_millis() >= 200);
    host.tool("ctr-wait", &["--timeout", "0", "web"]).fails(1);
    host.tool("ctr-wait", &["--timeout", "0", "--condition", "running", "web"]).ok();
}

/// How often a process gave the processor back, and how often it was taken from it.
fn switches(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
    lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum()
}

fn waiting_sleeps() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({"supervise": {"health": {"test": ["CMD", "true"]}}}));
    let (process, supervisor) = (host.cmd("sleep", &["6517"]).spawn(), host.cmd("sleep", &["6518"]).spawn());
    web.runs(process.pid(), Some(supervisor.pid()), &json!({}));
    let conditions = ["not-running", "exited", "next-exit", "removed", "healthy"];
    let waits = conditions.map(|condition| waiting(&host, &["--condition", condition, "web"]));
    let before: Vec<u64> = waits.iter().map(|wait| switches(wait.pid())).collect();
    // What is written to the log is no news for these.
    for _ in 0..100 {
        append(&web, "x\n");
    }
    thread::sleep(Duration::from_millis(300));
    let after: Vec<u64> = waits.iter().map(|wait| switches(wait.pid())).collect();
    for ((condition, before), after) in conditions.iter().zip(before).zip(after) {
        assert!(after - before <= 3, "{condition}: {} wake-ups", after - before);
    }
}

fn bad_words() {
    let host = Host::new();
    StandIn::new(&host, "web", &json!({}));
    for bad in ["", "happy", "port:0", "port:x", "port:65536", "log:("] {
        host.tool("ctr-wait", &["--condition", bad, "web"]).fails(2);
    }
    for bad in ["", "-1s", "soon"] {
        host.tool("ctr-wait", &[&format!("--timeout={bad}"), "web"]).fails(2);
    }
    host.tool("ctr-wait", &["--condition", "removed", "none"]).fails(1).stderr_has("no container none");
    host.tool("ctr-wait", &[]).fails(2);
}
