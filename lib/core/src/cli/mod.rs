//! The skeleton of every tool: arguments, the document in, a verb, the document out, the exit status.

mod absent;
mod confirm;
mod input;
mod verbs;

pub use absent::Absent;
pub use confirm::confirm;
pub use input::read_document;

use crate::{Cannot, Code, Document, Error, Failures, Result, trace};
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;

/// The options that every tool of the pipe has.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Read the document from FILE instead of stdin
    #[arg(short = 'f', long = "file", value_name = "FILE", global = true)]
    pub file: Option<PathBuf>,
    /// Print each thing done to the kernel as a JSON line on stderr
    #[arg(long)]
    pub trace: bool,
    /// Print what would be done, and do none of it
    #[arg(long)]
    pub dry_run: bool,
    /// Take away what this tool's steps in the document recorded
    #[arg(long, conflicts_with_all = ["check", "gc"])]
    pub undo: bool,
    /// Compare what the kernel has with what the document says; change nothing
    #[arg(long, conflicts_with = "gc")]
    pub check: bool,
    /// Remove what belongs to no living container
    #[arg(long, conflicts_with = "repair")]
    pub gc: bool,
    /// Make again what the document says and a reboot or another program took away
    #[arg(long, conflicts_with_all = ["undo", "check"])]
    pub repair: bool,
}

/// How an add ended.
pub enum Done {
    /// Save the record and print the document; exit 0.
    Print,
    /// Print the document; exit 0. The tool has saved the record, or the container is gone already.
    Saved,
    /// The tool ran a command, to which stdout belonged: exit with its status.
    Exit(u8),
}

/// A tool of the pipe: its arguments and its four verbs.
pub trait Tool: Args + Sized {
    /// The tool's name, in steps, errors and man page.
    const NAME: &'static str;
    /// The first line of its help.
    const ABOUT: &'static str;
    /// The exit status where the tool itself fails: 1, or 125 for tools that run a command.
    const FAILED: u8 = 1;

    /// The same for this call: a tool may run a command in one of its forms.
    fn failed() -> u8 {
        Self::FAILED
    }

    /// Whether the tool begins a pipe: then stdin is not its own to read unless a document is asked for.
    const BEGINS: bool = false;

    /// Whether the tool stands behind a container's beginning: a signal that would end it waits until what it was given is
    /// passed on or taken back, or nobody would know of that container.
    const PATIENT: bool = false;

    /// Whether the tool adds to a container that others began: then nobody changes or removes it from before it is looked at until
    /// its record has the step, and what was done to it is in the record of whoever removes it.
    const JOINS: bool = false;

    /// Whether this call reads a document.
    fn reads_document(&self) -> bool {
        !Self::BEGINS
    }

    /// A call that is about no document, and all of it: `None` where this is none.
    fn alone(&mut self, _common: &Common) -> Option<Result<()>> {
        None
    }

    /// Acts on an interim document early (`--stream`); the final one holds all it held.
    fn interim(&mut self, _doc: &Document) -> Result<()> {
        Ok(())
    }

    /// Does the tool's one job and writes its section and its step into `doc`.
    fn add(&mut self, doc: &mut Document, common: &Common) -> Result<Done>;

    /// Takes away one step's work by the step's own data. Succeeds where it is gone already.
    /// `doc` is there to lose the sections that went with it.
    fn undo(_doc: &mut Document, _undo: &Value) -> Result<()> {
        Ok(())
    }

    /// Compares the kernel with the document: one error for each thing that differs.
    fn check(doc: &Document) -> Result<Vec<Error>>;

    /// Makes again what the document says is there and is not, after a reboot or another program's clean-up.
    /// Does nothing where it is there.
    fn repair(_doc: &mut Document) -> Result<()> {
        Ok(())
    }

    /// Removes what belongs to no living container: one JSON object for each thing removed.
    fn gc() -> Result<Vec<Value>> {
        Ok(Vec::new())
    }

    /// A document with an error came in: nothing is to be done, unless this call was told to clean up.
    fn inherited(&self, _doc: &Document) -> Result<()> {
        Ok(())
    }

