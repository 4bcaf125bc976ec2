//! ctr-update: limits change in the kernel and in the record together, or in neither.

use crate::{
    cg_limit::{file, is_version_2},
    living::*,
};
use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("ctr-update",
        ["root", "overlay", "umoci", "busybox"]:
            limits_change_while_it_runs,
            what_fails_changes_nothing,
            one_that_does_not_run_has_them_when_it_starts,
            a_container_without_groups_says_so,
            the_end_in_the_foreground_keeps_them;
        []:
            words_that_are_wrong
    )
}

fn memory_file() -> &'static str {
    if is_version_2() { "memory.max" } else { "memory.limit_in_bytes" }
}

fn kernel(host: &Host, name: &str) -> String {
    let group = format!("{}/{}", host.instance(), id(host, "web").unwrap());
    fs::read_to_string(file(&group, name)).unwrap().trim().to_owned()
}

fn record(host: &Host) -> Value {
    host.tool("ctr-inspect", &["web"]).ok().json()
}

fn limits_change_while_it_runs() {
    let host = busybox();
    host.sh("ctr run -d --name web -m 64m --pids-limit 50 busybox sleep 1000").ok();
    host.sh("ctr update -m 128m --memory-swap -1 --cpus 0.5 web").ok().stdout_is("web\n");
    assert_eq!(kernel(&host, memory_file()), "134217728");
    assert_eq!(kernel(&host, "pids.max"), "50", "what is not named stays");
    let doc = record(&host);
    assert_eq!(doc["spec"]["linux"]["resources"]["memory"], json!({"limit": 134_217_728, "swap": -1}));
    assert_eq!(doc["cgroup"]["limits"]["pids.max"], "50");
    host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
    // Down again, memory and swap together.
    host.sh("ctr update -m 32m --memory-swap 32m --restart on-failure:3 web").ok();
    assert_eq!(kernel(&host, memory_file()), "33554432");
    assert_eq!(record(&host)["supervise"]["restart"], json!({"policy": "on-failure", "max": 3}));
    let shown = host.sh("ctr inspect web").ok().json();
    assert_eq!(shown[0]["HostConfig"]["Memory"], 33_554_432);
    host.pipe_to(&record(&host), "cg-limit", &["--check"]).ok();
    host.sh("ctr rm -f web").ok();
    host.assert_clean();
}

fn what_fails_changes_nothing() {
    let host = busybox();
    host.sh("ctr run -d --name web -m 64m --memory-swap 64m busybox sleep 1000").ok();
    let before = record(&host);
    for (args, code) in [
        ("--pids-limit 30 -m 128m", "raise --memory-swap with --memory"),
        ("--pids-limit 30 --cpuset-cpus 9999", "there is no 9999"),
        ("--pids-limit 30 --kernel-memory 1g", "5.16"),
    ] {
        host.sh(&format!("ctr update {args} web")).fails(1).stderr_has(code);
        assert_eq!(kernel(&host, "pids.max"), "max", "{args}");
        assert_eq!(record(&host), before, "{args}");
    }
    // Refused by the kernel, after others were set: less than it uses and cannot give up.
    if !is_version_2() {
        host.sh("ctr update --pids-limit 30 --cgroup-conf memory.high=1m web").fails(1);
        assert_eq!(kernel(&host, "pids.max"), "max");
    }
    host.sh("ctr update --pids-limit 30 nobody web").fails(1).stderr_has("no container nobody").stdout_is("web\n");
    assert_eq!(kernel(&host, "pids.max"), "30");
    host.sh("ctr rm -f web").ok();
}

fn one_that_does_not_run_has_them_when_it_starts() {
    let host = busybox();
    host.sh("ctr create --name web busybox sleep 1000").ok();
    host.sh("ctr update --pids-limit 25 web").ok();
    assert_eq!(kernel(&host, "pids.max"), "25");
    // As after a reboot.
    leftovers::remove_groups_of(&host.instance());
    host.sh("ctr update --pids-limit 26 web").ok();
    host.sh("ctr start web").ok();
    assert_eq!(kernel(&host, "pids.max"), "26");
    host.sh("ctr rm -f web").ok();
    host.assert_clean();
}

fn a_container_without_groups_says_so() {
    let host = busybox();
    host.sh("ctr create --name web --cgroups disabled busybox true").ok();
    host.sh("ctr update --pids-limit 25 web").fails(1).stderr_has("it has no control group");
    host.sh("ctr update --restart always web").ok();
    assert_eq!(record(&host)["supervise"]["restart"]["policy"], "always");
}

/// Who waits for its end writes the record then: not as it was at the start.
fn the_end_in_the_foreground_keeps_them() {
    let host = busybox();
    let run = web(&host, &[], "touch /up; while [ ! -e /end ]; do sleep 0.01; done");
    host.sh("ctr update --pids-limit 25 web").ok();
    fs::write(rootfs(&host, "web").unwrap().join("end"), "").unwrap();
    run.wait().ok();
    let doc = record(&host);
    assert_eq!(doc["spec"]["linux"]["resources"]["pids"]["limit"], 25);
    assert_eq!(doc["state"]["exitCode"], 0);
}

fn words_that_are_wrong() {
    let host = Host::new();
    host.tool("ctr-update", &["--restart", "maybe", "a"]).fails(2);
    host.tool("ctr-update", &["-m", "1g"]).fails(2);
    host.tool("ctr-update", &["-m", "1g", "nobody"]).fails(1).stderr_has("no container nobody");
}
