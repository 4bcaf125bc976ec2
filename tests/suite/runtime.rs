//! The engine of ns-spawn, driven by bundles: namespaces, mounts, ids, signals, statuses.

pub mod bundle;

use bundle::Bundle;
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{fs, path::Path, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("runtime",
        ["root", "busybox"]:
            statuses_of_what_cannot_run,
            statuses_of_the_command,
            signals_reach_pid_1,
            the_command_dies_with_the_tool,
            the_init_reaps_forwards_and_keeps_no_streams,
            nobody_reads_stdin,
            files_go_in_and_out_whole,
            lines_keep_their_order,
            output_that_is_lost_is_an_error,
            a_terminal_without_one_of_its_own,
            a_stopped_terminal_stops_only_the_container,
            what_is_left_running_keeps_no_stream,
            user_groups_capabilities_and_mask,
            the_root_is_read_only,
            limits_are_set,
            clocks_are_shifted,
            parameters_are_set,
            what_is_not_done_is_refused,
            limits_without_a_group_are_refused,
            a_plan_is_printed_and_nothing_done,
            failures_say_why_however_fast,
            keys_need_a_terminal,
            the_terminal_is_as_it_was,
            a_reader_that_goes_ends_the_command,
            the_last_bytes_of_a_terminal_arrive,
            stops_and_goes_on,
            sources_are_relative_to_the_bundle,
            the_process_is_in_its_cgroup;
        ["root", "busybox", "bash"]:
            a_job_in_the_background_waits_for_its_terminal;
        ["root", "busybox", "userns"]:
            a_user_namespace_maps_ids,
            namespaces_are_joined
    )
}

fn statuses_of_what_cannot_run() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    fs::write(bundle.root().join("etc/script"), "#!/no/such\n").unwrap();
    fs::write(bundle.root().join("etc/text"), "text\n").unwrap();
    host.sh(&format!("chmod 755 {}/etc/script", bundle.root().display())).ok();
    for (command, status, reason) in [
        ("nope", 127, "not found in $PATH"),
        ("/nope", 127, "No such file"),
        ("/etc/script", 127, "interpreter"),
        ("/tmp", 126, "directory"),
        ("/etc/text", 126, "Permission denied"),
        ("/bin/busybox/x", 126, "Not a directory"),
    ] {
        for init in ["false", "true"] {
            bundle.set("/annotations", json!({"ctr.init": init}));
            bundle.run(&[command]).fails(status).stderr_has(reason);
        }
    }
    // A name that is no program in one place of PATH may be one in the next.
    fs::create_dir_all(bundle.root().join("first/true")).unwrap();
    fs::write(bundle.root().join("first/echo"), "").unwrap();
    bundle.set("/process/env", json!(["PATH=/first:/bin"]));
    bundle.run(&["true"]).ok();
    bundle.run(&["echo", "found"]).ok().stdout_is("found\n");
}

fn statuses_of_the_command() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.sh("exit 7").exits(7);
    // The kernel shields PID 1 from signals of its own namespace.
    bundle.sh("kill -9 $$; exit 3").exits(3);
    bundle.set("/annotations", json!({"ctr.init": "true"}));
    bundle.sh("exit 7").exits(7);
    bundle.sh("kill -9 $$").exits(137);
    bundle.sh("kill -TERM $$").exits(143);
}

fn signals_reach_pid_1() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    let trap = "trap 'echo got it; exit 5' USR1; echo up; while :; do sleep 0.02; done";
    let running = bundle.cmd(&["sh", "-c", trap]).spawn();
    host.process(&format!("sh -c {trap}"));
    thread::sleep(Duration::from_millis(200));
    running.signal(Signal::SIGUSR1);
    running.wait().exits(5).stdout_has("got it");
    let running = bundle.cmd(&["sleep", "1001"]).spawn();
    let pid = host.process("sleep 1001");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    running.wait().exits(137);
}

