//! ctr-pause: every process stands still and goes on, on both kinds of control groups, and no group is left.

use crate::living::*;
use ctr_tests::*;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

pub fn tests() -> Vec<Test> {
    tests!("ctr-pause",
        ["root", "overlay", "umoci", "busybox"]:
            everything_stands_still_and_goes_on,
            with_groups_of_its_own_too,
            processes_that_fork_are_caught,
            who_came_from_outside_is_frozen_too,
            nested_namespaces_are_frozen_too,
            a_shared_pid_namespace_is_not_frozen,
            a_pause_that_was_killed_can_be_undone_or_done,
            a_pause_ends_with_its_stdin;
        ["root", "overlay", "umoci", "busybox", "cgroup1"]:
            the_freezer_of_version_1_will_do;
        ["root"]:
            a_group_of_its_own_is_frozen_and_stays;
        []:
            only_what_runs_is_paused
    )
}

/// Without groups of its own: one is made for the pause, and goes after it.
const ALONE: [&str; 2] = ["--cgroups", "disabled"];

/// A script that counts in the file /n.
const COUNTS: &str = "i=0; while :; do i=$((i+1)); echo $i >/n; [ $i != 20 ] || touch /up; done";

fn count(host: &Host) -> String {
    fs::read_to_string(rootfs(host, "web").unwrap().join("n")).unwrap()
}

fn stands_still(host: &Host) {
    let before = count(host);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(count(host), before);
}

fn goes_on(host: &Host) {
    let before = count(host);
    until("it goes on", || count(host) != before);
}

/// The tree of cgroup version 2.
fn tree() -> PathBuf {
    let hybrid = Path::new("/sys/fs/cgroup/unified");
    if hybrid.join("cgroup.procs").exists() { hybrid.to_owned() } else { PathBuf::from("/sys/fs/cgroup") }
}

fn group(host: &Host) -> PathBuf {
    tree().join(host.instance()).join(id(host, "web").unwrap())
}

/// A process's group in the version 2 tree.
fn group_of(pid: i32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
}

fn everything_stands_still_and_goes_on() {
    let host = busybox();
    let run = web(&host, &ALONE, COUNTS);
    let pid = pid(&host, "web");
    let home = group_of(pid);
    host.tool("ctr-pause", &["web"]).ok().stdout_is("web\n");
    stands_still(&host);
    assert_eq!(state(&host, "web")["status"], "paused");
    host.tool("ctr-pause", &["web"]).fails(1).stderr_has("web: it is paused already");
    host.tool("ctr-pause", &["--undo", "web"]).ok().stdout_is("web\n");
    goes_on(&host);
    assert_eq!(state(&host, "web")["status"], "running");
    assert_eq!(group_of(pid), home);
    assert!(!group(&host).exists());
    host.tool("ctr-pause", &["--undo", "web"]).fails(1).stderr_has("web: it is not paused");
    assert_eq!((events(&host, "pause").len(), events(&host, "unpause").len()), (1, 1));
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn with_groups_of_its_own_too() {
    let host = busybox();
    let run = web(&host, &[], COUNTS);
    host.tool("ctr-pause", &["web"]).ok();
    stands_still(&host);
    assert!(fs::read_to_string(group(&host).join("cgroup.events")).unwrap().contains("frozen 1"));
    host.tool("ctr-pause", &["--undo", "web"]).ok();
    goes_on(&host);
    assert_eq!(members(&group(&host)), [pid(&host, "web")], "it stays where it was");
    // A paused one is killed and removed.
    host.tool("ctr-pause", &["web"]).ok();
    host.sh("ctr rm -f web").ok();
    run.wait().exits(137);
    host.assert_clean();
}

fn processes_that_fork_are_caught() {
    let host = busybox();
    let forks = "for i in 1 2 3 4; do (while :; do true & sh -c 'echo >/n; exit 0'; done) & done; touch /up; wait";
    let run = web(&host, &ALONE, forks);
    let namespace = fs::read_link(format!("/proc/{}/ns/pid", pid(&host, "web"))).unwrap();
    for _ in 0..5 {
        host.tool("ctr-pause", &["web"]).ok();
        let is_its = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|link| link == namespace);
        let all: Vec<i32> = processes::all().into_iter().filter(is_its).collect();
        let frozen = members(&group(&host));
        assert!(all.len() > 4 && all.iter().all(|pid| frozen.contains(pid)), "{all:?} {frozen:?}");
        host.tool("ctr-pause", &["--undo", "web"]).ok();
        assert!(!group(&host).exists());
    }
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
}

fn who_came_from_outside_is_frozen_too() {
    let host = busybox();
    let run = web(&host, &ALONE, "sleep 6401 & sleep 6402 & touch /up; wait");
    let pid = pid(&host, "web");
    let inside = host.cmd("nsenter", &["-t", &pid.to_string(), "-p", "-m", "sleep", "6403"]).spawn();
    let mut all = vec![pid, host.process("sleep 6401"), host.process("sleep 6402"), host.process("sleep 6403")];
    host.tool("ctr-pause", &["web"]).ok();
    let mut frozen = members(&group(&host));
    all.sort_unstable();
    frozen.sort_unstable();
    assert_eq!(frozen, all);
    host.tool("ctr-pause", &["--undo", "web"]).ok();
    assert!(!group(&host).exists());
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
    inside.wait().exits(137);
}

fn nested_namespaces_are_frozen_too() {
    let host = busybox();
    let script = "unshare -p -f sh -c 'sleep 6404 & sleep 6405 & wait' & touch /up; wait";
    let run = web(&host, &["--cgroups", "disabled", "--privileged"], script);
    let all = [host.process("sleep 6404"), host.process("sleep 6405")];
    host.tool("ctr-pause", &["web"]).ok();
    let frozen = members(&group(&host));
    assert!(all.iter().all(|pid| frozen.contains(pid)), "{all:?} {frozen:?}");
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
    host.tool("ctr-rm", &["web"]).ok();
    host.assert_clean();
}

