//! ctr-top: the processes of a container, and of no other.

use crate::ctr_logs::world::wait_for;
use ctr_tests::{command::Running, *};
use std::{fs, os::unix::fs::symlink};

pub fn tests() -> Vec<Test> {
    tests!("ctr-top",
        ["root", "overlay", "umoci", "busybox"]:
            lists_the_processes_of_one_container,
            processes_in_nested_namespaces_are_listed,
            a_container_in_the_hosts_namespace,
            zombies_and_odd_names,
            a_host_without_ps,
            bad_arguments
    )
}

/// Runs `line` in container `name`; gives the host's ids of the processes that have these command lines.
fn running(host: &Host, flags: &str, line: &str, commands: &[&str]) -> (Running, Vec<i32>) {
    let run = host.sh_cmd(&format!("exec ctr run --rm {flags} busybox sh -c '{line}'")).spawn();
    let pids = commands.iter().map(|command| host.process(command)).collect();
    (run, pids)
}

fn with_busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

/// The column PID of what `ctr-top ARGS` prints.
fn pids(host: &Host, args: &[&str]) -> Vec<i32> {
    let rows = host.cmd("ctr-top", &["--json"]).args(args).run().ok().jsons();
    let mut pids: Vec<i32> = rows.iter().map(|row| row["PID"].as_str().unwrap().parse().unwrap()).collect();
    pids.sort_unstable();
    pids
}

fn sorted(mut pids: Vec<i32>) -> Vec<i32> {
    pids.sort_unstable();
    pids
}

fn lists_the_processes_of_one_container() {
    let host = with_busybox();
    let line = "sleep 7201 & sleep 7202; true";
    let (_run, found) = running(&host, "--name x", line, &["sleep 7201", "sleep 7202", &format!("sh -c {line}")]);
    let (_other, _) = running(&host, "--name y", "sleep 7203", &["sleep 7203"]);
    let expected = sorted(found);
    assert_eq!(pids(&host, &["x"]), expected);
    let text = host.tool("ctr-top", &["x"]).ok().text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let titles: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    // As docker has it: the columns are twenty wide.
    assert_eq!(lines[0].find("PID"), Some(20));
    assert_eq!(&lines[1][..4], "root");
    assert!(lines.iter().any(|line| line.ends_with("   sh -c sleep 7201 & sleep 7202; true")), "{text}");
    // The options are ps's own.
    let own = host.tool("ctr-top", &["x", "-o", "pid,comm"]).ok().text();
    assert_eq!(own.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), ["PID", "COMMAND"]);
    assert_eq!(pids(&host, &["x", "aux"]), expected);
    assert_eq!(pids(&host, &["x", "-eLf"]), expected);
}

fn processes_in_nested_namespaces_are_listed() {
    let host = with_busybox();
    let line = "unshare -p -f sh -c \"sleep 7211; true\" & sleep 7212";
    let (_run, found) = running(&host, "--privileged --name x", line, &["sleep 7211", "sleep 7212"]);
    let level = |pid: i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find(|line| line.starts_with("NSpid:")).unwrap().split_whitespace().count()
    };
    assert_eq!(level(found[0]), level(found[1]) + 1);
    let listed = pids(&host, &["x"]);
    assert!(found.iter().all(|pid| listed.contains(pid)), "{listed:?}");
    // The two that sleep, unshare, and the shell that it runs.
    assert_eq!(listed.len(), 4);
}

fn a_container_in_the_hosts_namespace() {
    let host = with_busybox();
    let line = "sleep 7221 & sleep 7222; true";
    let commands = ["sleep 7221", "sleep 7222", &format!("sh -c {line}")];
    let (_run, found) = running(&host, "--pid host --name x", line, &commands);
    assert_eq!(pids(&host, &["x"]), sorted(found));
}

fn zombies_and_odd_names() {
    let host = with_busybox();
    // Nobody waits for the first; two spaces of the other are no two columns.
    let line = "sh -c \"sleep 0 & exec sleep 7231\" & sleep 7232;  true";
    let odd = format!("sh -c {line}");
    let (_run, found) = running(&host, "--name x", line, &["sleep 7231", "sleep 7232", &odd]);
    let children = format!("/proc/{0}/task/{0}/children", found[0]);
    let zombie = fs::read_to_string(children).unwrap().trim().to_owned();
    wait_for(|| !processes::alive(zombie.parse().unwrap()));
    let rows = host.tool("ctr-top", &["--json", "x"]).ok().jsons();
    assert!(rows.iter().any(|row| row["PID"] == zombie.as_str()), "{zombie}: {rows:?}");
    assert!(rows.iter().any(|row| row["CMD"] == odd.as_str()), "{rows:?}");
    assert_eq!(rows.len(), 4, "{rows:?}");
}

fn a_host_without_ps() {
    let host = with_busybox();
    let line = "sleep 7241 & sleep 7242; true";
    let (_run, expected) = running(&host, "--name x", line, &["sleep 7241", "sleep 7242", &format!("sh -c {line}")]);
    let bin = host.dir().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(suite::suite().bin().join("ctr-top"), bin.join("ctr-top")).unwrap();
    let ran = host.cmd("ctr-top", &["--json", "x"]).env("PATH", &bin).run().ok();
    let rows = ran.jsons();
    let listed: Vec<i32> = rows.iter().map(|row| row["PID"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(sorted(listed), sorted(expected));
    let sleeper = rows.iter().find(|row| row["CMD"] == "sleep 7241").unwrap();
    assert_eq!((&sleeper["UID"], &sleeper["TIME"]), (&json!("0"), &json!("00:00:00")));
    assert_eq!(sleeper["STIME"].as_str().unwrap().len(), 5);
    host.cmd("ctr-top", &["x", "-ef"]).env("PATH", &bin).run().fails(1).stderr_has("not installed");
}

fn bad_arguments() {
    let host = with_busybox();
    host.sh("ctr run --name x busybox true").ok();
    host.tool("ctr-top", &["x"]).fails(1).stderr_is("ctr-top: container x is not running");
    host.tool("ctr-top", &["nobody"]).fails(1).stderr_has("no container nobody");
    host.tool("ctr-top", &[]).fails(2);
    let (_run, _) = running(&host, "--name y", "sleep 7251", &["sleep 7251"]);
    host.tool("ctr-top", &["y", "-o", "comm"]).fails(1).stderr_has("PID");
    host.tool("ctr-top", &["y", "--no-such-option"]).fails(1).stderr_has("ps --no-such-option");
}
