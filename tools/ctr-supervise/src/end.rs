//! After the end of the process: what is recorded, and what comes then.

use crate::watch::Ended;
use ctr_attach_protocol::Packet;
use ctr_core::{Cannot, Policy, Process, Result, State, Supervise, container, events, json, steps, trace};
use jiff::Timestamp;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    os::{fd::AsFd, unix::process::CommandExt},
    process::Command,
    time::{Duration, Instant},
};

/// docker's back-off: the wait before a restart doubles from the first to the last of these, and begins anew after a
/// run that was not short.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_mins(1);
const SHORT_RUN: Duration = Duration::from_secs(10);

/// Records the end, then removes the container, starts it again, or leaves it.
pub fn end(ended: Ended) -> Result<()> {
    let Ended { id, code, oom_killed, lost, signals, lock, mut clients } = ended;
    // Removed by another while it ran: there is nothing to record any more.
    let Ok(doc) = container::recorded(&id) else { return container::forget_state(&id) };
    let supervise: Supervise = doc.section("supervise")?.unwrap_or_default();
    let ran = container::last_state(&id)?.unwrap_or_default();

    let mut state = State {
        status: "stopped".to_owned(),
        exit_code: Some(code),
        oom_killed,
        log_lost: Some(lost).filter(|lost| *lost > 0),
        started_at: ran.started_at,
        finished_at: Some(Timestamp::now().to_string()),
        restart_count: ran.restart_count,
        restart_delay: ran.restart_delay,
        health: ran.health,
        ..State::default()
    };
    let wait = again(&id, &supervise, &mut state);
    if !supervise.remove {
        ctr_net::close_ports(&id).unwrap_or_else(|e| trace::warn(&e.to_string()));
    }
    // A full disk must not keep what is to be done now from being done.
    let noted = match container::save_exit(&id, &state, !container::is_volatile(&doc)) {
        Ok(()) => container::forget_state(&id),
        Err(e) => {
            trace::warn(&e.to_string());
            container::save_state(&id, &state)
        }
    };
    noted.unwrap_or_else(|e| trace::warn(&e.to_string()));
    events::emit("die", &doc, &json!({"exitCode": code}));
    // Who attached and hears of the end finds it recorded.
    clients.tell(&Packet::Ended(code));
    drop(clients);

    if supervise.remove {
        drop(lock);
        for e in steps::undo_all(&doc, &[]) {
            trace::warn(&e.to_string());
        }
        return Ok(());
    }
    let Some(wait) = wait else { return Ok(()) };
    if !wait_for_turn(&id, &signals, state, wait)? {
        return container::forget_state(&id);
    }
    drop(lock);
    start_again(&id)
}

/// Whether it is started again, and how long that waits; counts it in `state`.
fn again(id: &str, supervise: &Supervise, state: &mut State) -> Option<Duration> {
    let count = state.restart_count.unwrap_or(0);
    let restart = supervise.restart;
    let wanted = match restart.policy {
        Policy::No => false,
        Policy::OnFailure => state.exit_code != Some(0) && restart.max.is_none_or(|max| count < max),
        Policy::Always | Policy::UnlessStopped => true,
    };
    if !wanted || container::is_halted(id) {
        return None;
    }
    let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
    let long = match (time(&state.started_at), time(&state.finished_at)) {
        (Some(start), Some(end)) => end.duration_since(start).unsigned_abs() >= SHORT_RUN,
        _ => false,
    };
    let before = state.restart_delay.map(Duration::from_millis).filter(|_| !long);
    let wait = before.map_or(FIRST_WAIT, |wait| (wait * 2).min(LAST_WAIT));
    state.restart_count = Some(count + 1);
    state.restart_delay = Some(wait.as_millis() as u64);
    Some(wait)
}

/// Waits; gives whether it is still to be started: a signal, or a stop meanwhile, says no.
fn wait_for_turn(id: &str, signals: &SignalFd, state: State, wait: Duration) -> Result<bool> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let supervisor = container::process_start(own).map(|pid_start| Process { pid: own, pid_start });
    container::save_state(id, &State { status: "restarting".to_owned(), supervisor, ..state })?;
    let end = Instant::now() + wait;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        let _ = poll(&mut [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)], timeout.as_ref());
        while let Some(info) = signals.read_signal().cannot(|| "read a signal")? {
            if matches!(info.ssi_signo as i32, libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT) {
                return Ok(false);
            }
        }
        if container::is_halted(id) || !container::dir(id).exists() {
            return Ok(false);
        }
        if left.is_zero() {
            return Ok(true);
        }
    }
}

/// By the way of every start; this process becomes the tool that does it.
fn start_again(id: &str) -> Result<()> {
    let program = steps::sibling("ctr-start");
    let error = Command::new(&program).args(["--again", id]).exec();
    container::forget_state(id)?;
    Err(error).cannot(|| format!("run {}", program.display()))
}