fn a_shared_pid_namespace_is_not_frozen() {
    let host = busybox();
    let run = web(&host, &["--pid", "host", "--cgroups", "disabled"], "sleep 6406 & touch /up; wait");
    let child = host.process("sleep 6406");
    let mut ours = vec![pid(&host, "web"), child];
    host.tool("ctr-pause", &["web"]).ok();
    let mut frozen = members(&group(&host));
    ours.sort_unstable();
    frozen.sort_unstable();
    assert_eq!(frozen, ours);
    host.tool("ctr-stop", &["-s", "KILL", "web"]).ok();
    run.wait().exits(137);
    let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), None);
    assert_eq!(gone, Err(nix::errno::Errno::ESRCH), "what it started is ended with it");
    assert!(!group(&host).exists());
}

fn a_pause_that_was_killed_can_be_undone_or_done() {
    let host = busybox();
    let run = web(&host, &ALONE, COUNTS);
    let note = host.run().join("containers").join(id(&host, "web").unwrap()).join("state.json");
    let running = fs::read_to_string(&note).unwrap();
    // Frozen, and not yet noted so.
    for undone in [true, false] {
        host.tool("ctr-pause", &["web"]).ok();
        fs::write(&note, &running).unwrap();
        if !undone {
            host.tool("ctr-pause", &["web"]).ok();
            assert_eq!(state(&host, "web")["status"], "paused");
        }
        host.tool("ctr-pause", &["--undo", "web"]).ok();
        goes_on(&host);
    }
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
}

fn the_freezer_of_version_1_will_do() {
    let host = busybox();
    let run = web(&host, &ALONE, COUNTS);
    let group = Path::new("/sys/fs/cgroup/freezer").join(host.instance()).join(id(&host, "web").unwrap());
    let old = |line: &str| host.sh(&format!("unshare -m sh -c 'umount /sys/fs/cgroup/unified && {line}'"));
    old("ctr-pause web").ok().stdout_is("web\n");
    assert_eq!(fs::read_to_string(group.join("freezer.state")).unwrap(), "FROZEN\n");
    stands_still(&host);
    old("ctr-pause --undo web").ok();
    goes_on(&host);
    assert!(!group.exists());
    // There a frozen process does not die of KILL.
    old("ctr-pause web").ok();
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
    assert!(!group.exists());
}

fn a_group_of_its_own_is_frozen_and_stays() {
    let host = Host::new();
    let name = format!("ctr-tests.{}", std::process::id());
    let own = tree().join(&name);
    fs::create_dir(&own).unwrap();
    let process = host.cmd("sleep", &["6407"]).spawn();
    fs::write(own.join("cgroup.procs"), process.pid().to_string()).unwrap();
    for more in [json!({"cgroup": {"path": format!("/{name}")}}), json!({"spec": {"linux": {"cgroupsPath": name}}})] {
        let web = StandIn::new(&host, if more["cgroup"].is_null() { "b" } else { "a" }, &more);
        web.runs(process.pid(), None, &json!({}));
        host.tool("ctr-pause", &[&web.id]).ok();
        assert!(fs::read_to_string(own.join("cgroup.events")).unwrap().contains("frozen 1"));
        host.tool("ctr-pause", &["--undo", &web.id]).ok();
        assert!(fs::read_to_string(own.join("cgroup.events")).unwrap().contains("frozen 0"));
        assert_eq!(members(&own), [process.pid()]);
    }
    drop(process);
    until("the group is empty", || fs::remove_dir(&own).is_ok());
}

fn only_what_runs_is_paused() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    host.tool("ctr-pause", &["web"]).fails(1).stderr_has("web: it is not running");
    host.tool("ctr-pause", &["--undo", "web"]).fails(1).stderr_has("web: it is not paused");
    host.tool("ctr-pause", &["none"]).fails(1).stderr_has("no container none");
    let supervisor = host.cmd("sleep", &["6408"]).spawn();
    web.runs(supervisor.pid(), Some(supervisor.pid()), &json!({"status": "restarting", "pid": 1, "pidStart": 1}));
    host.tool("ctr-pause", &["web"]).fails(1).stderr_has("restarting");
    host.tool("ctr-pause", &[]).fails(2);
}

fn a_pause_ends_with_its_stdin() {
    let host = busybox();
    let run = web(&host, &[], COUNTS);
    let pause = "{ echo x; until [ -e go ]; do sleep 0.01; done; } | ctr-pause --until-eof web";
    let pausing = host.sh_cmd(pause).spawn();
    until("it is paused", || state(&host, "web")["status"] == "paused");
    stands_still(&host);
    fs::write(host.dir().join("go"), "").unwrap();
    pausing.wait().ok().stdout_is("web\n");
    assert_eq!(state(&host, "web")["status"], "running");
    // One that ended meanwhile, or was thawed by another, is no failure.
    host.sh("until ctr-pause --undo web >&2; do sleep 0.01; done 2>/dev/null | ctr-pause --until-eof web")
        .ok()
        .stdout_is("web\n");
    host.sh("true | ctr-pause --until-eof web none").fails(1).stderr_has("no container none");
    assert_eq!(state(&host, "web")["status"], "running");
    host.tool("ctr-pause", &["--until-eof", "--undo", "web"]).fails(2);
    let paused = "until ctr-inspect web | grep -q paused; do sleep 0.01; done";
    host.sh(&format!("{{ {paused}; ctr-kill web >&2; }} | ctr-pause --until-eof web")).exits(0);
    run.wait().exits(137);
}
