//! Containers that stay: `ctr run -d`, their supervisor, log, restarts, health, and the truth after each crash.

use ctr_tests::*;
use nix::{sys::signal::Signal, unistd::Pid};
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("detached",
        ["root", "overlay", "umoci", "busybox"]:
            it_outlives_its_terminal_and_leaves_nothing,
            the_callers_streams_are_let_go,
            the_document_is_printed_and_valid,
            failures_are_the_callers,
            a_created_one_starts_later,
            it_starts_again_with_its_files,
            rm_takes_it_away_when_it_ends,
            restart_policies,
            limits_that_change_as_it_starts_are_kept,
            a_dying_process_is_not_taken_for_an_orphan,
            a_stop_ends_restarts,
            the_supervisor_killed,
            a_reboot_in_between,
            after_boot_those_that_want_to_run,
            health_is_found_out,
            a_full_disk_loses_log_and_nothing_else,
            long_and_many_lines_arrive_whole,
            a_hundred_megabytes_arrive_whole,
            ten_thousand_lines_a_second,
            zombies_are_nobodys,
            orphans_among_the_hosts_processes_are_reaped,
            who_is_left_in_another_pid_namespace_ends_too,
            out_of_memory_is_recorded_and_told,
            one_name_for_twenty,
            a_hundred_at_once,
            a_supervisor_is_small_and_still,
            terminated_it_ends_its_container;
        ["root", "overlay", "umoci", "busybox", "strace"]:
            one_that_is_removed_as_it_starts
    )
}

fn busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

fn state(host: &Host, name: &str) -> Value {
    host.tool("ctr-inspect", &[name]).ok().json()["state"].clone()
}

