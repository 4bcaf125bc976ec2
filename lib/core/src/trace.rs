//! `--trace` and `--dry-run`: one mechanism that names each thing done to the kernel.
//!
//! Every change goes through [`act`]: with `--trace` it leaves a JSON line on stderr
//! with its duration, with `--dry-run` the same line, and the change is not made.

use crate::{Error, Result};
use serde_json::{Map, Value, json};
use std::{sync::OnceLock, time::Instant};

#[derive(Clone, Copy)]
struct Mode {
    tool: &'static str,
    trace: bool,
    dry_run: bool,
}

static MODE: OnceLock<Mode> = OnceLock::new();

/// Sets the mode of this process; the first call counts.
pub fn init(tool: &'static str, trace: bool, dry_run: bool) {
    let _ = MODE.set(Mode { tool, trace, dry_run });
}

fn mode() -> Mode {
    MODE.get().copied().unwrap_or(Mode { tool: "ctr", trace: false, dry_run: false })
}

/// The name of the tool this process is.
pub fn tool() -> &'static str {
    mode().tool
}

/// Whether nothing may be changed (`--dry-run`).
pub fn dry_run() -> bool {
    mode().dry_run
}

/// Does one thing to the kernel or the store: `op` names it (`mount`, `clone`, `mkdir`, …), `what`
/// holds its arguments. Under `--dry-run` it gives `T::default()` and does nothing.
///
/// `what` is only built when it is printed.
pub fn act<T: Default>(op: &str, what: impl FnOnce() -> Value, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let mode = mode();
    if !mode.trace && !mode.dry_run {
        return f();
    }
    let what = what();
    if mode.dry_run {
        print(mode, op, what, None, None);
        return Ok(T::default());
    }
    let start = Instant::now();
    let result = f();
    print(mode, op, what, Some(start), result.as_ref().err());
    result
}

fn print(mode: Mode, op: &str, what: Value, start: Option<Instant>, error: Option<&Error>) {
    let mut line = Map::from_iter([("tool".to_owned(), json!(mode.tool)), ("op".to_owned(), json!(op))]);
    match what {
        Value::Object(fields) => line.extend(fields),
        Value::Null => {}
        other => {
            line.insert("what".to_owned(), other);
        }
    }
    if let Some(start) = start {
        let micros = start.elapsed().as_micros() as f64;
        line.insert("ms".to_owned(), json!(micros / 1000.0));
    } else {
        line.insert("dryRun".to_owned(), json!(true));
    }
    if let Some(error) = error {
        line.insert("error".to_owned(), json!(error.message));
    }
    // One write per line: lines of the stages of a pipe, which share stderr, do not mix.
    warn_raw(&format!("{}\n", Value::Object(line)));
}

/// Longest message that is printed, in characters.
const MAX_MESSAGE: usize = 2000;

/// Prints `tool: message` on stderr, in one line; for what the user should know but which stops nothing.
pub fn warn(message: &str) {
    warn_raw(&format!("{}: {}\n", tool(), clean(message, MAX_MESSAGE)));
}

/// At most `max` characters of `text`, made safe to print, for parts of it may be a stranger's: control and
/// bidirectional formatting characters, which steer a terminal or begin a new line, become spaces.
pub fn clean(text: &str, max: usize) -> String {
    let safe = |c: char| {
        let steers = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if steers { ' ' } else { c }
    };
    let mut chars = text.trim().chars().map(safe);
    let mut out: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

fn warn_raw(line: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_steers_it() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}1m", 100), "a [2Jb  c d 1m");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean(" abc ", 3), "abc");
    }
}
