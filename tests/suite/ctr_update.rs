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
            small_changes_are_changes,
            a_policy_changes_whatever_it_does,
            what_fails_changes_nothing,
            one_that_does_not_run_has_them_when_it_starts,
            a_container_without_groups_says_so,
            the_end_in_the_foreground_keeps_them;
        ["root", "overlay", "umoci", "busybox", "cgroup1"]:
            a_group_that_is_not_there_keeps_no_other_from_its_limit;
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

/// By less than a page of any machine; and what is no size is not rounded at all.
fn small_changes_are_changes() {
    let host = busybox();
    host.sh("ctr run -d --name web -m 64m --memory-swap 128m busybox sleep 1000").ok();
    host.sh("ctr update -m 65568k web").ok();
    let page = rustix::param::page_size() as u64;
    assert_eq!(kernel(&host, memory_file()), ((65_568 << 10) / page * page).to_string());
    if is_version_2() {
        host.sh("ctr update --cgroup-conf memory.oom.group=1 web").ok();
        assert_eq!(kernel(&host, "memory.oom.group"), "1");
    } else {
        for n in ["10", "60"] {
            host.sh(&format!("ctr update --memory-swappiness {n} web")).ok();
            assert_eq!(kernel(&host, "memory.swappiness"), n);
        }
    }
    host.sh("ctr rm -f web").ok();
}

/// docker's most usual use of it: one that ends again and again is left alone.
fn a_policy_changes_whatever_it_does() {
    let host = busybox();
    host.sh("ctr run -d --name web --restart always busybox false").ok();
    // By then the waits between are long.
    until("it was started again", || state(&host, "web")["restartCount"].as_u64() >= Some(3));
    until("it waits", || state(&host, "web")["status"] == "restarting");
    host.sh("ctr update --restart no web").ok();
    assert_eq!(record(&host)["supervise"]["restart"]["policy"], "no");
    until("it has ended", || state(&host, "web")["status"] == "stopped");
    let count = state(&host, "web")["restartCount"].clone();
    host.sh("ctr update --restart on-failure:2 web").ok();
    assert_eq!(state(&host, "web")["restartCount"], count, "it is not started by that");
    host.sh("ctr rm -f web").ok();
    host.assert_clean();
}

/// A hierarchy that was mounted after it was started has none of its groups.
fn a_group_that_is_not_there_keeps_no_other_from_its_limit() {
    let host = busybox();
    host.sh("ctr run -d --name web busybox sleep 1000").ok();
    let leave = |controller: &str| {
        let top = std::path::Path::new("/sys/fs/cgroup").join(controller);
        let group = top.join(host.instance()).join(id(&host, "web").unwrap());
        for pid in fs::read_to_string(group.join("cgroup.procs")).unwrap().lines() {
            fs::write(top.join("cgroup.procs"), pid).unwrap();
        }
        until("it is empty", || fs::remove_dir(&group).is_ok());
        fs::remove_dir(group.parent().unwrap()).unwrap();
    };
    leave("cpuacct");
    host.sh("ctr update --pids-limit 30 web").ok();
    assert_eq!(kernel(&host, "pids.max"), "30");
    leave("pids");
    let before = record(&host);
    host.sh("ctr update --pids-limit 31 web").fails(1).stderr_has("it runs, and has no control group");
    assert_eq!(record(&host), before);
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
