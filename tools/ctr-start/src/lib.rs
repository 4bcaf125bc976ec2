//! Starts containers that were created or have ended: what their documents say is made again, step by step.

use clap::Args;
use ctr_core::{Code, Error, Policy, Result, State, Supervise, container, each, print_line, steps, trace};

/// The tool's name.
pub const NAME: &str = "ctr-start";
/// The first line of its help.
pub const ABOUT: &str = "Start containers that were created or have ended";

/// The arguments of ctr-start(1).
#[derive(Args, Debug)]
pub struct CtrStart {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required_unless_present = "boot")]
    containers: Vec<String>,
    /// Start those whose restart policy wants them running after a reboot
    #[arg(long, conflicts_with = "containers")]
    boot: bool,
    /// Keep back what they write until somebody attaches
    #[arg(long, conflicts_with = "boot")]
    hold: bool,
    /// For ctr-supervise: count it as a restart, and do nothing for a container that was stopped meanwhile
    #[arg(long)]
    again: bool,
}

/// Starts each container and prints its name as it was given; one that runs is left as it is.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrStart) -> Result<()> {
    if args.boot {
        let ids = container::ids()?;
        return each(&ids, |id| {
            if !wanted_after_boot(id)? {
                return Ok(());
            }
            container::unhalt(id)?;
            start(id, id, true, false)
        });
    }
    each(&args.containers, |word| {
        let id = container::find(word)?;
        if args.again {
            // Until now its state was `restarting`, and this process its supervisor.
            container::forget_state(&id)?;
            return if container::is_halted(&id) { Ok(()) } else { start(word, &id, true, false) };
        }
        start(word, &id, false, args.hold)?;
        print_line(&word)
    })
}

fn start(word: &str, id: &str, again: bool, hold: bool) -> Result<()> {
    if let Some(state) = live(word, id)? {
        return match state.status.as_str() {
            "paused" => {
                Err(Error::new(Code::Invalid, format!("cannot start container {word}: it is paused"))
                    .hint("ctr unpause"))
            }
            _ => Ok(()),
        };
    }
    let _lock = container::hold_limits(id)?;
    let mut doc = container::recorded(id)?;
    if doc.is_partial() {
        return Err(
            Error::new(Code::Invalid, format!("cannot start container {word}: it was never made whole")).hint("ctr rm")
        );
    }
    if !container::is_complete(&doc) {
        return Err(Error::new(Code::Invalid, format!("cannot start container {word}: it has no command yet"))
            .hint("ns-spawn --create completes it"));
    }
    if !again {
        container::unhalt(id)?;
    }
    let before = container::last_exit(id)?.filter(|_| again).unwrap_or_default();
    let wanted = State {
        status: "running".to_owned(),
        restart_count: before.restart_count,
        restart_delay: before.restart_delay,
        ..State::default()
    };
    doc.set("state", &wanted)?;
    if hold {
        let supervise: Supervise = doc.section("supervise")?.unwrap_or_default();
        doc.set("supervise", &Supervise { hold, ..supervise })?;
    }
    steps::repair_all(&doc).map_err(|e| {
        if container::live_state(id).is_ok_and(|state| state.is_none()) {
            // One that does not run holds no port.
            ctr_net::free_ports(id).unwrap_or_else(|e| trace::warn(&e.to_string()));
        }
        Error { message: format!("cannot start container {word}: {}", e.message), ..e }
    })
}

/// The state of a container that runs; of one whose end is just being recorded there is none, once it is.
fn live(word: &str, id: &str) -> Result<Option<State>> {
    loop {
        match container::live_state(id)? {
            Some(state) if state.pid.is_some() && !container::is_alive(&state) => {
                if !ctr_lifecycle::await_end(id, &state, ctr_lifecycle::keeper(id, &state)?.as_ref())? {
                    let message =
                        format!("cannot start container {word}: its process has ended, its supervisor has not");
                    return Err(Error::new(Code::Busy, message));
                }
            }
            other => return Ok(other),
        }
    }
}

/// docker's rules: `always` even if it was stopped by hand, `unless-stopped` if it was not, `on-failure` if it ran.
fn wanted_after_boot(id: &str) -> Result<bool> {
    if container::live_state(id)?.is_some() {
        return Ok(false);
    }
    let doc = container::recorded(id)?;
    let supervise: Supervise = doc.section("supervise")?.unwrap_or_default();
    let never_ran = doc.section::<State>("state")?.is_none_or(|state| state.status == "created");
    let halted = container::is_halted(id);
    Ok(!never_ran
        && match supervise.restart.policy {
            Policy::No => false,
            Policy::Always => true,
            Policy::UnlessStopped => !halted,
            Policy::OnFailure => !halted && container::last_exit(id)?.is_none_or(|exit| exit.exit_code != Some(0)),
        })
}
