//! Containers with logs that the tests write themselves, as the supervisor does.

use ctr_core::LogLimits;
use ctr_log::Writer;
use ctr_tests::{Host, command::Running};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// A host with a container `x` that ran `true` in the foreground.
pub fn with_container() -> Host {
    let host = Host::new();
    host.load("busybox");
    host.sh("ctr run --name x busybox true").ok();
    host
}

/// The directory of container `name`.
pub fn dir(host: &Host, name: &str) -> PathBuf {
    host.root().join("containers").join(fs::read_link(host.root().join("names").join(name)).unwrap())
}

/// Writes the log of container `x`.
pub fn log(host: &Host, max_size: u64, max_file: u32) -> Writer {
    log_at(&dir(host, "x").join("log"), max_size, max_file)
}

pub fn log_at(path: &Path, max_size: u64, max_file: u32) -> Writer {
    Writer::open(path, LogLimits { max_size, max_file }).unwrap()
}

/// Runs `sleep SECONDS` in container `x` until this is ended or dropped.
pub struct Sleeper {
    run: Running,
    pid: i32,
}

impl Sleeper {
    pub fn start(host: &Host, seconds: u32) -> Self {
        host.load("busybox");
        let line = format!("sleep {seconds}");
        let run = host.sh_cmd(&format!("exec ctr run --name x busybox {line}")).spawn();
        let pid = host.process(&line);
        wait_for(|| !host.sh("find $CTR_RUN/containers -name state.json").text().is_empty());
        Self { run, pid }
    }

    pub fn end(self) {
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).unwrap();
        self.run.wait().exits(137);
    }
}

pub fn wait_for(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_mins(1), "it does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the file `name` says `text`.
pub fn says(host: &Host, name: &str, text: &str) {
    wait_for(|| fs::read_to_string(host.dir().join(name)).is_ok_and(|said| said == text));
}
