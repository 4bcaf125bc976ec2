//! Reads what containers use, from the kernel's files: once, or again and again.

mod cpu;
mod io;
mod kernel;
mod memory;
mod net;
mod pids;
mod pressure;
mod reading;
mod subject;
mod wait;
mod wanted;

use clap::Args;
use ctr_core::{Code, Error, Result, print_line};
use jiff::SignedDuration;
use kernel::Kernel;
use reading::{Mark, Reading};
use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};
use wait::Woken;
use wanted::Wanted;

/// The tool's name.
pub const NAME: &str = "cg-stat";
/// The first line of its help.
pub const ABOUT: &str = "Print what containers use, as JSON lines";

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;
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

/// At least a millisecond, or the loop would only look.
fn duration(word: &str) -> Result<Duration, &'static str> {
    let seconds = word.parse().ok().map(Duration::from_secs);
    let parsed = seconds.or_else(|| Duration::try_from(word.parse::<SignedDuration>().ok()?).ok());
    match parsed {
        Some(short) if short < Duration::from_millis(1) => Err("it is less than 1ms"),
        Some(duration) => Ok(duration),
        None => Err("a duration is 1s, 500ms, 1m30s"),
    }
}

/// Prints the readings.
///
/// # Errors
/// `not-found` for what is not there, has no group, or ended while it was read for the first time; `invalid`; `denied`.
pub fn run(args: CgStat) -> Result<()> {
    let mut kernel = Kernel::open()?;
    let mut wanted = Wanted::new(&args)?;
    let mut marks = HashMap::new();
    if let Some(before) = args.prime {
        wanted.look()?;
        read(&mut kernel, &wanted, &mut marks, args.list, true)?;
        if wait::until(&wanted, Instant::now() + before)? == Woken::Unread {
            std::process::exit(BROKEN_PIPE);
        }
    }
    let (mut next, mut count) = (Instant::now(), 0_u64);
    loop {
        let between = wanted.look()?;
        if count > 0 && wanted.is_over() {
            return Ok(());
        }
        if Instant::now() >= next {
            let first = count == 0;
            let text = read(&mut kernel, &wanted, &mut marks, args.list, first)?;
            if !text.is_empty() {
                print_line(&text)?;
            }
            count += 1;
            let Some(interval) = args.interval.filter(|_| args.count != Some(count)) else { return Ok(()) };
            // Those that were slept through are left out.
            let now = Instant::now();
            while next <= now {
                next += interval;
            }
            continue;
        }
        let until = if between { next.min(Instant::now() + GLANCE) } else { next };
        if wait::until(&wanted, until)? == Woken::Unread {
            std::process::exit(BROKEN_PIPE);
        }
    }
}

/// One reading of all that are there: a line each, or one list.
fn read(
    kernel: &mut Kernel,
    wanted: &Wanted,
    marks: &mut HashMap<String, Mark>,
    list: bool,
    first: bool,
) -> Result<String> {
    let mut lines = Vec::new();
    for subject in wanted.subjects() {
        let mut mark = marks.remove(&subject.word);
        let reading = Reading::take(kernel, subject, &mut mark)?;
        marks.extend(mark.map(|mark| (subject.word.clone(), mark)));
        let gone = !reading.has_figures() && subject.group.as_deref().is_some_and(|group| !kernel.has(group));
        if gone && wanted.is_named() {
            if first {
                let why = if subject.process.is_some() { "ended while it was read" } else { "is not there" };
                return Err(Error::new(Code::NotFound, format!("{} {why}", subject.word)));
            }
            continue;
        }
        let line = serde_json::to_string(&reading);
        lines.push(line.map_err(|e| Error::new(Code::Internal, format!("cannot write a reading: {e}")))?);
    }
    Ok(if list { format!("[{}]", lines.join(",")) } else { lines.join("\n") })
}
