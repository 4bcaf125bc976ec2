//! Running a command with a time limit: when it is over, its process group is killed and the test fails.

use crate::{Net, Ran};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a command may take unless told otherwise.
const LIMIT: Duration = Duration::from_mins(2);

/// A command that is not started yet.
pub struct Cmd {
    command: Command,
    stdin: Vec<u8>,
    open_stdin: bool,
    limit: Duration,
}

impl Cmd {
    /// `program` with an empty environment but for `PATH`, nothing on stdin.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear().env("LANG", "C.UTF-8").env("PATH", crate::suite::system_path());
        Self { command, stdin: Vec::new(), open_stdin: false, limit: LIMIT }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: &[S]) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Gives it `bytes` on stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Keeps its stdin open and silent until it ends, instead of at end of file.
    #[must_use]
    pub fn stdin_open(mut self) -> Self {
        self.open_stdin = true;
        self
    }

    /// Sets the time limit in seconds.
    #[must_use]
    pub fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Runs it in the network namespace `net`.
    #[must_use]
    pub fn net(mut self, net: &Net) -> Self {
        net.apply(&mut self.command);
        self
    }

    /// The command underneath, for what this type does not know.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// The command, for a terminal.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Starts it without waiting; [`Running::wait`] takes what it wrote, dropping kills its process group.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        let shown = show(&self.command);
        self.command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = self.command.spawn().unwrap_or_else(|e| panic!("cannot run {shown}: {e}"));
        let stdout = reader(child.stdout.take().unwrap());
        let stderr = reader(child.stderr.take().unwrap());
        let mut pipe = child.stdin.take();
        let bytes = self.stdin;
        let keep = if self.open_stdin { pipe.take() } else { None };
        thread::spawn(move || {
            // A command need not read what it is given.
            pipe.map(|mut pipe| pipe.write_all(&bytes))
        });
        Running { child, shown, start, limit: self.limit, stdout, stderr, _stdin: keep, ended: None }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Ran {
        self.spawn().wait()
    }
}

/// A command that runs.
pub struct Running {
    child: Child,
    shown: String,
    start: Instant,
    limit: Duration,
    stdout: mpsc::Receiver<Vec<u8>>,
    stderr: mpsc::Receiver<Vec<u8>>,
    _stdin: Option<std::process::ChildStdin>,
    ended: Option<ExitStatus>,
}

impl Running {
    /// The process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&self, signal: Signal) {
        let _ = nix::sys::signal::kill(Pid::from_raw(self.pid()), signal);
    }

    /// Sends `signal` to its whole process group, as a terminal's Ctrl-C does.
    pub fn signal_all(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.pid()), signal);
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.ended = self.ended.or(self.child.try_wait().unwrap());
        self.ended.is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When the time limit is over, or when it ended but left a process that holds its output.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        while self.runs() {
            if self.start.elapsed() > self.limit {
                let so_far = self.so_far();
                panic!("no end after {:?}: {}{so_far}", self.limit, self.shown);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let took = self.start.elapsed();
        let held = |what| panic!("ended, but a process of it still holds {what}: {}", self.shown);
        let stdout = self.stdout.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| held("stdout"));
        let stderr = self.stderr.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| held("stderr"));
        let status = self.ended.map(status_of).unwrap();
        Ran { command: self.shown.clone(), stdout, stderr, status, took }
    }

    /// Kills it and gives what it had written.
    fn so_far(&self) -> String {
        self.signal_all(Signal::SIGKILL);
        let get = |r: &mpsc::Receiver<Vec<u8>>| r.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        let (out, err) = (get(&self.stdout), get(&self.stderr));
        format!("\n  stdout: {}\n  stderr: {}", String::from_utf8_lossy(&out), String::from_utf8_lossy(&err))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal_all(Signal::SIGKILL);
        if self.ended.is_none() {
            let _ = self.child.wait();
        }
    }
}

/// The exit status as a shell shows it.
pub(crate) fn status_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn reader(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    receive
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
