//! What `ctr run` promises: a real terminal, bytes, signals, statuses; and what the pipe makes for other tools.

use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{collections::BTreeSet, fs, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("run",
        ["root", "overlay", "umoci", "skopeo", "docker-registry", "mmdebstrap"]:
            debian_says_its_name;
        ["root", "overlay", "umoci", "busybox"]:
            a_terminal_edits_interrupts_resizes_and_exits_7,
            bytes_go_in_and_out,
            a_stdin_nobody_reads_does_not_hang,
            streams_stay_apart_and_whole,
            half_close_reaches_the_command,
            statuses_are_the_commands,
            killed_from_the_host_is_137,
            signals_are_forwarded,
            the_command_is_pid_1,
            nothing_of_ours_leaks_in,
            a_broken_pipe_ends_the_command,
            shown_pipe_does_the_same,
            names_and_policies,
            nothing_is_left_whatever_happens,
            three_hundred_layers_run;
        ["root", "overlay", "umoci", "busybox", "lsns"]:
            namespaces_are_new;
        ["root", "overlay", "umoci", "mmdebstrap", "runc"]:
            the_spec_runs_under_runc;
        ["root", "overlay", "umoci", "mmdebstrap", "crun"]:
            the_spec_runs_under_crun;
        ["root", "umoci", "skopeo", "busybox"]:
            the_store_opens_in_skopeo
    )
}

/// A host with busybox in its store.
fn busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

fn debian_says_its_name() {
    let host = Host::new();
    registry::plain().push("debian");
    let pipe = "img-pull localhost:5000/debian | img-unpack | overlay-mount --name a | ns-spawn -- cat /etc/os-release";
    host.sh(pipe).ok().stdout_has("Debian GNU/Linux");
    // The container is there, exited: its name is taken.
    host.sh(pipe).fails(125).stderr_has("name a");
}

fn a_terminal_edits_interrupts_resizes_and_exits_7() {
    let host = busybox();
    let mut pty = host.pty("ctr run --rm -it busybox sh; echo status=$?");
    pty.expect("# ");
    // Line editing: the shell in the container does it, so the terminal is raw and its own.
    pty.send("echo typo\x7f\x7f\x7f\x7fedited | tr a-z A-Z\r");
    pty.expect("EDITED");
    pty.send("stty size\r");
    pty.expect("24 80");
    pty.resize(33, 101);
    thread::sleep(Duration::from_millis(200));
    pty.send("stty size\r");
    pty.expect("33 101");
    pty.send("sleep 100; echo slept=$?\r");
    thread::sleep(Duration::from_millis(300));
    pty.send("\x03");
    // Ctrl-C ends sleep, not the shell and not the container.
    pty.send("echo still $((40+2))\r");
    pty.expect("still 42");
    pty.send("tty; test -c /dev/console && echo console\r");
    pty.expect("/dev/pts/0");
    pty.expect("console");
    pty.send("exit 7\r");
    pty.expect("status=7");
    let (_, text) = pty.wait();
    assert!(!text.contains("ctr:"), "{text}");
    host.assert_clean();
}

fn bytes_go_in_and_out() {
    let host = busybox();
    host.sh("printf abc | ctr run --rm -i busybox wc -c").ok().stdout_is("3\n");
    host.sh("printf abc | ctr run --rm busybox wc -c").ok().stdout_is("0\n");
    // 20 MB of bytes of every kind, unchanged.
    host.sh("head -c 20000000 /dev/urandom >in && ctr run --rm -i busybox cat <in >out && cmp in out").ok();
    host.assert_clean();
}

fn a_stdin_nobody_reads_does_not_hang() {
    let host = busybox();
    host.sh_cmd("yes | ctr run -i --rm busybox sleep 0").limit(20).run().ok();
    host.cmd("ctr", &["run", "--rm", "-i", "busybox", "true"]).stdin_open().limit(20).run().ok();
}