    /// Whether documents go to stdout; not where stdout belongs to a command that the tool runs.
    fn prints(&self) -> bool {
        true
    }

    /// Writes what a call that succeeded gives to stdout.
    ///
    /// # Errors
    /// Those of writing there.
    fn print(&self, doc: &Document) -> io::Result<()> {
        doc.print()
    }
}

#[derive(Parser)]
struct Cli<T: Tool> {
    #[command(flatten)]
    tool: T,
    #[command(flatten)]
    common: Common,
}

/// The command line of tool `T`, for its completions and for the test that its man page names every flag.
pub fn command<T: Tool>() -> Command {
    named(Cli::<T>::command(), T::NAME, T::ABOUT)
}

fn named(command: Command, name: &'static str, about: &'static str) -> Command {
    command.name(name).about(about).version(env!("CARGO_PKG_VERSION")).after_help(format!("See {name}(1)."))
}

/// The environment variable by which the wrapper names itself to the tools that it runs.
const WRAPPER: &str = "CTR_WRAPPER";

/// A tool that the wrapper waits for is asked to end when the wrapper is killed, so that what it does for the user
/// (run a command, follow a log) does not go on for nobody: a shell cannot pass a signal on while it waits for a pipe.
fn end_with_wrapper() {
    let wrapper = std::env::var(WRAPPER).ok().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    if wrapper.is_none() || getppid() != wrapper {
        return;
    }
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    if getppid() != wrapper {
        // It was faster.
        std::process::exit(128 + Signal::TERM.as_raw());
    }
}

/// Blocks the signals by which a user ends a tool, or lets them through again. Best effort: the mask is this thread's.
fn hold_back(on: bool) {
    let mut signals = SigSet::empty();
    for signal in
        [nix::sys::signal::SIGHUP, nix::sys::signal::SIGINT, nix::sys::signal::SIGQUIT, nix::sys::signal::SIGTERM]
    {
        signals.add(signal);
    }
    let _ = if on { signals.thread_block() } else { signals.thread_unblock() };
}

/// The `main` of a tool of the pipe.
pub fn pipe<T: Tool>() -> ExitCode {
    if T::failed() != 1 {
        end_with_wrapper();
    }
    let parsed = command::<T>().try_get_matches().and_then(|m| Cli::<T>::from_arg_matches(&m));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            trace::init(T::NAME, false, false);
            return usage::<T>(&e);
        }
    };
    trace::init(T::NAME, cli.common.trace, cli.common.dry_run);
    if cli.common.gc {
        let removed = T::gc().map(|removed| if trace::dry_run() { Vec::new() } else { removed });
        return finish(removed.and_then(|removed| print_lines(&removed)), T::failed());
    }
    if let Some(done) = cli.tool.alone(&cli.common) {
        return finish(done, T::failed());
    }
    let reads = cli.tool.reads_document()
        || cli.common.file.is_some()
        || cli.common.undo
        || cli.common.check
        || cli.common.repair;
    if reads && cli.common.file.is_none() && io::stdin().is_terminal() {
        let _ = command::<T>().print_help();
        return ExitCode::from(2);
    }
    if reads && T::PATIENT {
        hold_back(true);
    }
    let input::Input { mut doc, fault } =
        if reads { input::read(&mut cli) } else { input::Input { doc: Document::default(), fault: None } };
    if reads && T::PATIENT && doc.str("id").is_none() {
        // Nothing was begun: what came meanwhile ends this tool here.
        hold_back(false);
        hold_back(true);
    }
    if let Some(fault) = fault {
        return verbs::fail::<T>(&cli.tool, doc, fault);
    }
    // A document with an error is just what undo is for: it holds the steps done before the failure.
    if cli.common.undo {
        return verbs::undo::<T>(doc);
    }
    if let Some(exit) = doc.error_exit() {
        let cleaned = cli.tool.inherited(&doc);
        let exit = if T::failed() == 1 { exit } else { T::failed() };
        if cli.tool.prints() {
            // A stage behind ends with that status too.
            doc.set_error_exit(exit);
            let _ = doc.print();
        }
        return if cleaned.is_ok() { ExitCode::from(exit) } else { finish(cleaned, exit) };
    }
    if cli.common.check {
        return verbs::check::<T>(doc);
    }
    if cli.common.repair {
        return verbs::repair(&cli.tool, doc);
    }
    verbs::add::<T>(&mut cli, doc)
}

