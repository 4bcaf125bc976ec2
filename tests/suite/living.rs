//! Containers that live, for the tests of the tools that stop, kill, pause and await them: those of `ctr run`, and
//! stand-ins made of files and of processes of the test's own.

use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// A host with busybox in its store.
pub fn busybox() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

/// `ctr run --name web ARGS busybox sh -c SCRIPT` in the background, once its script says `up`.
///
/// The script says so itself, by making the file /up: from then on its traps are set.
#[track_caller]
pub fn web(host: &Host, args: &[&str], script: &str) -> command::Running {
    named(host, "web", args, script)
}

/// The same with another name.
#[track_caller]
pub fn named(host: &Host, name: &str, args: &[&str], script: &str) -> command::Running {
    let line = [&["run", "--name", name], args, &["busybox", "sh", "-c", script]].concat();
    let run = host.cmd("ctr", &line).spawn();
    until(&format!("{name} is up"), || rootfs(host, name).is_some_and(|root| root.join("up").exists()));
    run
}

/// The id of the container `name`.
pub fn id(host: &Host, name: &str) -> Option<String> {
    let target = fs::read_link(host.root().join("names").join(name)).ok()?;
    Some(target.to_string_lossy().into_owned())
}

/// The root of the container `name`, as the host sees it.
pub fn rootfs(host: &Host, name: &str) -> Option<PathBuf> {
    Some(host.run().join("containers").join(id(host, name)?).join("rootfs"))
}

/// The container `name` as ctr-inspect(1) shows it: its `state`.
#[track_caller]
pub fn state(host: &Host, name: &str) -> Value {
    host.tool("ctr-inspect", &[name]).ok().json()["state"].take()
}

/// The process of the container `name` on the host.
#[track_caller]
pub fn pid(host: &Host, name: &str) -> i32 {
    state(host, name)["pid"].as_i64().unwrap() as i32
}

/// The events of action `action`.
pub fn events(host: &Host, action: &str) -> Vec<Value> {
    let text = fs::read_to_string(host.run().join("events.jsonl")).unwrap_or_default();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["action"] == action).collect()
}

/// Waits until `is` holds.
#[track_caller]
pub fn until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends `signal` to one process.
pub fn kill(pid: i32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// The processes in a control group.
pub fn members(group: &std::path::Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// A container of which there are only the files that the tools read.
pub struct StandIn {
    pub id: String,
    root: PathBuf,
    run: PathBuf,
}

impl StandIn {
    /// Container `name` with the keys of `more` in its record.
    pub fn new(host: &Host, name: &str, more: &Value) -> Self {
        let id: String = name.bytes().map(|b| format!("{b:02x}")).collect();
        let id = format!("{id:0<64}");
        let root = host.root().join("containers").join(&id);
        let run = host.run().join("containers").join(&id);
        for dir in [&root, &run, &host.root().join("names")] {
            fs::create_dir_all(dir).unwrap();
        }
        let mut doc = json!({"ctr": 1, "id": id, "name": name, "created": "2026-11-25T10:00:00Z"});
        doc.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(root.join("document.json"), format!("{doc}\n")).unwrap();
        std::os::unix::fs::symlink(&id, host.root().join("names").join(name)).unwrap();
        Self { id, root, run }
    }

    /// Its directory.
    pub fn dir(&self) -> &PathBuf {
        &self.root
    }

    /// Replaces `state.json`.
    pub fn state(&self, state: &Value) {
        fs::write(self.run.join(".aside"), state.to_string()).unwrap();
        fs::rename(self.run.join(".aside"), self.run.join("state.json")).unwrap();
    }

    /// Its process is `pid`, its supervisor may be another; with the keys of `more`.
    pub fn runs(&self, pid: i32, supervisor: Option<i32>, more: &Value) {
        let mut state = json!({"status": "running", "pid": pid, "pidStart": start(pid)});
        if let Some(supervisor) = supervisor {
            state["supervisor"] = json!({"pid": supervisor, "pidStart": start(supervisor)});
        }
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.state(&state);
    }

    /// Its last process has ended: what a supervisor writes, and takes away.
    pub fn ended(&self, code: u8) {
        fs::write(self.root.join(".aside"), json!({"status": "stopped", "exitCode": code}).to_string()).unwrap();
        fs::rename(self.root.join(".aside"), self.root.join("exit.json")).unwrap();
        let _ = fs::remove_file(self.run.join("state.json"));
    }

    /// Whether the user wants it stopped.
    pub fn is_halted(&self) -> bool {
        self.root.join("halt").exists()
    }
}

/// The start time of a process in clock ticks (proc_pid_stat(5), field 22).
pub fn start(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat[stat.rfind(')').unwrap() + 2..].split(' ').nth(19).unwrap().parse().unwrap()
}