fn the_command_dies_with_the_tool() {
    let host = Host::new();
    for init in ["false", "true"] {
        let mut bundle = Bundle::new(&host);
        bundle.set("/annotations", json!({"ctr.init": init}));
        bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        let running = bundle.cmd(&["sleep", "1002"]).spawn();
        let pid = host.process("sleep 1002");
        running.signal(Signal::SIGKILL);
        let start = std::time::Instant::now();
        let gone = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.rsplit(')').next().is_some_and(|s| s.trim().starts_with(['Z', 'X']))
        };
        while !gone() {
            assert!(start.elapsed() < Duration::from_secs(5), "it runs on");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn the_init_reaps_forwards_and_keeps_no_streams() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/annotations", json!({"ctr.init": "true"}));
    let out =
        bundle.sh("readlink /proc/1/fd/1; for i in 1 2 3; do (true & true); done; sleep 0.2; ps").succeeds().text();
    assert!(out.starts_with("/dev/null\n") && out.contains("ctr-init -- sh"), "{out}");
    assert!(!out.contains("[true]"), "zombies: {out}");
    let running = bundle.cmd(&["sleep", "1003"]).spawn();
    host.process("sleep 1003");
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
}

fn nobody_reads_stdin() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.cmd(&["sleep", "0"]);
    host.sh(&format!("yes | ns-spawn -b {}", bundle.dir.display())).exits(0);
    bundle.cmd(&["wc", "-c"]).stdin("abc").run().ok().stdout_is("3\n");
    bundle.cmd(&["yes"]);
    host.sh(&format!("ns-spawn -b {} | head -n 1", bundle.dir.display())).exits(0).stdout_is("y\n");
}

/// Through pipes of the tool's own, for a file is never given to a container.
fn files_go_in_and_out_whole() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    let dir = bundle.dir.display().to_string();
    let run = |bundle: &mut Bundle, args: &[&str], text: &str| {
        bundle.cmd(args);
        host.sh(&text.replace("SPAWN", &format!("ns-spawn -b {dir}"))).ok()
    };
    run(&mut bundle, &["cat"], "head -c 20000000 /dev/urandom >in; SPAWN <in >out && cmp in out");
    // From where the file stands, and to where the next goes on.
    run(&mut bundle, &["cat"], "{ head -c 4096 >/dev/null; SPAWN; } <in >out; tail -c +4097 in | cmp - out");
    run(&mut bundle, &["cat"], "{ echo before; SPAWN <in; echo after; } >out; tail -c 6 out").stdout_is("after\n");
    run(&mut bundle, &["cat"], "echo before >out; SPAWN <in >>out; tail -c +8 out | cmp - in && head -n 1 out")
        .stdout_is("before\n");
    // What procfs has does not splice; a named pipe is no file, but not a container's either.
    run(&mut bundle, &["cat"], "SPAWN </proc/self/mounts | grep -c ' /proc '").stdout_is("1\n");
    run(&mut bundle, &["cat"], "mkfifo a b; cat in >a & cat b >out & SPAWN <a >b; wait; cmp in out");
    run(&mut bundle, &["cat"], "echo short >a & SPAWN <a | cat").stdout_is("short\n");
    run(&mut bundle, &["sh", "-c", "cat; echo end of input"], "SPAWN <in | tail -n 1").stdout_has("end of input");
    run(&mut bundle, &["sh", "-c", "cat | wc -c; echo x >&2"], "SPAWN </dev/null 2>/dev/null").stdout_is("0\n");
    // Nobody has to read.
    run(&mut bundle, &["true"], "SPAWN </dev/zero");
    run(&mut bundle, &["sh", "-c", "exec <&-; sleep 0.1"], "SPAWN </dev/zero");
    // The reader of a named pipe that goes away ends the command.
    bundle.set("/annotations", json!({"ctr.init": "true"})).cmd(&["yes"]);
    host.sh(&format!("head -n 1 <a & ns-spawn -b {dir} >a; echo $?; wait")).exits(0).stdout_has("141\n");
}

fn lines_keep_their_order() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.cmd(&["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done"]);
    let twice: String = (1..10).map(|i| format!("{i}\n{i}\n")).collect();
    for redirection in [">out 2>&1", ">>out 2>>out"] {
        host.sh(&format!("rm -f out; ns-spawn -b {} {redirection}; cat out", bundle.dir.display()))
            .exits(0)
            .stdout_is(&twice);
    }
    let apart = host.sh(&format!("ns-spawn -b {} >a 2>b; cat a b", bundle.dir.display())).exits(0);
    apart.stdout_is(&"1\n2\n3\n4\n5\n6\n7\n8\n9\n".repeat(2));
}