fn streams_stay_apart_and_whole() {
    let host = busybox();
    let ran = host.tool("ctr", &["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    ran.exits(3).stdout_is("out\n").stderr_is("err");
    // Without a terminal nothing turns \n into \r\n.
    host.sh("ctr run --rm busybox printf 'a\\nb' | od -An -c | tr -d ' '").ok().stdout_is("a\\nb\n");
}

fn half_close_reaches_the_command() {
    let host = busybox();
    host.sh("mkdir in && echo content >in/file && img-pull --pull missing busybox | img-unpack | overlay-mount >doc")
        .ok();
    host.sh("tar -C in -c . | ns-spawn -f doc -i -- sh -c 'mkdir /x && tar -C /x -x && cat /x/file'")
        .ok()
        .stdout_is("content\n");
    host.sh("printf 'a\\nb\\n' | ctr run --rm -i busybox sh -c 'cat >/dev/null; echo end of input'")
        .ok()
        .stdout_is("end of input\n");
}

fn statuses_are_the_commands() {
    let host = busybox();
    let run = |args: &str| host.sh(&format!("ctr run --rm {args}"));
    run("busybox true").ok();
    run("busybox false").exits(1);
    run("busybox sh -c 'exit 200'").exits(200);
    run("busybox no-such-command").fails(127).stderr_has("no-such-command");
    run("busybox /etc").fails(126).stderr_has("/etc");
    run("busybox /etc/passwd").fails(126);
    run("busybox /no/such/path").fails(127);
    run("--init busybox sh -c 'kill -9 $$'").exits(137);
    // The kernel shields PID 1 from signals of its own namespace that it has no handler for.
    run("busybox sh -c 'kill -9 $$'").exits(0);
    run("--init busybox sh -c 'kill -TERM $$'").exits(143);
    run("--init busybox sh -c 'exit 9'").exits(9);
    run("-u nosuchuser busybox true").fails(125).stderr_has("nosuchuser");
    run("--no-such-flag busybox true").exits(125);
    run("nosuchhost.invalid/nothing true").exits(125);
    host.assert_clean();
}

fn kill(pid: i32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

fn killed_from_the_host_is_137() {
    let host = busybox();
    let run = host.cmd("ctr", &["run", "--rm", "busybox", "sleep", "6101"]).spawn();
    kill(host.process("sleep 6101"), Signal::SIGKILL);
    run.wait().exits(137);
    host.assert_clean();
}

fn signals_are_forwarded() {
    let host = busybox();
    let script = "trap 'echo usr1' USR1; trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    host.load("busybox");
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --volatile >doc").ok();
    let run = host.cmd("ns-spawn", &["-f", "doc", "--rm", "--", "sh", "-c", script]).spawn();
    thread::sleep(Duration::from_millis(600));
    run.signal(Signal::SIGUSR1);
    thread::sleep(Duration::from_millis(300));
    run.signal(Signal::SIGTERM);
    run.wait().exits(5).stdout_is("ready\nusr1\nterm\n");
    // With --init the default action of SIGTERM ends the command.
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --volatile >doc").ok();
    let run = host.cmd("ns-spawn", &["-f", "doc", "--rm", "--init", "--", "sleep", "6102"]).spawn();
    host.process("sleep 6102");
    run.signal(Signal::SIGTERM);
    run.wait().exits(143);
    // A terminal's Ctrl-C goes to the whole group: the container ends and nothing is left.
    let run = host.sh_cmd("ctr run --rm --init busybox sleep 6103").spawn();
    host.process("sleep 6103");
    run.signal_all(Signal::SIGINT);
    run.wait().exits(130);
    host.assert_clean();
}

fn the_command_is_pid_1() {
    let host = busybox();
    let text = host.tool("ctr", &["run", "--rm", "busybox", "ps", "-o", "pid,args"]).ok().text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[1].trim_start().starts_with("1 ps"), "{text}");
    let text = host.tool("ctr", &["run", "--rm", "--init", "busybox", "ps", "-o", "pid,args"]).ok().text();
    assert_eq!(text.lines().count(), 3, "{text}");
    // Orphans of the command are reaped by init.
    host.sh("ctr run --rm --init busybox sh -c '(sleep 0 &) ; sleep 0.2; ps -o stat | grep -c Z; true'")
        .ok()
        .stdout_is("0\n");
}

fn nothing_of_ours_leaks_in() {
    let host = busybox();
    // Descriptors that the caller has open, and the tool's own.
    let text = host.sh("exec 7</etc/passwd 8>/dev/null; ctr run --rm busybox ls /proc/self/fd").ok().text();
    // 3 is ls's own, for the directory.
    assert_eq!(text, "0\n1\n2\n3\n");
    let status = "grep -E 'SigBlk|SigIgn|SigPnd|Seccomp:|NoNewPrivs' /proc/self/status";
    let text = host.sh(&format!("trap '' USR1 HUP; ctr run --rm busybox {status}")).ok().text();
    for line in ["SigBlk:\t0000000000000000", "SigPnd:\t0000000000000000", "SigIgn:\t0000000000000000", "Seccomp:\t2"] {
        assert!(text.contains(line), "{line:?} not in\n{text}");
    }
    let names = host.sh("SECRET=1 ctr run --rm --hostname here busybox env").ok().text();
    let names: BTreeSet<&str> = names.lines().filter_map(|l| l.split('=').next()).collect();
    assert_eq!(names, BTreeSet::from(["HOME", "HOSTNAME", "PATH"]));
    // The host's root is not to be seen: no mount of it, no old root.
    let mounts = host.tool("ctr", &["run", "--rm", "busybox", "cat", "/proc/self/mountinfo"]).ok().text();
    let points: Vec<&str> = mounts.lines().filter_map(|l| l.split(' ').nth(4)).collect();
    let outside = |p: &&str| !["/", "/proc", "/dev", "/sys", "/etc"].iter().any(|d| p.starts_with(d));
    assert!(points.iter().find(|p| outside(p)).is_none(), "{mounts}");
    assert!(!points.iter().any(|p| p.contains("old")), "{mounts}");
}

fn a_broken_pipe_ends_the_command() {
    let host = busybox();
    // As PID 1 it is shielded from SIGPIPE too: it meets EPIPE, says so, and ends.
    host.sh_cmd("ctr run --rm busybox yes | head -n 1").limit(20).run().succeeds().stdout_is("y\n");
    host.sh_cmd("ctr run --rm --init busybox yes | head -n 1").limit(20).run().ok().stdout_is("y\n");
    host.sh_cmd("ctr run --rm busybox sh -c 'yes | head -n 1'").limit(20).run().ok().stdout_is("y\n");
    host.assert_clean();
}

fn shown_pipe_does_the_same() {
    let host = busybox();
    let cases = [
        "run --rm busybox echo hello",
        "run --rm -e 'A=with space' -e \"B='q'\" -w /tmp busybox sh -c 'pwd; echo \"$A\" $B'",
        "run --rm --name shown -u 1000 --hostname h busybox sh -c 'id -u; hostname'",
    ];
    for case in cases {
        let direct = host.sh(&format!("ctr {case}")).ok().text();
        let pipe = host.sh(&format!("ctr --show {case}")).ok().text();
        assert!(pipe.contains("overlay-mount") && pipe.contains("ns-spawn"), "{pipe}");
        for shell in ["dash", "bash", "busybox sh"] {
            host.sh_with(shell, &pipe).ok().stdout_is(&direct);
        }
    }
    let pipe = host.sh("ctr --show run --rm -i busybox wc -c").ok().text();
    host.sh_cmd(&pipe).stdin("four").run().ok().stdout_is("4\n");
    host.assert_clean();
}

fn names_and_policies() {
    let host = busybox();
    host.sh("ctr run --name kept busybox true").ok();
    host.sh("ctr run --name kept busybox true").fails(125).stderr_has("kept");
    host.sh("ctr run --rm --pull never localhost:5000/absent true").fails(125).stderr_has("absent");
    host.sh("ctr run --rm busybox hostname").ok();
    host.sh("ctr run --rm --read-only busybox touch /x").exits(1);
    host.sh("ctr run --rm --network none busybox ip -o link").ok().stdout_has("lo");
}

fn nothing_is_left_whatever_happens() {
    let host = busybox();
    for args in ["busybox true", "busybox no-such-command", "-u nobody_at_all busybox true", "--entrypoint '' busybox"]
    {
        host.sh(&format!("ctr run --rm {args}"));
        host.assert_clean();
    }
    // Terminated in the middle.
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let run = host.sh_cmd("ctr run --rm --init busybox sleep 6104").spawn();
        host.process("sleep 6104");
        run.signal_all(signal);
        run.wait();
        host.assert_clean();
    }
}

fn three_hundred_layers_run() {
    let host = Host::new();
    host.load("layers300");
    host.sh("ctr run --rm layers300 sh -c 'cat /last; ls /layers | wc -l'").ok().stdout_is("300\n299\n");
    host.assert_clean();
}

fn namespaces_are_new() {
    let host = busybox();
    let run = host.cmd("ctr", &["run", "--rm", "busybox", "sleep", "6105"]).spawn();
    let pid = host.process("sleep 6105");
    // lsns gives up where a process of somebody else's ends while it looks.
    let look = format!("for i in 1 2 3 4 5; do lsns -n -o TYPE,PID -p {pid} && exit; sleep 0.2; done; exit 1");
    let text = host.sh(&look).ok().text();
    // lsns names the lowest pid of each namespace: for a new one that is the container's.
    let new: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(_, lowest)| lowest.trim() == pid.to_string())
        .map(|(kind, _)| kind)
        .collect();
    for kind in ["mnt", "uts", "ipc", "pid", "net"] {
        assert!(new.contains(kind), "{kind} is not new:\n{text}");
    }
    kill(pid, Signal::SIGKILL);
    run.wait().exits(137);
}

