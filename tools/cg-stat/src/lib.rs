//! Reads what containers use, from the kernel's files: once, or again and again.

mod cpu;
mod io;
mod kernel;
mod memory;
mod net;
mod pids;
mod pressure;
mod reading;
mod series;
mod subject;
mod wanted;

use clap::Args;
use ctr_core::{Code, Error, Result, print_line};
use jiff::SignedDuration;
use series::Series;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use wanted::Wanted;

/// The tool's name.
pub const NAME: &str = "cg-stat";
/// The first line of its help.
pub const ABOUT: &str = "Print what containers use, as JSON lines";

/// Between looks at a container that may be started again.
const GLANCE: Duration = Duration::from_millis(50);

/// The arguments of cg-stat(1).
#[derive(Args, Debug)]
pub struct CgStat {
    /// Names, ids or beginnings of ids that no other container has [default: what the document on stdin names]
    #[arg(value_name = "CONTAINER", conflicts_with_all = ["file", "running", "all"])]
    containers: Vec<String>,
    /// Read the document from FILE instead of stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["paths", "running", "all"])]
    file: Option<PathBuf>,
    /// The control group at PATH in every hierarchy; may be given more than once
    #[arg(long = "path", value_name = "PATH", conflicts_with_all = ["running", "all"])]
    paths: Vec<PathBuf>,
    /// Every container that runs
    #[arg(long, conflicts_with = "all")]
    running: bool,
    /// Every container; of those that do not run there are no figures
    #[arg(short, long)]
    all: bool,
    /// Again after each DURATION, until all have ended: 1s, 500ms, 1m30s, or a number of seconds
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    interval: Option<Duration>,
    /// With --interval: end after N readings
    #[arg(long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Take a reading so long before the first one and do not print it: so that has percentages too
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    prime: Option<Duration>,
    /// Print each reading as one list, also where it is empty
    #[arg(long)]
    list: bool,
}

/// The longest interval: a year. Times are added to the clock's, which has an end.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// At least a millisecond, or the loop would only look.
fn duration(word: &str) -> Result<Duration, &'static str> {
    let seconds = word.parse().ok().map(Duration::from_secs);
    let parsed = seconds.or_else(|| Duration::try_from(word.parse::<SignedDuration>().ok()?).ok());
    match parsed {
        Some(short) if short < Duration::from_millis(1) => Err("it is less than 1ms"),
        Some(long) if long > LONGEST => Err("it is more than a year"),
        Some(duration) => Ok(duration),
        None => Err("a duration is 1s, 500ms, 1m30s"),
    }
}

/// Prints the readings.
///
/// # Errors
/// `not-found` for what is not there, has no group, or ended before it could be read; `invalid`; `denied`.
pub fn run(args: CgStat) -> Result<()> {
    let mut series = Series::new(Wanted::new(&args)?, args.list)?;
    let mut between = series.wanted.look()?;
    if let Some(time) = args.prime {
        series.read()?;
        series.wait(Instant::now() + time)?;
        between = series.wanted.look()?;
        if series.wanted.is_over() {
            return Err(Error::new(Code::NotFound, "there is nothing to read: what was named has ended"));
        }
    }
    let (mut next, mut count) = (Instant::now(), 0_u64);
    while count == 0 || !series.wanted.is_over() {
        if Instant::now() >= next {
            let text = series.read()?;
            if !text.is_empty() {
                print_line(&text)?;
            }
            count += 1;
            let Some(interval) = args.interval.filter(|_| args.count != Some(count)) else { break };
            // Those that were slept through are left out.
            let now = Instant::now();
            while next <= now {
                next += interval;
            }
        }
        series.wait(if between { next.min(Instant::now() + GLANCE) } else { next })?;
        between = series.wanted.look()?;
    }
    Ok(())
}