/// The command has written to a pipe, and does not see that the disk is full.
fn output_that_is_lost_is_an_error() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    let dir = bundle.dir.display().to_string();
    bundle.cmd(&["echo", "lost"]);
    host.sh(&format!("ns-spawn -b {dir} >/dev/full")).fails(125).stderr_has("cannot write stdout: No space left");
    bundle.cmd(&["sh", "-c", "yes; exit 3"]);
    host.sh(&format!("ns-spawn -b {dir} >/dev/full")).exits(3).stderr_has("cannot write stdout: No space left");
    bundle.cmd(&["cat"]);
    host.sh(&format!("ns-spawn -b {dir} 0>out")).fails(125).stderr_has("cannot read stdin: Bad file descriptor");
}

fn a_terminal_without_one_of_its_own() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.cmd(&["sh", "-c", "while read line; do echo got $line; done; echo end; exit 3"]);
    let mut pty = host.pty(&format!("ns-spawn -b {}; echo status=$?", bundle.dir.display()));
    pty.send("one\r");
    pty.expect("got one");
    pty.send("two\r");
    pty.expect("got two");
    pty.send("\x04");
    pty.expect("end");
    pty.expect("status=3");
    // Its keys signal the tool, and the tool the container.
    bundle.set("/annotations", json!({"ctr.init": "true"})).cmd(&["sh", "-c", "echo ready; sleep 1009"]);
    let mut pty = host.pty(&format!("trap : INT; ns-spawn -b {}; echo status=$?", bundle.dir.display()));
    pty.expect("ready");
    pty.send("\x03");
    pty.expect("status=130");
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, is_so: &mut dyn FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process is in that state (proc_pid_stat(5)).
fn is(pid: i32, state: char) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(state))
}

/// As every job that reads does (termios(3)): it is stopped, and does not take the keys of who is in the foreground.
fn a_job_in_the_background_waits_for_its_terminal() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.cmd(&["cat", "-"]);
    let mut pty = host.pty("exec bash --norc -i");
    let run = format!("ns-spawn -b {}", bundle.dir.display());
    pty.send(&format!("{run} &\r"));
    host.process("cat -");
    let tool = host.process(&run);
    until("it stops", &mut || {
        pty.send("\r");
        is(tool, 'T')
    });
    pty.send("fg\r");
    until("it goes on", &mut || is(tool, 'S'));
    pty.send("to the cat\r");
    // As typed, and as cat gives it back.
    pty.expect("to the cat");
    pty.expect("to the cat");
    pty.send("\x04");
    until("it ends", &mut || !Path::new(&format!("/proc/{tool}")).exists());
    pty.send("exit\r");
    pty.wait();
}

fn a_stopped_terminal_stops_only_the_container() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/annotations", json!({"ctr.init": "true"}));
    bundle.cmd(&["yes", "1010"]);
    let mut pty = host.pty(&format!("exec ns-spawn -b {}", bundle.dir.display()));
    pty.expect("1010");
    pty.send("\x13");
    let pid = host.process("yes 1010");
    let tool = pty.pid();
    until("both wait", &mut || is(pid, 'S') && is(tool, 'S'));
    let kill = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(tool), Signal::SIGTERM).unwrap();
    kill();
    until("the signal arrives", &mut || !Path::new(&format!("/proc/{pid}")).exists());
    // What it wrote last waits for the terminal; who does not says so again.
    until("the tool ends", &mut || {
        kill();
        is(tool, 'Z')
    });
    assert_eq!(pty.wait().0, 143);
}

/// A process of the container's that outlives the command has its pipes, and the tool does not wait for it.
fn what_is_left_running_keeps_no_stream() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.namespace("pid", "").cmd(&["sh", "-c", "(while :; do echo more; done) & sleep 1011 & echo first; exit 3"]);
    host.sh(&format!("ns-spawn -b {} >out; echo $?; grep first out", bundle.dir.display()))
        .ok()
        .stdout_is("3\nfirst\n");
}

