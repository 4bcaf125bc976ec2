//! A question before what cannot be undone.

use crate::{Cannot, Code, Error, Result};
use std::io::{self, Write};

/// Prints `warning` on stderr and reads a line of stdin, a terminal or not: nothing but `y` is a yes.
///
/// # Errors
/// `denied` where it is none, and where stdin is at its end.
pub fn confirm(warning: &str) -> Result<()> {
    let mut stderr = io::stderr();
    let question = format!("WARNING! {warning}\nAre you sure you want to continue? [y/N] ");
    stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush()).cannot(|| "write to stderr")?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer).cannot(|| "read stdin")?;
    if answer.trim().eq_ignore_ascii_case("y") {
        return Ok(());
    }
    let denied = Error::new(Code::Denied, "nothing is removed: not confirmed");
    if read > 0 {
        return Err(denied);
    }
    // Nobody has ended the line of the question.
    let _ = stderr.write_all(b"\n");
    Err(denied.hint("answer y, or give --force"))
}
