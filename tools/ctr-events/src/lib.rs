//! Prints what happens to containers, images, networks and volumes, one JSON line each.

mod filter;

use clap::Args;
use ctr_core::{Result, Value, files, paths, print_line, trace};
use ctr_log::{Reader, Series, Woken, parse_time};
use filter::Filters;
use jiff::Timestamp;
use std::{process, time::Duration};

/// The tool's name.
pub const NAME: &str = "ctr-events";
/// The first line of its help.
pub const ABOUT: &str = "Print what happens to containers, images, networks and volumes as JSON lines";

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;

/// The arguments of ctr-events(1).
#[derive(Args, Debug)]
pub struct CtrEvents {
    /// Also what happened since T: a date, seconds since 1970, or how long ago, as 1h30m
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    since: Option<String>,
    /// End with what happened until T
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only events that match: container=NAME, event=ACTION, image=REFERENCE, label=KEY[=VALUE], network=NAME,
    /// type=TYPE, volume=NAME
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
}

/// Prints the events that are asked for, as they come, until the time that is asked for, or for ever.
///
/// # Errors
/// `usage` for a time or a filter that is none.
pub fn run(args: CtrEvents) -> Result<()> {
    let now = Timestamp::now();
    let time = |text: &Option<String>| text.as_deref().map(|text| parse_time(text, now)).transpose();
    let (since, until) = (time(&args.since)?, time(&args.until)?);
    let filters = Filters::parse(&args.filters)?;
    files::make_dir(paths::run())?;
    let mut reader = Reader::follow(Series::events())?;
    reader.rewind(|line| since.is_some_and(|since| time_of(&parse(line)).is_none_or(|time| time >= since)))?;
    let mut missed = 0;
    loop {
        // Asked before the last read: what happens until then is then read.
        let over = until.is_some_and(|until| Timestamp::now() > until);
        reader.read(|line| {
            let event = parse(line);
            let time = time_of(&event);
            let early = since.zip(time).is_some_and(|(since, time)| time < since);
            let late = until.zip(time).is_some_and(|(until, time)| time > until);
            if !early && !late && filters.match_all(&event) {
                print_line(&String::from_utf8_lossy(line))?;
            }
            Ok(true)
        })?;
        if reader.missed() > missed {
            missed = reader.missed();
            trace::warn(&format!("{missed} files of events were dropped before they were read"));
        }
        if over {
            return Ok(());
        }
        let left = until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
        if reader.wait(None, left)? == Woken::Unread {
            process::exit(BROKEN_PIPE);
        }
    }
}

/// An event; null where the line is none.
fn parse(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap_or_default()
}

fn time_of(event: &Value) -> Option<Timestamp> {
    event.get("time")?.as_str()?.parse().ok()
}
