//! Prints what a container wrote, as its log has it, and goes on while it writes.

mod keeper;
mod output;
mod wanted;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ctr_core::{Code, Error, Result, Supervise, container, trace};
use ctr_log::{Reader, Record, Series, Stream, Woken};
use output::Output;
use std::process;
use wanted::{Verdict, Wanted};

/// The tool's name.
pub const NAME: &str = "ctr-logs";
/// The first line of its help.
pub const ABOUT: &str = "Print what a container wrote";

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;

/// The arguments of ctr-logs(1).
#[derive(Args, Debug)]
pub struct CtrLogs {
    /// Name, id or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Go on while the container runs
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines of what would be printed, or `all`
    #[arg(short = 'n', long, value_name = "N", default_value = "all", value_parser = lines)]
    tail: Lines,
    /// Only what it wrote since T: a date, seconds since 1970, or how long ago, as 1h30m
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only what it wrote until T
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    until: Option<String>,
    /// Before each line the time when it was written
    #[arg(short, long)]
    timestamps: bool,
    /// Only what it wrote to this one
    #[arg(long, value_name = "STREAM", value_parser = streams())]
    stream: Option<Stream>,
    /// Refused: there are no further details
    #[arg(long)]
    details: bool,
}

/// How many lines from the end; `None` for all. Not written out, for clap would take the option for its own.
type Lines = Option<u64>;

fn lines(word: &str) -> Result<Lines, &'static str> {
    match word {
        "all" => Ok(None),
        number => number.parse().map(Some).map_err(|_| "a number or \"all\" is expected"),
    }
}

fn streams() -> impl TypedValueParser<Value = Stream> {
    PossibleValuesParser::new(["stdout", "stderr"])
        .map(|word| if word == "stdout" { Stream::Stdout } else { Stream::Stderr })
}

/// Prints the records that are asked for on stdout and stderr, where the container wrote them.
///
/// # Errors
/// `not-found` for a container without a log.
pub fn run(args: CtrLogs) -> Result<()> {
    if args.details {
        return Err(Error::new(Code::Unsupported, "cannot show details: a log has none"));
    }
    let wanted = Wanted::new(args.stream, args.since.as_deref(), args.until.as_deref())?;
    let id = container::find(&args.container)?;
    let series = Series::log(&id);
    check_log(&args.container, &id, &series)?;
    let mut reader = if args.follow { Reader::follow(series) } else { Reader::open(series) }?;
    rewind(&mut reader, &wanted, args.tail)?;
    let mut output = Output::new(args.timestamps);
    let (mut missed, mut odd) = (0, 0_u64);
    loop {
        // Asked before the last read: what is written until it has ended is then read.
        let keeper = if args.follow { keeper::of(&id)? } else { None };
        let over = wanted.is_over();
        let enough = reader.read(|line| {
            let Some(record) = Record::parse(line) else {
                odd += 1;
                return Ok(true);
            };
            match wanted.judge(&record) {
                Verdict::Wanted => output.record(&record)?,
                Verdict::Late => return Ok(false),
                Verdict::Early | Verdict::Other => {}
            }
            Ok(true)
        })?;
        output.flush()?;
        if reader.missed() > missed {
            missed = reader.missed();
            trace::warn(&format!("{missed} files of the log were dropped before they were read"));
        }
        let Some(keeper) = keeper.filter(|_| !enough && !over) else { break };
        if reader.wait(Some(keeper.fd()), wanted.time_left())? == Woken::Unread {
            process::exit(BROKEN_PIPE);
        }
    }
    if odd > 0 {
        trace::warn(&format!("{odd} lines of the log were left out: they are no records"));
    }
    Ok(())
}

/// Whether the container has a log, or will have one.
fn check_log(word: &str, id: &str, series: &Series) -> Result<()> {
    if series.exists() {
        return Ok(());
    }
    let why = match container::load(id)?.section::<Supervise>("supervise")? {
        None => "kept no log: it ran in the foreground",
        Some(supervise) if supervise.log.max_file == 0 => "keeps no log: it was told to keep none",
        Some(_) => return Ok(()),
    };
    Err(Error::new(Code::NotFound, format!("container {word} {why}")))
}

/// Goes to the first record that may be wanted, from the end.
fn rewind(reader: &mut Reader, wanted: &Wanted, tail: Lines) -> Result<()> {
    if tail.is_none() && !wanted.has_beginning() {
        return Ok(());
    }
    let (mut lines, mut begun) = (0, [false; 2]);
    reader.rewind(|line| {
        let Some(record) = Record::parse(line) else { return true };
        match wanted.judge(&record) {
            Verdict::Early => return false,
            Verdict::Late | Verdict::Other => return true,
            Verdict::Wanted => {}
        }
        // A record without a newline belongs to the line of the one after it in its stream, if there is one.
        let begun = &mut begun[record.stream as usize];
        if record.log.ends_with('\n') || !*begun {
            lines += 1;
        }
        *begun = true;
        tail.is_none_or(|tail| lines <= tail)
    })
}
