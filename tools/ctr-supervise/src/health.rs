//! The health check: a command run in the container now and then, and what is made of its status.

use ctr_core::{Health as Found, HealthCheck, container, events, json, steps};
use jiff::Timestamp;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open},
};
use std::{
    fs,
    io::{PipeReader, Read, pipe},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// So much of what a probe prints is kept (docker's number).
const OUTPUT: usize = 4096;
/// So much at a time, that one who prints without end is stopped by the time-out.
const READS: usize = 16;
/// So many results are kept (docker's number).
const RESULTS: usize = 5;

/// The check of one container.
pub struct Health {
    id: String,
    check: HealthCheck,
    began: Instant,
    next: Instant,
    probe: Option<Probe>,
    found: Found,
}

/// A probe that runs.
struct Probe {
    child: Child,
    pidfd: OwnedFd,
    output: Option<PipeReader>,
    text: Vec<u8>,
    start: Timestamp,
    deadline: Instant,
}

impl Health {
    /// The first probe comes after one interval.
    pub fn new(id: &str, check: HealthCheck) -> Self {
        let now = Instant::now();
        let found = Found { status: "starting".to_owned(), ..Found::default() };
        let mut health = Self { id: id.to_owned(), check, began: now, next: now, probe: None, found };
        health.next = now + health.interval(now);
        health.save();
        health
    }

    /// What is waited for beside the time.
    pub fn waits_for(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let probe = self.probe.as_ref();
        let output = probe.and_then(|p| p.output.as_ref()).map(AsFd::as_fd);
        probe.map(|p| p.pidfd.as_fd()).into_iter().chain(output)
    }

    /// The process of the probe that runs, a child of this one.
    pub fn probe(&self) -> Option<i32> {
        self.probe.as_ref().map(|probe| probe.child.id().cast_signed())
    }

    /// When something is to be done at the latest.
    pub fn due(&self) -> Instant {
        self.probe.as_ref().map_or(self.next, |probe| probe.deadline)
    }

    /// Does what is due.
    pub fn turn(&mut self, now: Instant) {
        let is_paused = || container::last_state(&self.id).is_ok_and(|s| s.is_some_and(|s| s.status == "paused"));
        let due = self.probe.is_some() || now >= self.next;
        if due && is_paused() {
            // Neither well nor ill: nothing of it runs.
            if let Some(mut probe) = self.probe.take() {
                probe.kill();
            }
            self.next = now + self.interval(now);
        } else if let Some(probe) = &mut self.probe {
            probe.read();
            if let Some(code) = probe.ended(now) {
                self.judge(now, code);
            }
        } else if now >= self.next {
            self.probe = Probe::start(&self.id, &self.check, now);
            if self.probe.is_none() {
                self.next = now + self.interval(now);
            }
        }
    }

    fn starting(&self, now: Instant) -> bool {
        now.duration_since(self.began) < Duration::from_nanos(self.check.start_period)
    }

    fn interval(&self, now: Instant) -> Duration {
        let soon = self.starting(now) && self.found.status == "starting";
        let nanos = if soon { self.check.start_interval } else { self.check.interval };
        Duration::from_nanos(nanos).max(Duration::from_millis(1))
    }

    /// docker's rule: a success is health at once; failures count once the start period is over, or after a success.
    fn judge(&mut self, now: Instant, code: i32) {
        let Some(probe) = self.probe.take() else { return };
        let result = json!({
            "start": probe.start.to_string(), "end": Timestamp::now().to_string(),
            "exitCode": code, "output": String::from_utf8_lossy(&probe.text),
        });
        self.found.log.push(result);
        if self.found.log.len() > RESULTS {
            self.found.log.remove(0);
        }
        let before = self.found.status.clone();
        if code == 0 {
            self.found.failing_streak = 0;
            "healthy".clone_into(&mut self.found.status);
        } else if before != "starting" || !self.starting(now) {
            self.found.failing_streak += 1;
            if self.found.failing_streak >= self.check.retries {
                "unhealthy".clone_into(&mut self.found.status);
            }
        }
        self.save();
        if self.found.status != before
            && let Ok(doc) = container::recorded(&self.id)
        {
            events::emit(&format!("health_status: {}", self.found.status), &doc, &json!({}));
        }
        self.next = now + self.interval(now);
    }

    /// Best effort: a state that cannot be written is what it was.
    fn save(&self) {
        let _ = container::update_state(&self.id, |state| state.health = Some(self.found.clone()));
    }
}

impl Probe {
    fn start(id: &str, check: &HealthCheck, now: Instant) -> Option<Self> {
        let words = match check.test.split_first() {
            Some((kind, rest)) if kind == "CMD-SHELL" => [&["/bin/sh".to_owned(), "-c".to_owned()], rest].concat(),
            Some((_, rest)) => rest.to_vec(),
            None => return None,
        };
        // One pipe for what the probe prints, and for what ns-enter says where it could not run.
        let (output, writer) = pipe().ok()?;
        let mut command = Command::new(steps::sibling("ns-enter"));
        command.args([id, "--"]).args(words).stdin(Stdio::null()).stdout(writer.try_clone().ok()?).stderr(writer);
        let mut child = command.spawn().ok()?;
        drop(command);
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let Ok(pidfd) = pidfd else {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        };
        let _ = rustix::io::ioctl_fionbio(&output, true);
        let deadline = now + Duration::from_nanos(check.timeout);
        Some(Self { child, pidfd, output: Some(output), text: Vec::new(), start: Timestamp::now(), deadline })
    }

    /// Reads what is there; beyond what is kept it is thrown away.
    fn read(&mut self) {
        let mut piece = [0; OUTPUT];
        for _ in 0..READS {
            let Some(output) = &mut self.output else { return };
            match output.read(&mut piece) {
                Ok(0) => self.output = None,
                Ok(n) => {
                    let room = OUTPUT - self.text.len();
                    self.text.extend_from_slice(&piece[..n.min(room)]);
                }
                Err(e) if e.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => return,
                Err(_) => self.output = None,
            }
        }
    }

    /// Its exit status once it has ended, or was ended because it took too long (docker says -1 then).
    fn ended(&mut self, now: Instant) -> Option<i32> {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.read();
            return Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        }
        if now < self.deadline {
            return None;
        }
        self.kill();
        self.text = b"the health check took too long".to_vec();
        Some(-1)
    }

    /// The command first, with all that it started: it leads a session, so a process group, of its own.
    fn kill(&mut self) {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for leader in children.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            // A child of a process that is not reaped: the number is no other's.
            let _ = kill_process_group(leader, Signal::KILL);
            let _ = kill_process(leader, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.kill();
        }
    }
}
