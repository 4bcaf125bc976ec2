//! The tool's side: the clone, what only it can do for the new process, and the wait for its end.

use super::{
    Exit,
    channel::{Channel, Message},
    child,
    copies::Copies,
    namespaces::write_id_maps,
    plan::Plan,
    signals::{Signals, is_deadly},
    stdio::Stdio,
    watch::{self, Terminal},
};
use crate::sys::{self, Cloned};
use ctr_core::{Cannot, Code, Error, Result, container, json, trace};
use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{DumpableBehavior, Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A process that was started and is our child; dropping it before its end kills it.
pub struct Running {
    /// Its number on the host.
    pub pid: i32,
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
    ended: bool,
}

impl Running {
    /// Lets it live: its descriptor, and our end of its terminal if it has one.
    ///
    /// # Errors
    /// `limit` where this process has no descriptor left.
    pub fn release(mut self) -> Result<(OwnedFd, Option<OwnedFd>)> {
        let pidfd = self.pidfd.try_clone().cannot(|| "duplicate a descriptor")?;
        self.ended = true;
        Ok((pidfd, self.terminal.take()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = container::pidfd_signal(self.pidfd.as_fd(), libc::SIGKILL);
            let _ = watch::reap(self.pidfd.as_fd());
        }
    }
}

/// Starts the container's process and waits for its end.
pub fn run(mut plan: Plan<'_>, copies: Copies, on_start: &mut dyn FnMut(i32) -> Result<()>) -> Result<Exit> {
    let signals = Signals::take()?;
    let Some(mut running) = begin(&mut plan, &signals, on_start)? else { return Ok(Exit { code: 0, signal: None }) };
    let terminal = running.terminal.take().map(|master| Terminal {
        master,
        user: plan.user_tty.as_ref(),
        keys: plan.options.interactive,
    });
    let exit = watch::watch(running.pidfd.as_fd(), &signals, terminal, copies)?;
    running.ended = true;
    if plan.outlives_namespace() {
        container::end_descendants();
    }
    Ok(exit)
}

/// Starts it and returns once the command runs.
pub fn start(mut plan: Plan<'_>, on_start: &mut dyn FnMut(i32) -> Result<()>) -> Result<Option<Running>> {
    begin(&mut plan, &Signals::take()?, on_start)
}

fn begin(
    plan: &mut Plan<'_>,
    signals: &Signals,
    on_start: &mut dyn FnMut(i32) -> Result<()>,
) -> Result<Option<Running>> {
    if plan.outlives_namespace() {
        container::adopt_orphans().cannot(|| "adopt orphans")?;
    }
    hide()?;
    let ends = Channel::pair()?;
    let what = || json!({"namespaces": plan.namespaces.names(), "joinedBefore": plan.namespaces.join_before_clone()});
    let Some((mut running, channel)) = trace::act("clone", what, || clone(plan, ends).map(Some))? else {
        child::describe(plan)?;
        return Ok(None);
    };
    // The process has them: here its ends of pipes would keep these from ending.
    plan.stdio = Stdio::default();
    // And what is mounted there would be kept busy.
    plan.trees.clear();

    if plan.namespaces.makes(Type::User) {
        write_id_maps(running.pid, plan.linux)?;
    }
    if plan.waits_at_first() {
        channel.go().or_else(|e| last_words(&channel, e))?;
    }
    on_start(running.pid)?;
    channel.go().or_else(|e| last_words(&channel, e))?;

    loop {
        if let Some(signal) = wait(&channel, signals)? {
            let message = format!("stopped by signal {signal} before the command ran");
            return Err(Error::new(Code::Io, message).exit(128 + signal as u8));
        }
        match channel.next()? {
            Message::Terminal(fd) => running.terminal = Some(fd),
            Message::Failed(error) => return Err(error),
            Message::End => return Ok(Some(running)),
            Message::Pid(_) => {}
        }
    }
}

/// Hides this process, and with it the one that it clones, up to execve(2): both hold descriptors, memory and environment of
/// the host, and a container with the host's process ids sees them, as does one whose pid namespace is joined. Such a
/// one must not look into the new process once that has no more capabilities than it has itself (CVE-2016-9962).
fn hide() -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).cannot(|| "hide the process")
}