fn user_groups_capabilities_and_mask() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 23}));
    let script = "grep -E 'Uid|Gid|Groups|Cap|NoNewPrivs|SigIgn|SigBlk' /proc/self/status; umask; echo x >/dev/stdout";
    let out = bundle.sh(script).ok().text();
    for line in [
        "Uid:\t1000\t1000\t1000\t1000",
        "Gid:\t1001\t1001\t1001\t1001",
        "Groups:\t7 8 ",
        "CapPrm:\t0000000000000000",
        "CapBnd:\t00000000a80425fb",
        "SigIgn:\t0000000000000000",
        "SigBlk:\t0000000000000000",
        "NoNewPrivs:\t0",
        "0027",
    ] {
        assert!(out.lines().any(|l| l == line), "no {line:?} in {out}");
    }
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/noNewPrivileges", json!(true));
    let ambient = json!(["CAP_NET_BIND_SERVICE"]);
    for set in ["inheritable", "ambient"] {
        bundle.set(&format!("/process/capabilities/{set}"), ambient.clone());
    }
    bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let out = bundle.sh("grep -E 'CapEff|NoNew' /proc/self/status").ok().text();
    assert_eq!(out, "CapEff:\t0000000000000400\nNoNewPrivs:\t1\n");
}

fn the_root_is_read_only() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/root/readonly", json!(true)).set("/process/cwd", json!("/made/for/it"));
    bundle.sh("pwd; touch /x || touch /dev/shm/x && echo only there").exits(0).stdout_is("/made/for/it\nonly there\n");
    bundle.sh("echo 1 >/proc/sys/kernel/domainname || echo refused").exits(0).stdout_is("refused\n");
}

fn limits_are_set() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]));
    bundle.sh("ulimit -n; ulimit -Hn").ok().stdout_is("100\n200\n");
    bundle.set("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 2}]));
    bundle.run(&["true"]).fails(125).stderr_has("RLIMIT_NOFILE");
}

fn clocks_are_shifted() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.add("/linux/namespaces", json!({"type": "time"}));
    bundle.set("/linux/timeOffsets", json!({"boottime": {"secs": 8_640_000}}));
    bundle.run(&["cat", "/proc/uptime"]).ok().stdout_has("");
    let seconds: f64 = bundle.sh("cut -d. -f1 /proc/uptime").ok().text().trim().parse().unwrap();
    assert!(seconds > 8_640_000.0, "{seconds}");
}

fn parameters_are_set() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/linux/sysctl", json!({"net.ipv4.ip_unprivileged_port_start": "99", "kernel.shmmax": "4096"}));
    bundle.set("/process/oomScoreAdj", json!(300));
    let script =
        "cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/shmmax /proc/self/oom_score_adj; hostname";
    bundle.sh(script).ok().stdout_is("99\n4096\n300\ntest\n");
}

fn what_is_not_done_is_refused() {
    let host = Host::new();
    let hook = json!({"poststart": [{"path": "/bin/true"}]});
    for (at, value) in [
        ("/hooks", hook),
        ("/process/apparmorProfile", json!("docker-default")),
        ("/process/selinuxLabel", json!("x")),
        ("/linux/rootfsPropagation", json!("shared")),
    ] {
        let mut bundle = Bundle::new(&host);
        bundle.set(at, value).run(&["true"]).fails(125).stderr_has("not supported");
    }
    let mut bundle = Bundle::new(&host);
    bundle.namespace("mount", "").run(&["true"]).fails(125).stderr_has("mount namespace");
    bundle = Bundle::new(&host);
    bundle.namespace("uts", "").run(&["true"]).fails(125).stderr_has("uts");
}

