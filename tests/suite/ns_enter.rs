//! ns-enter: a command beside a container's own, and what it may and may not do.

use ctr_tests::*;
use nix::{sys::signal::Signal, unistd::Pid};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("ns-enter",
        ["root", "overlay", "umoci", "busybox"]:
            it_is_beside_the_container,
            statuses_are_the_commands,
            bytes_go_in_and_out,
            a_terminal_of_its_own,
            confinement_is_the_containers,
            user_environment_directory,
            it_is_listed_while_it_runs,
            its_client_gone_it_hangs_up,
            detached_it_stays,
            where_nothing_runs,
            the_tool_cannot_be_overwritten,
            no_descriptor_leaks_in
    )
}

fn running(flags: &str) -> Host {
    let host = Host::new();
    host.load("busybox");
    host.sh(&format!("ctr run -d --name box {flags} busybox sleep 5100")).ok();
    host
}

fn end(host: &Host) {
    host.sh("ctr rm -f box").ok();
    host.assert_clean();
}

fn it_is_beside_the_container() {
    let host = running("--hostname there");
    host.sh("ctr exec box hostname").ok().stdout_is("there\n");
    host.sh("ctr exec box ps -o pid,args").ok().stdout_has("1 sleep 5100");
    let pid = host.process("sleep 5100");
    for kind in ["mnt", "uts", "ipc", "pid", "net", "cgroup"] {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let text = host.sh(&format!("ctr exec box readlink /proc/self/ns/{kind}")).ok().text();
        assert_eq!(text.trim(), theirs.to_str().unwrap());
    }
    // /dev/console and the mounts are as they were.
    let before = host.sh("ctr exec box cat /proc/1/mountinfo").ok().text();
    host.pty("ctr exec -it box true; echo status=$?").expect("status=0");
    assert_eq!(host.sh("ctr exec box cat /proc/1/mountinfo").ok().text(), before);
    end(&host);
}

fn statuses_are_the_commands() {
    let host = running("");
    host.sh("ctr exec box false").exits(1);
    host.sh("ctr exec box sh -c 'exit 200'").exits(200);
    host.sh("ctr exec box sh -c 'kill -9 $$'").exits(137);
    host.sh("ctr exec box nothing").fails(127).stderr_has("nothing");
    host.sh("ctr exec box /etc").fails(126);
    host.sh("ctr exec -u nobody-at-all box true").fails(125);
    host.sh("ctr exec --nonsense box true").fails(125);
    host.sh("ctr exec box").fails(125);
    end(&host);
}

fn bytes_go_in_and_out() {
    let host = running("");
    host.sh("printf abc | ctr exec -i box wc -c").ok().stdout_is("3\n");
    host.sh("printf abc | ctr exec box wc -c").ok().stdout_is("0\n");
    host.sh("head -c 5000000 /dev/urandom >in && ctr exec -i box cat <in | cmp in").ok();
    host.sh("ctr exec box sh -c 'echo out; echo err >&2'").succeeds().stdout_is("out\n").stderr_is("err");
    end(&host);
}

fn a_terminal_of_its_own() {
    let host = running("");
    let mut pty = host.pty("ctr exec -it box sh; echo status=$?");
    pty.expect("# ");
    pty.send("tty; stty size\r");
    pty.expect("/dev/pts/");
    pty.expect("24 80");
    pty.resize(33, 101);
    thread::sleep(Duration::from_millis(200));
    pty.send("stty size\r");
    pty.expect("33 101");
    pty.send("sleep 100\r");
    thread::sleep(Duration::from_millis(300));
    pty.send("\x03");
    pty.send("echo still $((40+2)); exit 7\r");
    pty.expect("still 42");
    pty.expect("status=7");
    host.sh("ctr exec -it box sh").fails(125).stderr_has("terminal");
    end(&host);
}

fn confinement_is_the_containers() {
    let host = running("--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --ulimit nofile=77:88");
    let status = host.sh("ctr exec box cat /proc/self/status").ok().text();
    let of_one = host.sh("ctr exec box cat /proc/1/status").ok().text();
    for key in ["CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Groups"] {
        let line = |text: &str| text.lines().find(|l| l.starts_with(&format!("{key}:"))).map(str::to_owned);
        assert_eq!(line(&status), line(&of_one), "{key}");
    }
    assert!(status.contains("CapEff:\t0000000000000001"), "{status}");
    host.sh("ctr exec box sh -c 'ulimit -n; ulimit -Hn'").ok().stdout_is("77\n88\n");
    host.sh("ctr exec box mount -t tmpfs x /tmp").exits(1);
    host.sh("ctr exec --privileged box sh -c 'grep CapEff /proc/self/status'").ok().stdout_has("CapEff:\t000001");
    host.sh("ctr exec box cat /proc/1/cgroup >a; ctr exec box cat /proc/self/cgroup | cmp a").ok();
    end(&host);
}

