//! `cg-limit -- COMMAND`: a command of the host in groups of its own, which end with it.

use crate::{CgLimit, set};
use ctr_cgroup::{Groups, path_of, sys::spawn_in};
use ctr_core::{Cannot, Error, Map, Result, Rollback, container, json, trace};
use nix::{
    sys::{
        signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};
use std::{
    io::{self, ErrorKind},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus},
};

/// Runs it to its end; gives its exit status. What it leaves in its groups is killed.
pub fn run(args: &CgLimit) -> Result<u8> {
    let mut linux = Map::new();
    let swap_implied = args.fill(&mut linux, false)?;
    let signals = take_signals()?;
    let groups = Groups::at(&path_of(&args.parent()?, &name()))?;
    let mut rollback = Rollback::new();
    set(&mut linux, swap_implied, &groups, &mut rollback)?;
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy()).collect();
    let status = trace::act(
        "run",
        || json!({"command": words}),
        || {
            let child = spawn_in(&mut command, groups.every_door()?).map_err(|e| refused(&words[0], &e))?;
            wait(child, &signals).map(Some)
        },
    )?;
    rollback.disarm();
    if !trace::dry_run() {
        groups.end()?;
    }
    let code = |status: ExitStatus| status.code().unwrap_or(128 + status.signal().unwrap_or_default());
    Ok(status.map_or(0, code) as u8)
}

/// Made of this process, so that gc can tell whether anybody waits for the command.
fn name() -> String {
    let own = Pid::this().as_raw();
    format!("run-{own}-{}", container::process_start(own).unwrap_or_default())
}

/// Whether a group of that name is a command's whose cg-limit is gone.
pub fn is_left(name: &str) -> bool {
    let numbers = name.strip_prefix("run-").and_then(|numbers| numbers.split_once('-'));
    let parsed = numbers.and_then(|(pid, start)| Some((pid.parse::<i32>().ok()?, start.parse::<u64>().ok()?)));
    parsed.is_some_and(|(pid, start)| container::process_start(pid) != Some(start))
}

/// Blocks what would end this process before it has cleaned up.
fn take_signals() -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGCHLD,
    ] {
        set.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).cannot(|| "block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).cannot(|| "open a signal descriptor")
}

/// Waits for its end, and passes on what comes meanwhile. What the terminal sends it has sent to the command too, which
/// is in the same process group.
fn wait(mut child: Child, signals: &SignalFd) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().cannot(|| "wait for the command")? {
            return Ok(status);
        }
        let Some(info) = signals.read_signal().cannot(|| "read a signal")? else { continue };
        // sigaction(2): what the kernel sends has a code above 0.
        let by_a_process = info.ssi_code <= 0;
        if let Ok(signal) = Signal::try_from(info.ssi_signo as i32)
            && by_a_process
        {
            // Not reaped yet: the number is no other's.
            let _ = kill(Pid::from_raw(child.id() as i32), signal);
        }
    }
}

/// The status of a shell for what cannot be executed.
fn refused(program: &str, error: &io::Error) -> Error {
    let status = match error.kind() {
        ErrorKind::NotFound => 127,
        ErrorKind::PermissionDenied => 126,
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => 126,
        _ => 125,
    };
    Error::io(format!("run {program}"), error).exit(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_left_when_its_process_is_gone() {
        assert!(!is_left(&name()));
        assert!(is_left(&format!("{}1", name())), "another of the same number");
        for other in ["", "run-", "run-x-1", "run-1", "web"] {
            assert!(!is_left(other), "{other}");
        }
    }
}