/// Limits are a control group's: where the spec names none nobody keeps them.
fn limits_without_a_group_are_refused() {
    let host = Host::new();
    for (name, value) in [
        ("memory", json!({"limit": 1 << 20})),
        ("cpu", json!({"quota": 1000})),
        ("pids", json!({"limit": 5})),
        ("blockIO", json!({"weight": 10})),
        ("hugepageLimits", json!([{"pageSize": "2MB", "limit": 0}])),
        ("network", json!({"classID": 1})),
        ("rdma", json!({"mlx5_1": {"hcaHandles": 3}})),
        ("unified", json!({"memory.high": "1"})),
    ] {
        for path in [None, Some("")] {
            let mut bundle = Bundle::new(&host);
            bundle.set("/linux/resources", json!({name: value})).set("/linux/cgroupsPath", json!(path));
            let ran = bundle.run(&["true"]);
            ran.fails(125).stderr_has(&format!("linux.resources.{name}")).stderr_has("linux.cgroupsPath");
        }
    }
    let mut bundle = Bundle::new(&host);
    bundle.set("/linux/resources", json!({"memory": {}, "hugepageLimits": [], "devices": []})).run(&["true"]).ok();
}

fn a_plan_is_printed_and_nothing_done() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/cwd", json!("/made/for/it"));
    let ran = bundle.cmd(&["sh", "-c", "echo ran"]).arg("--dry-run").run().exits(0).stdout_is("");
    let ops: Vec<String> = ran
        .stderr_text()
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["op"].as_str().unwrap().to_owned())
        .collect();
    for op in ["clone", "root", "mount", "dev", "mask", "readonly", "pivot", "exec"] {
        assert!(ops.iter().any(|o| o == op), "no {op} in {ops:?}");
    }
    assert!(!bundle.root().join("made").exists());
    // The same lines, with durations, of a run.
    let ran = bundle.cmd(&["true"]).arg("--trace").run().exits(0);
    assert!(ran.stderr_text().lines().any(|l| l.contains(r#""op":"pivot""#) && l.contains(r#""ms""#)));
}

/// The child may fail before the parent has spoken to it, or after: either way the reason arrives.
fn failures_say_why_however_fast() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/cwd", json!("/proc/self/fd/99"));
    for _ in 0..50 {
        bundle.run(&["true"]).fails(125).stderr_has("/proc/self/fd/99");
    }
}

fn keys_need_a_terminal() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/terminal", json!(true)).run(&["true"]).fails(125).stderr_has("not a terminal");
}

fn the_terminal_is_as_it_was() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/terminal", json!(true));
    let dir = bundle.dir.display().to_string();
    for args in [&["stty"] as &[&str], &["nope"], &["sh", "-c", "kill -9 -1; exit 3"], &["sleep", "1006"]] {
        bundle.cmd(args);
        let run = format!("cd {dir}; stty -g >a; ns-spawn -b {dir}; stty -g >b; cmp a b && echo sa''me");
        let mut pty = host.pty(&run);
        if args.len() == 2 {
            let pid = host.process("sleep 1006");
            thread::sleep(Duration::from_millis(200));
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        pty.expect("same");
    }
}

fn a_reader_that_goes_ends_the_command() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/terminal", json!(true)).cmd(&["yes"]);
    host.pty(&format!("ns-spawn -b {} | head -n 2; echo e''nd", bundle.dir.display())).expect("end");
}

fn the_last_bytes_of_a_terminal_arrive() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/terminal", json!(true)).cmd(&[
        "sh",
        "-c",
        "stty raw; dd if=/dev/zero bs=1000 count=1000 2>/dev/null",
    ]);
    host.pty(&format!("ns-spawn -b {} | wc -c", bundle.dir.display())).expect("1000000");
}

fn stops_and_goes_on() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    let running = bundle.cmd(&["sleep", "3"]).spawn();
    host.process("sleep 3");
    running.signal(Signal::SIGTSTP);
    let state = format!("/proc/{}/stat", running.pid());
    let start = std::time::Instant::now();
    while !fs::read_to_string(&state).unwrap().rsplit(')').next().unwrap().starts_with(" T") {
        assert!(start.elapsed() < Duration::from_secs(5), "it does not stop");
        thread::sleep(Duration::from_millis(5));
    }
    running.signal(Signal::SIGCONT);
    running.wait().exits(0);
}

fn sources_are_relative_to_the_bundle() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    fs::write(bundle.dir.join("file"), "of the bundle\n").unwrap();
    let mount = json!({"destination": "/etc/file", "type": "none", "source": "file", "options": ["bind", "ro"]});
    bundle.add("/mounts", mount).run(&["cat", "/etc/file"]).ok().stdout_is("of the bundle\n");
}

