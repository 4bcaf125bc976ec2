//! `ctr-plan`: docker's command line in, a line of POSIX shell out: the pipe that does it.
//!
//! The plan is a function of the words alone. It reads no store and starts nothing; what it prints is what
//! `ctr` runs, and what `ctr --show` shows.

mod container;
mod disk;
mod flags;
mod help;
mod image;
mod life;
mod limits;
mod machine;
mod network;
mod pipe;
mod quote;
mod run;
#[cfg(test)]
mod tests;
mod update;
mod verbs;
mod volume;

pub use help::{command, tool as tool_command};

use ctr_core::{Code, Error, Result, print_line, trace};
use flags::{Given, usage};
use pipe::Stage;
use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
};
use verbs::{GROUPS, LATER};

/// A line of shell, and what it needs.
#[derive(Debug)]
pub struct Plan {
    /// The line.
    pub line: String,
    /// Whether it wants stdin to be a terminal.
    pub terminal: bool,
}

impl Plan {
    /// A line that needs nothing.
    fn of(line: String) -> Self {
        Self { line, terminal: false }
    }
}

/// Prints the plan for the words of this process's command line.
pub fn main() -> ExitCode {
    // Errors speak of the command that the user typed.
    trace::init("ctr", false, false);
    let mut failed = None;
    let printed = words().and_then(|words| text(&words, &mut failed)).and_then(|text| print_line(&text.trim_end()));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            trace::warn(&e.to_string());
            ExitCode::from(failed.unwrap_or(e.exit))
        }
    }
}

/// What to print. The words of the tool itself come before `--` or before the command; `failed` is the status of
/// the command's failures where it has one of its own.
fn text(words: &[String], failed: &mut Option<u8>) -> Result<String> {
    let (own, words) = match words.iter().position(|w| w == "--" || !w.starts_with('-')) {
        Some(at) => (&words[..at], &words[at + usize::from(words[at] == "--")..]),
        None => (words, &[] as &[String]),
    };
    match own.first().map(String::as_str) {
        None | Some("--show") => {}
        Some("--print-help") => return Ok(help::text(words)),
        Some("--help" | "-h") => return Ok(help::tool().render_help().to_string()),
        Some("--version" | "-V") => return Ok(help::tool().render_version()),
        Some(flag) => return Err(usage(format!("unexpected argument '{flag}'")).hint("see ctr-plan --help")),
    }
    // A command that runs another leaves it the low numbers (ctr-document(5), rule 11).
    *failed = verbs::find(words).filter(|(verb, _)| verb.stop).map(|_| 125);
    let plan = plan(words)?;
    // docker asks only where the terminal is also what the command reads.
    if plan.terminal && own.is_empty() && !io::stdin().is_terminal() {
        return Err(Error::new(Code::Invalid, "stdin is not a terminal").hint("leave out -t"));
    }
    Ok(plan.line)
}

fn words() -> Result<Vec<String>> {
    let word = |word: std::ffi::OsString| {
        word.into_string().map_err(|word| Error::new(Code::Invalid, format!("{} is not UTF-8", word.display())))
    };
    env::args_os().skip(1).map(word).collect()
}

/// The plan for `ctr WORDS…`.
///
/// # Errors
/// `usage` for what docker would not take either, `unsupported` for what is not there yet.
pub fn plan(words: &[String]) -> Result<Plan> {
    let Some(first) = words.first() else { return Ok(help(&[])) };
    match first.as_str() {
        "help" => return Ok(help(&words[1..])),
        "--help" | "-h" => return Ok(help(&[])),
        "--version" | "-v" => return Ok(Plan::of(format!("echo 'ctr version {}'", env!("CARGO_PKG_VERSION")))),
        flag if flag.starts_with('-') => {
            return Err(usage(format!("unknown flag {flag}")).hint("flags come after the command; see ctr help"));
        }
        _ => {}
    }
    let Some((verb, n)) = verbs::find(words) else { return unknown(first, words.get(1)) };
    let (name, args) = words.split_at(n);
    let given = Given::read(&[verb.flags, verb.later], args, verb.stop).map_err(|e| {
        let hint = format!("see ctr {} --help", verb.names[0]);
        if e.code == Code::Usage { e.hint(hint) } else { e }
    })?;
    if given.help { Ok(help(name)) } else { (verb.plan)(&given) }
}

/// Help goes the way of every other command: the wrapper runs what is printed here.
fn help(words: &[String]) -> Plan {
    Plan::of(Stage::new("ctr-plan").words(["--print-help"]).words(words).to_string())
}

fn unknown(first: &str, second: Option<&String>) -> Result<Plan> {
    let group = GROUPS.contains(&first);
    match second {
        None if group => return Ok(help(&[first.to_owned()])),
        Some(word) if group && (word == "--help" || word == "-h") => return Ok(help(&[first.to_owned()])),
        _ => {}
    }
    let later =
        if group { second.is_some_and(|w| LATER.contains(&w.as_str()) || w == "ls") } else { LATER.contains(&first) };
    let name = match second {
        Some(second) if group => format!("{first} {second}"),
        _ => first.to_owned(),
    };
    if later {
        return Err(Error::new(Code::Unsupported, format!("{name}: not there yet")));
    }
    let hint = help::nearest(first, second.filter(|_| group)).map(|near| format!("did you mean {near}?"));
    Err(usage(format!("'{name}' is not a ctr command")).hint(hint.unwrap_or_else(|| "see ctr help".to_owned())))
}