/// The new process is gone already: what it said is the reason, not that we cannot reach it.
fn last_words(channel: &Channel, error: Error) -> Result<()> {
    match channel.next() {
        Ok(Message::Failed(reason)) => Err(reason),
        _ => Err(error),
    }
}

/// Waits for news of the new process; gives a signal that says to stop.
fn wait(channel: &Channel, signals: &Signals) -> Result<Option<i32>> {
    loop {
        let mut fds = [PollFd::new(channel, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            other => other.map(drop).cannot(|| "poll")?,
        }
        let [news, signal] = fds.map(|fd| !fd.revents().is_empty());
        if signal {
            while let Some(signal) = signals.next()? {
                if is_deadly(signal) {
                    return Ok(Some(signal));
                }
            }
        }
        if news {
            return Ok(None);
        }
    }
}

/// Gives the new process and our end of the channel to it. The child drops that end at once, or its parent's death
/// would go unnoticed.
fn clone(plan: &Plan<'_>, (channel, theirs): (Channel, Channel)) -> Result<(Running, Channel)> {
    let group = plan.groups.clone_into()?;
    let group = group.as_ref().map(AsFd::as_fd);
    if plan.namespaces.join_before_clone() {
        return clone_between(plan, channel, theirs, group);
    }
    match sys::clone(plan.namespaces.new | libc::CLONE_PIDFD as u64, group).cannot(|| "start the new process")? {
        Cloned::Child => {
            drop(channel);
            child::start(plan, &theirs)
        }
        Cloned::Parent { pid, pidfd: Some(pidfd) } => {
            Ok((Running { pid, pidfd, terminal: None, ended: false }, channel))
        }
        Cloned::Parent { .. } => Err(Error::new(Code::Internal, "the kernel gave no descriptor of the new process")),
    }
}

/// By a process between, which joins and then clones: the new process is its sibling (`CLONE_PARENT`), our child.
///
/// The one between is in the group from the first, and what it clones is where it is. From a cgroup namespace that it has
/// joined nothing from outside of that can be moved in (kernel, cgroup-v2.rst, `nsdelegate`).
fn clone_between(
    plan: &Plan<'_>,
    channel: Channel,
    theirs: Channel,
    group: Option<BorrowedFd<'_>>,
) -> Result<(Running, Channel)> {
    let between = match sys::clone(0, group).cannot(|| "start a process")? {
        Cloned::Parent { pid, .. } => pid,
        Cloned::Child => {
            drop(channel);
            between(plan, &theirs)
        }
    };
    drop(theirs);
    let news = channel.next();
    if let Some(between) = Pid::from_raw(between) {
        let _ = waitpid(Some(between), WaitOptions::empty());
    }
    match news? {
        Message::Pid(pid) => {
            // Our child, not reaped yet: the number cannot be another's.
            let raw = Pid::from_raw(pid).ok_or_else(|| Error::new(Code::Internal, "the new process has no number"))?;
            let pidfd = pidfd_open(raw, PidfdFlags::empty()).cannot(|| "open the new process")?;
            Ok((Running { pid, pidfd, terminal: None, ended: false }, channel))
        }
        Message::Failed(error) => Err(error),
        _ => Err(Error::new(Code::Internal, "the process between is gone")),
    }
}

fn between(plan: &Plan<'_>, theirs: &Channel) -> ! {
    let cloned = plan.namespaces.join().and_then(|()| {
        sys::clone(plan.namespaces.new | libc::CLONE_PARENT as u64, None).cannot(|| "start the new process")
    });
    match cloned {
        Ok(Cloned::Child) => child::start(plan, theirs),
        Ok(Cloned::Parent { pid, .. }) => drop(theirs.send_pid(pid)),
        Err(e) => theirs.fail(&e),
    }
    sys::exit(0)
}