/// Help and version as asked for; else the usage error, which travels down the pipe like any other.
fn usage<T: Tool>(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        let _ = e.print();
        return ExitCode::SUCCESS;
    }
    let runs_a_command = T::failed() != 1;
    let error = usage_error(e, T::NAME).exit(if runs_a_command { T::failed() } else { 2 });
    trace::warn(&error.to_string());
    if runs_a_command || io::stdout().is_terminal() {
        // Stdout is a command's or a person's.
        return ExitCode::from(error.exit);
    }
    let mut doc = if T::BEGINS || io::stdin().is_terminal() { Document::default() } else { input::drain() };
    let exit = doc.error_exit().unwrap_or(error.exit);
    if doc.error_exit().is_none() {
        doc.set_error(T::NAME, &error);
    }
    let _ = doc.print();
    ExitCode::from(exit)
}

/// clap's first paragraph as our one line.
fn usage_error(e: &clap::Error, tool: &str) -> Error {
    let text = e.to_string();
    let words: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let line = words.join(" ");
    Error::new(Code::Usage, line.strip_prefix("error: ").unwrap_or(&line)).hint(format!("see {tool} --help"))
}

/// The command line of a tool beside the pipe.
pub fn plain_command<A: Args>(name: &'static str, about: &'static str) -> Command {
    named(A::augment_args(Command::new(name)), name, about)
}

/// The `main` of a tool beside the pipe: arguments in, what it prints out.
pub fn plain<A: Args>(name: &'static str, about: &'static str, run: impl FnOnce(A) -> Result<()>) -> ExitCode {
    end_with_wrapper();
    let args = match plain_command::<A>(name, about).try_get_matches().and_then(|m| A::from_arg_matches(&m)) {
        Ok(args) => args,
        Err(e) if !e.use_stderr() => {
            let _ = e.print();
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            trace::init(name, false, false);
            return finish(Err(usage_error(&e, name)), 1);
        }
    };
    trace::init(name, false, false);
    finish(run(args), 1)
}

fn finish(result: Result<()>, failed: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            e.tell();
            ExitCode::from(if e.exit == 1 { failed } else { e.exit })
        }
    }
}

fn print_lines(lines: &[Value]) -> Result<()> {
    for line in lines {
        let mut line = line.clone();
        if let Some(map) = line.as_object_mut() {
            map.shift_insert(0, "tool".to_owned(), json!(trace::tool()));
        }
        print_line(&line)?;
    }
    Ok(())
}

/// Does `f` for each word of a command line, and goes on after one that fails, as rm(1) does.
///
/// # Errors
/// The last failure; the earlier ones are printed.
pub fn each<'a>(words: impl IntoIterator<Item = &'a String>, mut f: impl FnMut(&'a str) -> Result<()>) -> Result<()> {
    let mut failures = Failures::default();
    for word in words {
        failures.note(f(word));
    }
    failures.end()
}

/// Prints a line on stdout. A reader that went away ends the process as SIGPIPE would (Rust ignores that signal).
///
/// # Errors
/// `io` or `limit` where stdout cannot be written for another reason.
pub fn print_line(line: &impl std::fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(BROKEN_PIPE),
        other => other.cannot(|| "write to stdout"),
    }
}

/// Prints a document that has nothing but the error, for a tool beside the pipe whose documents a pipe goes on from and that
/// has none to print: the stage behind says no more then (`ctr-document(5)`, rule 5). On a terminal nothing is printed.
pub fn print_error(error: &Error) {
    if io::stdout().is_terminal() {
        return;
    }
    let mut doc = Document::default();
    doc.set_error(trace::tool(), error);
    let _ = doc.print();
}

/// A reader that went away is no news (status of SIGPIPE, as the shell shows it); anything else is.
fn unprinted(e: &io::Error) -> ExitCode {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::from(BROKEN_PIPE as u8);
    }
    trace::warn(&Error::io("write to stdout", e).to_string());
    ExitCode::FAILURE
}