fn user_environment_directory() {
    let host = running("-e A=container -w /usr");
    host.sh("ctr exec box sh -c 'echo $A; pwd; id -u; echo $HOME'").ok().stdout_is("container\n/usr\n0\n/root\n");
    host.sh("MINE=1 ctr exec -e A=exec -e MINE -w /tmp -u 1000:1001 box sh -c 'echo $A $MINE; pwd; id -u; id -g'")
        .ok()
        .stdout_is("exec 1\n/tmp\n1000\n1001\n");
    host.sh("ctr exec -u 1000 box grep CapEff /proc/self/status").ok().stdout_is("CapEff:\t0000000000000000\n");
    host.sh("printf 'B=file\\n' >env; ctr exec --env-file env box sh -c 'echo $B'").ok().stdout_is("file\n");
    host.sh("ctr exec -w relative box true").fails(125);
    host.sh("ctr exec -w /nowhere-yet box pwd").fails(127).stderr_has("/nowhere-yet");
    host.sh("ctr exec box ls -d /nowhere-yet").exits(1);
    end(&host);
}

fn it_is_listed_while_it_runs() {
    let host = running("");
    let run = host.cmd("ctr", &["exec", "box", "sleep", "5101"]).spawn();
    let pid = host.process("sleep 5101");
    let text = host.sh("cat $CTR_RUN/containers/*/exec/*.json").ok().text();
    let entry: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(entry["pid"], pid);
    assert_eq!(entry["args"], json!(["sleep", "5101"]));
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    run.wait().exits(143);
    host.sh("ls $CTR_RUN/containers/*/exec").ok().stdout_is("");
    end(&host);
}

fn its_client_gone_it_hangs_up() {
    let host = running("");
    let run = host.cmd("ns-enter", &["box", "sleep", "5102"]).spawn();
    let pid = host.process("sleep 5102");
    nix::sys::signal::kill(Pid::from_raw(run.pid()), Signal::SIGKILL).unwrap();
    let start = Instant::now();
    while processes::alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(20), "it goes on");
        thread::sleep(Duration::from_millis(20));
    }
    drop(run);
    // Signals to the client are the command's.
    let run = host.cmd("ns-enter", &["box", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.51; done"]).spawn();
    host.process("sleep 0.51");
    run.signal(Signal::SIGTERM);
    run.wait().exits(9);
    end(&host);
}

fn detached_it_stays() {
    let host = running("");
    host.sh("ctr exec -d box sleep 5103").ok().stdout_is("");
    let pid = host.process("sleep 5103");
    thread::sleep(Duration::from_millis(300));
    assert!(processes::alive(pid));
    // It has no stream of the host's.
    for fd in 0..3 {
        let device = |path: &str| std::os::linux::fs::MetadataExt::st_dev(&fs::metadata(path).unwrap());
        assert_ne!(device(&format!("/proc/{pid}/fd/{fd}")), device("/dev/null"), "the host's null device");
    }
    host.sh("ctr exec -d box nothing").fails(127);
    end(&host);
    assert!(!processes::alive(pid));
}

fn where_nothing_runs() {
    let host = Host::new();
    host.load("busybox");
    host.sh("ctr exec absent true").fails(1).stderr_has("absent");
    host.sh("ctr run --name over busybox true").ok();
    host.sh("ctr exec over true").fails(1).stderr_is("ns-enter: container over is not running");
    host.sh("ctr rm over").ok();
    host.assert_clean();
}

/// CVE-2019-5736: a command that is `/proc/self/exe`, or a script for it, meets no file of the host's.
fn the_tool_cannot_be_overwritten() {
    let host = running("");
    let sum = || {
        host.sh(
            "cd $(dirname $(command -v ns-enter)); sha256sum ns-enter ns-spawn ctr-init; stat -c %a ns-enter ctr-init",
        )
        .ok()
        .text()
    };
    let before = sum();
    host.sh("ctr exec box sh -c 'printf \"#!/proc/self/exe\\n\" >/s; chmod +x /s; ln -s /proc/self/exe /l'").ok();
    for command in ["/s", "/l", "/proc/self/exe", "sh -c 'chmod 4777 /proc/$$/exe'"] {
        host.sh(&format!(
            "ctr exec box {command}; ctr exec box sh -c 'chmod 4777 /proc/self/exe; echo x >/proc/1/exe'"
        ))
        .run_whatever();
    }
    assert_eq!(sum(), before);
    end(&host);
}

trait Whatever {
    /// What it does is looked at from outside.
    fn run_whatever(self);
}

impl Whatever for Ran {
    fn run_whatever(self) {
        assert!(self.status < 255);
    }
}

fn no_descriptor_leaks_in() {
    let host = running("");
    // 3 is ls's own, for the directory.
    host.sh("exec 7</etc/passwd 8>/dev/null; ctr exec box ls /proc/self/fd").ok().stdout_is("0\n1\n2\n3\n");
    end(&host);
}