/// Waits until `f` holds.
#[track_caller]
fn until(what: &str, mut f: impl FnMut() -> bool) {
    let start = Instant::now();
    while !f() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn until_stopped(host: &Host, name: &str) -> Value {
    until(&format!("the end of {name}"), || state(host, name)["status"] == "stopped");
    state(host, name)
}

fn container_dir(host: &Host, name: &str) -> PathBuf {
    let id = host.tool("ctr-inspect", &[name]).ok().json()["id"].as_str().unwrap().to_owned();
    host.root().join("containers").join(id)
}

fn log(host: &Host, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(container_dir(host, name).join("log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kill(pid: &Value, signal: Signal) {
    nix::sys::signal::kill(Pid::from_raw(pid.as_i64().unwrap() as i32), signal).unwrap();
}

fn it_outlives_its_terminal_and_leaves_nothing() {
    let host = busybox();
    let mut pty = host.pty("ctr run -d --name stays busybox sleep 5001; echo status=$?");
    pty.expect("status=0");
    drop(pty);
    assert_eq!(state(&host, "stays")["status"], "running");
    let pid = host.process("sleep 5001");
    for kind in ["mnt", "uts", "ipc", "pid", "net"] {
        let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_ne!(of(&pid.to_string()), of("self"), "{kind}");
    }
    host.sh("ctr exec stays ps -o pid,args").ok().stdout_has("    1 sleep 5001");
    host.sh("ctr rm stays").fails(1).stderr_has("runs");
    host.sh("ctr rm -f stays").ok();
    host.assert_clean();
}

fn the_callers_streams_are_let_go() {
    let host = busybox();
    // A reader of the pipe sees its end although the container goes on.
    host.sh_cmd("out=$(ctr run -d --name a busybox sleep 5002 2>&1) && [ ${#out} = 64 ] && echo got | cat")
        .limit(20)
        .run()
        .ok()
        .stdout_is("got\n");
    host.sh("printf abc | ctr run -d -i --name b busybox cat").ok();
    host.sh("ctr rm -f a b").ok();
    host.assert_clean();
}

fn the_document_is_printed_and_valid() {
    let host = busybox();
    let pipe = "img-pull --pull missing busybox | img-unpack | overlay-mount --name doc";
    let doc = host.sh(&format!("{pipe} | ns-spawn -d --restart on-failure:2 -- sleep 5003")).ok().json();
    let record = host.tool("ctr-inspect", &["doc"]).ok().json();
    schema::assert_valid(&[doc.clone(), record.clone()]);
    assert_eq!(doc["state"]["status"], "running");
    assert_eq!(doc["supervise"]["restart"], json!({"policy": "on-failure", "max": 2}));
    assert_eq!(record["state"]["pid"], doc["state"]["pid"]);
    host.pipe_to(&doc, "ns-spawn", &["--check"]).ok();
    // A second one is refused, and the first is as it was.
    host.pipe_to(&doc, "ns-spawn", &["-d"]).fails(125).stderr_has("runs");
    host.pipe_to(&doc, "ns-spawn", &["--rm"]).fails(125);
    assert_eq!(state(&host, "doc")["pid"], doc["state"]["pid"]);
    host.sh("ns-enter doc ls / | grep -c bin").ok().stdout_is("2\n");
    let undone = host.pipe_to(&doc, "ns-spawn", &["--undo"]).ok().json();
    assert!(undone.get("state").is_none());
    host.pipe_to(&undone, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn failures_are_the_callers() {
    let host = busybox();
    for (words, status) in [
        ("busybox nothing-there", 127),
        ("busybox /etc", 126),
        ("-u nobody-at-all busybox true", 125),
        ("--restart sometimes busybox true", 125),
        ("--log-opt max-size=many busybox true", 125),
        ("--log-driver syslog busybox true", 125),
        ("--health-interval soon --health-cmd true busybox true", 125),
        ("--rm --restart always busybox true", 125),
    ] {
        host.sh(&format!("ctr run -d --rm {words}")).fails(status);
    }
    host.assert_clean();
    host.sh("ctr run --restart always busybox true").fails(125).stderr_has("--restart");
    host.sh("ctr run -d --name there busybox nothing-there").fails(127);
    // docker keeps a container that could not be started; it says why.
    let said = state(&host, "there");
    assert!(said["exitCode"] == 127 && said["error"].as_str().unwrap().contains("nothing-there"), "{said}");
    assert_eq!(said["status"], "created");
    host.sh("ctr ps -a --format '{{.Names}} {{.State}}'").ok().stdout_is("there created\n");
    // And can be started once what it lacked is there.
    host.sh("ctr start there").exits(1).stderr_has("cannot run nothing-there");
    host.sh(
        "printf '#!/bin/sh\\nexec sleep 5023\\n' >x; chmod +x x; ctr cp x there:/bin/nothing-there && ctr start there",
    )
    .ok();
    host.process("sleep 5023");
    host.sh("ctr rm -f there").ok();
    // What never was whole leaves nothing: the name is free for another try.
    for words in ["run", "run -d", "create"] {
        host.sh(&format!("ctr {words} --name n -u nobody-at-all busybox true")).fails(125);
        host.tool("ctr-ls", &["-a"]).ok().stdout_is("");
    }
    host.assert_clean();
}

fn a_created_one_starts_later() {
    let host = busybox();
    host.sh("ctr create --name later busybox sh -c 'echo first; echo second >&2; exit 4'").ok();
    assert_eq!(state(&host, "later"), json!({"status": "created"}));
    assert!(host.sh("ctr exec later true").fails(1).stderr_text().contains("not running"));
    // From the first byte on, with the status.
    for _ in 0..2 {
        host.sh_cmd("ctr start -a later").limit(30).run().exits(4).stdout_is("first\n").stderr_is("second");
        assert_eq!(until_stopped(&host, "later")["exitCode"], 4);
    }
    assert_eq!(log(&host, "later").len(), 4);
    host.sh("ctr start later").ok().stdout_is("later\n");
    host.sh("ctr start nothing").fails(1).stderr_has("nothing");
    until_stopped(&host, "later");
    host.sh("ctr rm later").ok();
    host.assert_clean();
}

fn it_starts_again_with_its_files() {
    let host = busybox();
    host.sh("ctr run -d --name keeps busybox sh -c 'cat /kept 2>/dev/null; echo text >/kept; exec sleep 5004'").ok();
    host.process("sleep 5004");
    let first = state(&host, "keeps")["pid"].clone();
    host.sh("ctr start keeps").ok();
    assert_eq!(state(&host, "keeps")["pid"], first, "a start of a running one changed it");
    host.sh("ctr kill keeps").ok();
    assert_eq!(until_stopped(&host, "keeps")["exitCode"], 137);
    host.sh("ctr start keeps").ok();
    until("its file", || log(&host, "keeps").iter().any(|l| l["log"] == "text\n"));
    host.sh("ctr rm -f keeps").ok();
    host.assert_clean();
}

fn rm_takes_it_away_when_it_ends() {
    let host = busybox();
    host.sh("ctr run -d --rm --name brief busybox sleep 0.3").ok();
    until("its removal", || host.leftovers().is_empty());
    host.sh("ctr run -d --rm --name killed busybox sleep 5005").ok();
    kill(&state(&host, "killed")["pid"], Signal::SIGKILL);
    until("its removal", || host.leftovers().is_empty());
}

fn restart_policies() {
    let host = busybox();
    host.sh("ctr run -d --name fails --restart on-failure:2 busybox sh -c 'echo run; exit 3'").ok();
    until("three runs", || log(&host, "fails").len() == 3 && state(&host, "fails")["status"] == "stopped");
    let end = state(&host, "fails");
    assert!(end["restartCount"] == 2 && end["exitCode"] == 3, "{end}");
    host.sh("ctr run -d --name succeeds --restart on-failure busybox sh -c 'echo run; exit 0'").ok();
    assert_eq!(until_stopped(&host, "succeeds")["exitCode"], 0);
    host.sh("ctr run -d --name always --restart always busybox sh -c 'echo run; exit 0'").ok();
    until("more runs", || log(&host, "always").len() >= 3);
    // Its back-off grows: there is a moment in which it waits.
    until("a wait", || state(&host, "always")["status"] == "restarting");
    until("a longer wait", || state(&host, "always")["restartDelay"].as_u64().is_some_and(|ms| ms >= 800));
    host.sh("ctr exec always true").fails(1);
    host.sh("ctr rm always").fails(1);
    host.sh("ctr rm -f always fails succeeds").ok();
    host.assert_clean();
}

fn limits_that_change_as_it_starts_are_kept() {
    let host = busybox();
    host.sh("ctr create --name u --init --pids-limit 10 busybox sleep 5028").ok();
    for limit in 20..28 {
        host.sh(&format!("ctr start u & ctr update --pids-limit {limit} u; wait")).succeeds();
        let kernel =
            host.sh("ctr exec u sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true'");
        assert_eq!(kernel.ok().text().trim(), limit.to_string());
        host.sh("ctr inspect -f '{{.HostConfig.PidsLimit}}' u").ok().stdout_is(&format!("{limit}\n"));
        host.sh("ctr kill u").ok();
        until_stopped(&host, "u");
    }
    // Changes do not end restarts.
    host.sh("ctr run -d --name l --restart always busybox sh -c 'exit 3'").ok();
    for limit in 50..70 {
        drop(host.sh(&format!("ctr update --pids-limit {limit} l")));
    }
    until("more restarts", || state(&host, "l")["restartCount"].as_u64().is_some_and(|n| n >= 4));
    host.sh("ctr rm -f u l").ok();
    host.assert_clean();
}

/// Its supervisor looks for orphans whenever a child has ended, each probe of its health for one.
fn a_dying_process_is_not_taken_for_an_orphan() {
    let host = busybox();
    host.sh("ctr run -d --name h --health-cmd true --health-interval 300ms busybox sh -c 'sleep 3; exit 7'").ok();
    let supervisor = state(&host, "h")["supervisor"]["pid"].to_string();
    let slow = ["-f", "-qq", "-e", "trace=waitid", "-e", "inject=waitid:delay_exit=700000", "-o", "/dev/null", "-p"];
    let strace = host.cmd("strace", &[&slow[..], &[supervisor.as_str()]].concat()).spawn();
    assert_eq!(until_stopped(&host, "h")["exitCode"], 7);
    drop(strace);
    host.sh("ctr rm h").ok();
    host.assert_clean();
}

/// The removal comes when its process is there, and its record does not say so yet.
fn one_that_is_removed_as_it_starts() {
    let host = busybox();
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --name y >doc").ok();
    // The state, and then the record.
    let slow = "strace -f -o trace -e trace=rename -e inject=rename:delay_enter=2000000:when=2";
    for words in ["-dq", "--init"] {
        let start = host.sh_cmd(&format!("exec {slow} ns-spawn {words} -f doc -- sleep 6216")).limit(60).spawn();
        host.sh_cmd("until test -e $CTR_RUN/containers/*/state.json; do sleep 0.02; done").limit(20).run().ok();
        host.sh("ctr rm -f y").ok().stdout_is("y\n");
        start.wait();
        host.assert_clean();
        host.sh("rm trace && img-pull --pull missing busybox | img-unpack | overlay-mount --name y >doc").ok();
    }
    host.sh("ctr rm y").ok();
    host.assert_clean();
}

fn a_stop_ends_restarts() {
    let host = busybox();
    host.sh(
        "ctr run -d --name busy --restart always busybox sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'",
    )
    .ok();
    thread::sleep(Duration::from_millis(300));
    host.sh("ctr stop -t 20 busy").ok().stdout_is("busy\n");
    assert_eq!(state(&host, "busy")["status"], "stopped");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(state(&host, "busy")["status"], "stopped", "it came back");
    // One that waits for its turn gives up too.
    host.sh("ctr run -d --name loops --restart always busybox false").ok();
    until("a wait", || state(&host, "loops")["status"] == "restarting");
    host.sh("ctr stop loops").succeeds();
    assert_eq!(until_stopped(&host, "loops")["exitCode"], 1);
    host.sh("ctr start busy && sleep 0.3 && ctr stop -t 3 busy").succeeds();
    host.sh("ctr rm busy loops").ok();
    host.assert_clean();
}

fn the_supervisor_killed() {
    let host = busybox();
    host.sh("ctr run -d --name alone --restart always busybox sleep 5006").ok();
    let pid = host.process("sleep 5006");
    kill(&state(&host, "alone")["supervisor"]["pid"], Signal::SIGKILL);
    until("the end of the process", || !processes::alive(pid));
    let told = state(&host, "alone");
    assert!(told["status"] == "stopped" && told.get("exitCode").is_none() && told.get("pid").is_none(), "{told}");
    host.sh("ctr ps -a --format '{{.Status}}'").ok().stdout_has("Exited (255)");
    // It can be started, and removed.
    host.sh("ctr start alone").ok();
    assert_eq!(state(&host, "alone")["status"], "running");
    kill(&state(&host, "alone")["supervisor"]["pid"], Signal::SIGKILL);
    until_stopped(&host, "alone");
    host.sh("ctr rm alone").ok();
    // A volatile one is gc's.
    host.sh("ctr run -d --rm --name gone busybox sleep 5007").ok();
    kill(&state(&host, "gone")["supervisor"]["pid"], Signal::SIGKILL);
    until("gc to find it", || {
        host.sh("overlay-mount --gc").ok();
        host.leftovers().is_empty()
    });
}

/// Everything that a reboot takes: processes, mounts, the run directory.
fn reboot(host: &Host) {
    let all = host.run().parent().unwrap().to_owned();
    processes::end(&all);
    for name in fs::read_dir(host.run().join("containers")).into_iter().flatten().flatten() {
        let point = name.path().join("rootfs");
        let _ = nix::mount::umount2(&point, nix::mount::MntFlags::MNT_DETACH);
    }
    until("the end of all processes", || processes::of(&all).is_empty());
    fs::remove_dir_all(host.run()).unwrap();
    fs::create_dir(host.run()).unwrap();
}

fn a_reboot_in_between() {
    let host = busybox();
    host.sh("ctr run -d --name server busybox sh -c 'cat /kept; echo text >/kept; exec sleep 5008'").ok();
    host.process("sleep 5008");
    reboot(&host);
    let told = state(&host, "server");
    assert!(told["status"] == "stopped" && told.get("pid").is_none(), "{told}");
    host.sh("ctr exec server true").fails(1);
    host.sh("ctr start server").ok();
    host.process("sleep 5008");
    assert!(log(&host, "server").iter().any(|l| l["log"] == "text\n"));
    host.sh("ctr rm -f server").ok();
    host.assert_clean();
}

fn after_boot_those_that_want_to_run() {
    let host = busybox();
    for (name, policy) in [("a", "always"), ("u", "unless-stopped"), ("n", "no"), ("f", "on-failure")] {
        host.sh(&format!("ctr run -d --init --name {name} --restart {policy} busybox sleep 5009")).ok();
        host.sh(&format!("ctr run -d --init --name {name}-stopped --restart {policy} busybox sleep 5010")).ok();
    }
    host.sh("ctr create --name never --restart always busybox sleep 5011").ok();
    host.sh("ctr stop a-stopped u-stopped n-stopped f-stopped").ok();
    reboot(&host);
    host.sh("ctr start --all-restart").ok();
    let running: BTreeSet<String> = ["a", "u", "n", "f", "a-stopped", "u-stopped", "n-stopped", "f-stopped", "never"]
        .iter()
        .filter(|name| state(&host, name)["status"] == "running")
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(running, ["a", "a-stopped", "f", "u"].map(str::to_owned).into());
    host.sh("ctr rm -f a u n f a-stopped u-stopped n-stopped f-stopped never").ok();
    host.assert_clean();
}

fn health_is_found_out() {
    let host = busybox();
    host.sh(
        "ctr run -d --name well --health-cmd 'test -e /ready && echo fine' --health-interval 100ms --health-retries 2 \
         busybox sleep 5012",
    )
    .ok();
    let status = || state(&host, "well")["health"]["status"].clone();
    assert_eq!(status(), "starting");
    until("illness", || status() == "unhealthy");
    host.sh("ctr exec well touch /ready").ok();
    until("health", || status() == "healthy");
    let health = state(&host, "well")["health"].clone();
    assert!(health["failingStreak"] == 0 && health["log"].as_array().unwrap().len() <= 5, "{health}");
    let last = health["log"].as_array().unwrap().last().unwrap().clone();
    assert!(last["exitCode"] == 0 && last["output"] == "fine\n", "{last}");
    schema::assert_valid(&[host.tool("ctr-inspect", &["well"]).ok().json()]);
    // One that takes too long has failed, and nothing of it stays.
    host.sh("ctr run -d --name slow --health-cmd 'sleep 5013' --health-interval 100ms --health-timeout 200ms \
         --health-retries 1 busybox sleep 5014")
        .ok();
    until("illness", || state(&host, "slow")["health"]["status"] == "unhealthy");
    host.sh("ctr rm -f well slow").ok();
    host.assert_clean();
}

fn a_full_disk_loses_log_and_nothing_else() {
    let host = busybox();
    host.sh("ctr create --name loud busybox sh -c 'seq 1 200000; echo done >/end; exec sleep 5015'").ok();
    let dir = container_dir(&host, "loud");
    // The log alone is on a small file system: the file is a link to one there.
    let small = host.dir().join("small");
    fs::create_dir(&small).unwrap();
    host.sh("mount -t tmpfs -o size=256k small small").ok();
    std::os::unix::fs::symlink(small.join("log"), dir.join("log")).unwrap();
    host.sh("ctr start loud").ok();
    host.process("sleep 5015");
    host.sh("ctr exec loud cat /end").ok().stdout_is("done\n");
    let text = fs::read_to_string(small.join("log")).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a torn record");
    host.sh("ctr kill loud").ok();
    let end = until_stopped(&host, "loud");
    assert!(end["logLost"].as_u64().unwrap() > 100_000, "{end}");
    host.sh("ctr rm loud && umount small").ok();
    host.assert_clean();
}

fn long_and_many_lines_arrive_whole() {
    let host = busybox();
    // 10 MB of numbered lines in order, then one line of 300 kB, then one without an end.
    let command = "seq 1 1500000; head -c 300000 /dev/zero | tr '\\0' x; echo; printf end";
    host.sh(&format!("ctr run -d --name out --log-opt max-size=1g busybox sh -c \"{command}\"")).ok();
    until_stopped(&host, "out");
    let lines = log(&host, "out");
    let text: String = lines.iter().map(|l| l["log"].as_str().unwrap()).collect();
    let expected: String =
        (1..=1_500_000).map(|n| format!("{n}\n")).collect::<String>() + &"x".repeat(300_000) + "\nend";
    assert!(text == expected, "{} bytes instead of {}", text.len(), expected.len());
    host.sh("ctr rm out").ok();
    // Rotated: what is left is the end of it, in order.
    host.sh("ctr run -d --name turn --log-opt max-size=100k --log-opt max-file=3 busybox seq 1 20000").ok();
    until_stopped(&host, "turn");
    let dir = container_dir(&host, "turn");
    let files: Vec<String> =
        ["log.2", "log.1", "log"].iter().map(|f| fs::read_to_string(dir.join(f)).unwrap()).collect();
    assert!(files.iter().all(|f| f.len() <= 100 << 10) && !dir.join("log.3").exists());
    let numbers: Vec<u32> = files
        .iter()
        .flat_map(|f| f.lines())
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["log"].as_str().unwrap().trim().parse().unwrap())
        .collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1) && numbers.last() == Some(&20000));
    host.sh("ctr rm turn").ok();
    host.assert_clean();
}

fn a_hundred_megabytes_arrive_whole() {
    let host = busybox();
    // 100,000 numbered lines of a thousand bytes.
    let command = "yes $(printf %0992d 7) | head -n 100000 | cat -n";
    host.sh(&format!("ctr run -d --name much --log-opt max-size=1g busybox sh -c '{command}'")).ok();
    assert_eq!(until_stopped(&host, "much")["exitCode"], 0);
    let file = fs::File::open(container_dir(&host, "much").join("log")).unwrap();
    let (mut bytes, mut number) = (0, 0);
    let rest = format!("\t{}7\n", "0".repeat(991));
    for line in std::io::BufRead::lines(std::io::BufReader::new(file)) {
        let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = record["log"].as_str().unwrap();
        number += 1;
        assert!(text.trim_start() == format!("{number}{rest}"), "line {number} is {text:?}");
        bytes += text.len();
    }
    assert_eq!((number, bytes), (100_000, 100_000_000));
    host.sh("ctr rm much").ok();
    host.assert_clean();
}

fn ten_thousand_lines_a_second() {
    let host = busybox();
    let command = "i=0; while [ $i -lt 20 ]; do seq $((i*1000+1)) $((i*1000+1000)); sleep 0.1; i=$((i+1)); done";
    host.sh(&format!("ctr run -d --name steady busybox sh -c '{command}'")).ok();
    let readers: Vec<_> = (0..2).map(|_| host.cmd("ctr", &["logs", "-f", "steady"]).spawn()).collect();
    let expected: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    for reader in readers {
        assert!(reader.wait().ok().text() == expected, "a follower missed lines");
    }
    let end = until_stopped(&host, "steady");
    assert!(end.get("logLost").is_none(), "{end}");
    let text: String = log(&host, "steady").iter().map(|l| l["log"].as_str().unwrap().to_owned()).collect();
    assert!(text == expected, "{} bytes instead of {}", text.len(), expected.len());
    host.sh("ctr rm steady").ok();
    host.assert_clean();
}

fn orphans_among_the_hosts_processes_are_reaped() {
    let host = busybox();
    let command = "for i in 1 2 3 4 5; do sh -c \"sleep 0.1 &\"; done; exec sleep 5022";
    host.sh(&format!("ctr run -d --name o --pid host busybox sh -c '{command}'")).ok();
    let pid = host.process("sleep 5022");
    let supervisor = state(&host, "o")["supervisor"]["pid"].to_string();
    let children = || fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
    until("the end of its orphans", || children().trim() == pid.to_string());
    host.sh("ctr rm -f o").ok();
    // In front too.
    let run =
        host.cmd("ctr", &["run", "--rm", "--pid", "host", "busybox", "sh", "-c", &command.replace('\\', "")]).spawn();
    let pid = host.process("sleep 5022");
    let parent = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    let spawn = parent();
    let children = || fs::read_to_string(format!("/proc/{spawn}/task/{spawn}/children")).unwrap();
    until("the end of its orphans", || children().trim() == pid.to_string());
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    run.wait().exits(137);
    host.assert_clean();
}

fn who_is_left_in_another_pid_namespace_ends_too() {
    let host = busybox();
    host.sh("ctr run -d --name first busybox sleep 5024").ok();
    let command = "sleep 5025 & exec sleep 5026";
    host.sh(&format!("ctr run -d --name second --pid container:first busybox sh -c '{command}'")).ok();
    let left = host.process("sleep 5025");
    kill(&json!(host.process("sleep 5026")), Signal::SIGKILL);
    assert_eq!(until_stopped(&host, "second")["exitCode"], 137);
    assert!(!processes::alive(left), "{left} goes on");
    assert_eq!(state(&host, "first")["status"], "running");
    // In front too.
    host.sh("ctr run --rm --pid container:first busybox sh -c 'sleep 5027 & true'").ok();
    host.sh("ctr exec first sh -c 'ps -o args | grep -c \"[s]leep 5027\"; true'").ok().stdout_is("0\n");
    host.sh("ctr rm -f first second").ok();
    host.assert_clean();
}

fn out_of_memory_is_recorded_and_told() {
    let host = busybox();
    let hungry = "tail /dev/zero";
    host.sh(&format!("ctr run -d --name away -m 16m busybox {hungry}")).ok();
    let end = until_stopped(&host, "away");
    assert_eq!((&end["exitCode"], &end["oomKilled"]), (&json!(137), &json!(true)), "{end}");
    host.sh(&format!("ctr run --name front -m 16m busybox {hungry}")).exits(137);
    // A child is killed, and its parent says what it makes of that.
    host.sh(&format!("ctr run --name child -m 16m busybox sh -c '{hungry}; exit 3'")).exits(3);
    for (name, code) in [("away", 137), ("front", 137), ("child", 3)] {
        let said = host.sh(&format!("ctr inspect -f '{{{{.State.OOMKilled}}}} {{{{.State.ExitCode}}}}' {name}")).ok();
        said.stdout_is(&format!("true {code}\n"));
        let events = format!("ctr events --since 5m --until 0s -f container={name} --format '{{{{.Action}}}}'");
        host.sh(&events).ok().stdout_is("create\nstart\noom\ndie\n");
    }
    // Started again it is another run.
    host.sh("ctr run --name next busybox true && ctr inspect -f '{{.State.OOMKilled}}' next").ok().stdout_is("false\n");
    host.sh("ctr rm away front child next").ok();
    host.assert_clean();
}

fn zombies_are_nobodys() {
    let host = busybox();
    let command = "i=0; while [ $i -lt 200 ]; do (sleep 0 & exec true); i=$((i+1)); done; echo over; exec sleep 5016";
    host.sh(&format!("ctr run -d --init --name z busybox sh -c '{command}'")).ok();
    until("the end of its forks", || log(&host, "z").iter().any(|l| l["log"] == "over\n"));
    host.sh("ctr exec z sh -c 'ps -o stat | grep -c Z; true'").ok().stdout_is("0\n");
    host.sh("ctr rm -f z").ok();
    host.assert_clean();
}

fn one_name_for_twenty() {
    let host = busybox();
    let line = "for i in $(seq 20); do ctr run -d --name only busybox sleep 5017 >>ids 2>>errors & done; wait; \
                wc -l <ids; grep -c 'only' errors";
    host.sh_cmd(line).limit(100).run().ok().stdout_is("1\n19\n");
    assert_eq!(host.sh("ls $CTR_ROOT/containers | wc -l").ok().text(), "1\n");
    host.sh("ctr rm -f only").ok();
    host.assert_clean();
}

fn a_hundred_at_once() {
    let host = busybox();
    host.sh_cmd("seq 100 | xargs -P 8 -I{} ctr run -d --init --name c{} busybox sleep 5018 >ids && wc -l <ids")
        .limit(110)
        .run()
        .ok()
        .stdout_is("100\n");
    host.sh_cmd("ctr ps -q | wc -l").run().ok().stdout_is("100\n");
    host.sh_cmd("ctr stop $(cat ids) | wc -l && ctr rm $(cat ids) | wc -l")
        .limit(110)
        .run()
        .ok()
        .stdout_is("100\n100\n");
    host.assert_clean();
}

fn a_supervisor_is_small_and_still() {
    let host = busybox();
    host.sh("exec 7</etc/passwd; ctr run -d --name quiet busybox sleep 5019").ok();
    let pid = state(&host, "quiet")["supervisor"]["pid"].as_i64().unwrap();
    let sum = |key: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        text.lines()
            .filter(|l| l.starts_with(key))
            .filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum()
    };
    // Pages of the program's file are every supervisor's; what it wrote itself is its own.
    assert!(sum("Anonymous") < 200, "{} kB", sum("Anonymous"));
    let switches = || {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        text.lines().find(|l| l.starts_with("voluntary")).unwrap().to_owned()
    };
    thread::sleep(Duration::from_millis(500));
    let before = switches();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(before, switches(), "it woke up");
    // Three null devices, the process, its two streams, the socket, the lock, the log, signals, two about memory:
    // nothing of the caller's.
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(fds <= 12, "{fds} descriptors");
    host.sh("ctr rm -f quiet").ok();
    host.assert_clean();
}

fn terminated_it_ends_its_container() {
    let host = busybox();
    host.sh("ctr run -d --name asked --init --restart always --stop-signal INT busybox sleep 5020").ok();
    host.process("sleep 5020");
    kill(&state(&host, "asked")["supervisor"]["pid"], Signal::SIGTERM);
    assert_eq!(until_stopped(&host, "asked")["exitCode"], 130);
    host.sh("ctr rm asked").ok();
    host.assert_clean();
}