fn a_user_namespace_maps_ids() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.with_user_namespace().set("/process/oomScoreAdj", json!(500));
    bundle.add("/linux/namespaces", json!({"type": "time"}));
    bundle.set("/linux/timeOffsets", json!({"boottime": {"secs": 8_640_000}}));
    assert!(bundle.sh("cut -d. -f1 /proc/uptime").ok().text().trim().parse::<u64>().unwrap() > 8_640_000);
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; touch /made; [ -c /dev/null ] && echo x >/dev/null; cat /proc/self/oom_score_adj";
    fs::remove_file(bundle.root().join("bin/tr")).ok();
    std::os::unix::fs::symlink("busybox", bundle.root().join("bin/tr")).unwrap();
    bundle.sh(script).ok().stdout_is("0\n 0 100000 65536\n500\n");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(bundle.root().join("made")).unwrap());
    assert_eq!(owner, 100_000);
}

fn namespaces_are_joined() {
    let host = Host::new();
    let mut first = Bundle::new(&host);
    first.with_user_namespace();
    let _running = first.cmd(&["sleep", "1004"]).spawn();
    let pid = host.process("sleep 1004");
    let path = |kind: &str| format!("/proc/{pid}/ns/{kind}");
    let same = |kind: &str| fs::read_link(path(kind)).unwrap().to_string_lossy().into_owned();

    // Each by itself from outside, then all, so that every order of joining and cloning is gone through.
    for kinds in [
        &[("network", "net")] as &[_],
        &[("pid", "pid")],
        &[("user", "user")],
        &[("user", "user"), ("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")],
        &[
            ("user", "user"),
            ("pid", "pid"),
            ("network", "net"),
            ("ipc", "ipc"),
            ("uts", "uts"),
            ("cgroup", "cgroup"),
            ("mount", "mnt"),
        ],
    ] {
        let mut second = Bundle::new(&host);
        second.spec.as_object_mut().unwrap().remove("hostname");
        if kinds.iter().any(|(kind, _)| *kind == "user") {
            host.sh(&format!("chown -R -h 100000:100000 {}", second.root().display())).ok();
        }
        for (kind, file) in kinds {
            second.namespace(kind, &path(file));
        }
        let out = second.sh("for n in /proc/self/ns/*; do readlink $n; done").ok().text();
        for (_, file) in kinds {
            assert!(out.lines().any(|line| line == same(file)), "{file} not joined: {out}");
        }
    }
    let mut third = Bundle::new(&host);
    third.namespace("network", "/no/such").run(&["true"]).fails(125).stderr_has("/no/such");
}

fn the_process_is_in_its_cgroup() {
    let host = Host::new();
    let name = format!("ctr-test-{}", std::process::id());
    // Version 1's hierarchy, or the only one.
    let (tree, line) = match Path::new("/sys/fs/cgroup/pids") {
        pids if pids.is_dir() => (pids, ":pids:/"),
        _ => (Path::new("/sys/fs/cgroup"), "0::/"),
    };
    let group = tree.join(&name);
    fs::create_dir(&group).unwrap();
    let mut bundle = Bundle::new(&host);
    bundle.set("/linux/cgroupsPath", json!(format!("/{name}")));
    let running = bundle.cmd(&["sleep", "1005"]).spawn();
    let pid = host.process("sleep 1005").to_string();
    let inside = fs::read_to_string(group.join("cgroup.procs")).unwrap();
    drop(running);
    // What is to limit it must do so.
    bundle.set("/linux/resources", json!({"pids": {"limit": 7}}));
    bundle.run(&["true"]).fails(125).stderr_has("pids.max");
    bundle.set("/linux/resources", json!({}));
    let ran = bundle.sh(&format!("grep {line}$ /proc/self/cgroup; ls {}/pids.max", tree.display()));
    bundle.set("/linux/cgroupsPath", json!("/no/such")).run(&["true"]).fails(125).stderr_has("/no/such");
    while fs::remove_dir(&group).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(inside.lines().any(|line| line == pid));
    let out = ran.ok().text();
    assert!(out.contains(&format!("{line}\n")) && out.contains("pids.max"), "{out}");
}
