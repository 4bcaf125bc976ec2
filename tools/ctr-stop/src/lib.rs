//! Stops containers: the stop signal, and after a time KILL; all of them at once.

mod deaf;
mod stopping;

use clap::Args;
use ctr_core::{Result, container, each, print_line, trace};
use stopping::Stopping;

/// The tool's name.
pub const NAME: &str = "ctr-stop";
/// The first line of its help.
pub const ABOUT: &str = "Stop containers";

/// The arguments of ctr-stop(1).
#[derive(Args, Debug)]
pub struct CtrStop {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Send this signal instead of the container's stop signal
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// Kill a container that has not ended after so many seconds; -1: never
    #[arg(short, long, alias = "time", value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<i64>,
}

/// Stops all containers at once, then prints the name of each as it was given.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrStop) -> Result<()> {
    let signal = args.signal.as_deref().map(container::parse_signal).transpose()?;
    let mut stopping = Vec::new();
    let mut result = each(&args.containers, |word| {
        stopping.push(Stopping::begin(word, signal, args.timeout)?);
        Ok(())
    });
    stopping::await_all(&mut stopping)?;
    for stopped in stopping {
        let word = stopped.word;
        let ended = stopped.finish().and_then(|()| print_line(&word));
        if let Err(e) = ended
            && let Err(earlier) = std::mem::replace(&mut result, Err(e))
        {
            trace::warn(&earlier.to_string());
        }
    }
    result
}
