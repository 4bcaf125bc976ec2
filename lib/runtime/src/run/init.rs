//! The last program of ours in a container: it executes the command, or with `--init` runs it as its child, passes
//! signals on and reaps.
//!
//! The command is never executed by the tool's own process: an image's command may be a script whose interpreter is
//! `/proc/self/exe`, and would then be the tool's own file, writable from inside (CVE-2019-5736). It is executed from
//! a process that runs `ctr-init` by a read-only mount of its file, attached nowhere: what `/proc/self/exe` leads to can
//! never be written, nor its mode changed. Nor has that process any of the tool's memory, arguments or environment for the
//! container to read. The mount shares the page cache; a sealed copy in memory costs two megabytes a container and is
//! made only where mounting is not allowed.

use super::{channel::Channel, exec::Command, signals};
use crate::sys;
use ctr_core::{Cannot, Error, Result, steps, take_fd, trace};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use rustix::{
    fs::{MemfdFlags, Mode, OFlags, SealFlags},
    io::Errno,
    mount::{MountAttrFlags as Attr, OpenTreeFlags},
    process::{Pid, WaitOptions, wait},
    thread::set_name,
};
use std::{
    env,
    ffi::{CStr, CString, OsStr},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

/// The names it is called by, as argument 0: to stay as the init, or to become the command at once.
const INIT: &CStr = c"ctr-init";
const EXEC: &CStr = c"ctr-exec";

/// `ctr-init`, ready to be executed inside. The number of the descriptor stays clear of 3.
pub fn program() -> Result<OwnedFd> {
    let path = steps::sibling("ctr-init");
    let found = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("find {}", path.display()))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let file = match rustix::mount::open_tree(&found, "", flags) {
        Ok(tree) => {
            let set = Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV;
            sys::mount_setattr(tree.as_fd(), false, set, Attr::MOUNT_ATTR_NOEXEC, 0)
                .cannot(|| "make a read-only mount of the init")?;
            tree
        }
        Err(Errno::PERM) => sealed_copy(&path)?,
        Err(e) => return Err(e).cannot(|| "mount the init"),
    };
    rustix::io::fcntl_dupfd_cloexec(&file, 10).cannot(|| "duplicate a descriptor")
}

fn sealed_copy(path: &Path) -> Result<OwnedFd> {
    let what = || "copy the init into memory";
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).cannot(what)?;
    let copy = rustix::fs::memfd_create(INIT, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).cannot(what)?;
    while rustix::fs::sendfile(&copy, &file, None, 1 << 30).cannot(what)? > 0 {}
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals).cannot(what)?;
    Ok(copy)
}

/// Becomes that program; returns only to say why it could not. The channel to the parent is descriptor 3.
pub fn exec(program: &OwnedFd, init: bool, command: &Command) -> Error {
    let mut argv = vec![CString::from(if init { INIT } else { EXEC }), CString::from(c"--")];
    argv.extend(command.argv.iter().cloned());
    Error::io("run the command", &sys::fexecve(program.as_fd(), &argv, &command.envp))
}

/// To be called first thing in the `main` of `ctr-init`: where this process is the last of ours in a container, it does
/// that job and does not return.
pub fn enter_if_called() {
    let mut args = env::args_os();
    let name = args.next().unwrap_or_default();
    let init = name.as_bytes() == INIT.to_bytes();
    if (!init && name.as_bytes() != EXEC.to_bytes()) || args.next().as_deref() != Some(OsStr::new("--")) {
        return;
    }
    let text = |s: std::ffi::OsString| String::from_utf8_lossy(&s.into_vec()).into_owned();
    let args: Vec<String> = args.map(text).collect();
    let env: Vec<String> = env::vars_os().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
    let Some(channel) = take_fd(3) else {
        trace::warn("ctr-init is run by ns-spawn and ns-enter only");
        sys::exit(125);
    };
    let channel = Channel::from_fd(channel);
    let child = prepare(&args, &env, &channel).and_then(|command| {
        if init {
            return start(&command, &channel);
        }
        // Rust's start of this program has changed the handling of signals once more.
        signals::reset()?;
        Err(command.exec())
    });
    match child {
        Ok(child) => {
            // Its end is the news that the command runs.
            drop(channel);
            release_stdio();
            sys::exit(reap_until(child).unwrap_or(1));
        }
        Err(e) => {
            channel.fail(&e);
            sys::exit(e.exit);
        }
    }
}

fn prepare(args: &[String], env: &[String], channel: &Channel) -> Result<Command> {
    rustix::io::fcntl_setfd(channel.fd(), rustix::io::FdFlags::CLOEXEC).cannot(|| "mark a descriptor")?;
    Command::new(args, env)
}

/// Starts the command as a child; gives its number.
fn start(command: &Command, channel: &Channel) -> Result<i32> {
    let _ = set_name(INIT);
    // Signals wait from here on, so that none is lost between the fork and the loop.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).cannot(|| "block signals")?;
    let child = sys::fork().cannot(|| "start the command")?;
    if child == 0 {
        let error = in_foreground().err().unwrap_or_else(|| command.exec());
        channel.fail(&error);
        sys::exit(error.exit);
    }
    Ok(child)
}

/// A process group of its own that has the terminal: keys that signal reach the command, not its init.
fn in_foreground() -> Result<()> {
    rustix::process::setpgid(None, None).cannot(|| "begin a process group")?;
    let stdin = std::io::stdin();
    if rustix::termios::isatty(&stdin) {
        // SIGTTOU is blocked, so a process of the background may do this.
        let _ = rustix::termios::tcsetpgrp(&stdin, rustix::process::getpgrp());
    }
    signals::reset()
}

/// The streams are the command's alone: what it closes is closed.
fn release_stdio() {
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// Passes signals on and reaps whoever dies, until the command does; the kernel then ends all others in here.
fn reap_until(child: i32) -> Result<u8> {
    let all = SigSet::all();
    loop {
        let signal = all.wait().cannot(|| "wait for a signal")?;
        if signal != Signal::SIGCHLD {
            if signals::is_forwarded(signal as i32) {
                let _ = sys::kill(child, signal as i32);
            }
            continue;
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Pid::from_raw(child) == Some(pid) {
                let code = status.terminating_signal().map_or_else(|| status.exit_status().unwrap_or(1), |s| 128 + s);
                return Ok(code as u8);
            }
        }
    }
}
