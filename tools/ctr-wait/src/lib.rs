//! Waits until something becomes of containers: they end, run, are healthy, answer on a port, say something.

mod condition;
mod ended;
mod exit_code;
mod health;
mod log;
mod port;
mod waiting;

use clap::Args;
use condition::Condition;
use ctr_core::{Result, container, each, print_line};
use ctr_lifecycle::Noted;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// The tool's name.
pub const NAME: &str = "ctr-wait";
/// The first line of its help.
pub const ABOUT: &str = "Wait for containers";

/// The arguments of ctr-wait(1).
#[derive(Args, Debug)]
pub struct CtrWait {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// What is waited for: not-running, exited, next-exit, removed, running, healthy, unhealthy, port:N, log:REGEX
    #[arg(long, value_name = "CONDITION", default_value = "not-running", value_parser = condition::parse)]
    condition: Condition,
    /// Give up after so long: 60s, 1m30s, 500ms, or a number of seconds
    #[arg(long, value_name = "DURATION", value_parser = condition::parse_duration)]
    timeout: Option<Duration>,
}

/// Waits for one container after the other; prints the exit status of each where its end was waited for.
///
/// # Errors
/// The last failure, once all were waited for; the earlier ones are printed.
pub fn run(args: CtrWait) -> Result<()> {
    let until = args.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    each(&args.containers, |word| {
        let id = container::find(word)?;
        let waiting = Waiting::new(word, id, &args.condition, args.timeout, until)?;
        let code = match &args.condition {
            Condition::NotRunning => ended::wait(&waiting, ended::Which::NotRunning)?,
            Condition::Exited => ended::wait(&waiting, ended::Which::Exited)?,
            Condition::NextExit => ended::wait(&waiting, ended::Which::Next)?,
            Condition::Removed => ended::wait_removed(&waiting)?,
            Condition::Running => {
                return waiting.until(|now| {
                    waiting.must_be_there()?;
                    Ok(matches!(now, Noted::Alive(_)).then_some(()))
                });
            }
            Condition::Health(status) => return health::wait(&waiting, status),
            Condition::Port(port) => return port::wait(&waiting, *port),
            Condition::Log(pattern) => return log::wait(&waiting, pattern),
        };
        print_line(&code)
    })
}