/// A bundle of a debian container as `ns-spawn --print-spec` gives it, in `bundle/`.
fn bundle(host: &Host) {
    host.load("debian");
    host.sh("img-pull --pull missing debian | img-unpack | overlay-mount --name spec >doc && mkdir bundle").ok();
    host.sh("ns-spawn --print-spec -f doc -- sh -c 'id -u; cat /etc/os-release; hostname' >bundle/config.json").ok();
    let spec: Value = serde_json::from_slice(&fs::read(host.dir().join("bundle/config.json")).unwrap()).unwrap();
    assert!(spec["ociVersion"].as_str().unwrap().starts_with("1.0"), "{}", spec["ociVersion"]);
}

fn the_spec_runs_under_runc() {
    let host = Host::new();
    bundle(&host);
    let ran = host.sh("runc --root $PWD/runc run -b bundle run-runc").exits(0);
    ran.stdout_has("0\n").stdout_has("Debian GNU/Linux");
}

fn the_spec_runs_under_crun() {
    let host = Host::new();
    bundle(&host);
    // crun refuses the hybrid cgroup layout: without the v2 tree it is a v1 machine.
    let hybrid = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi";
    let run = format!("{hybrid}; crun --root $PWD/crun run -b bundle run-crun");
    let ran = host.cmd("unshare", &["-m", "--propagation", "private", "sh", "-c", &run]).run().exits(0);
    ran.stdout_has("0\n").stdout_has("Debian GNU/Linux");
}

fn the_store_opens_in_skopeo() {
    let host = Host::new();
    host.load("busybox");
    host.load("layers300");
    let text =
        host.sh("jq -r '.manifests[].annotations[\"org.opencontainers.image.ref.name\"]' $CTR_ROOT/images/index.json");
    let names: Vec<String> = text.ok().text().lines().map(str::to_owned).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let seen = host.sh(&format!("skopeo inspect oci:$CTR_ROOT/images:{name}")).ok().json();
        assert!(!seen["Layers"].as_array().unwrap().is_empty());
        host.sh(&format!("skopeo copy -q oci:$CTR_ROOT/images:{name} dir:copy && rm -r copy")).ok();
    }
}
