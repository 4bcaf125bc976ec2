//! A question before what cannot be undone.

use crate::{Cannot, Code, Error, Result};
use std::io::{self, IsTerminal, Write};

/// Prints `warning` and asks on the terminal whether to go on: nothing but `y` is a yes.
///
/// # Errors
/// `denied` where it is none, `usage` where nobody can be asked.
pub fn confirm(warning: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        let message = "cannot ask whether to remove: stdin is not a terminal";
        return Err(Error::new(Code::Usage, message).hint("give --force"));
    }
    let mut stderr = io::stderr();
    let question = format!("WARNING! {warning}\nAre you sure you want to continue? [y/N] ");
    stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush()).cannot(|| "write to stderr")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).cannot(|| "read stdin")?;
    if answer.trim().eq_ignore_ascii_case("y") {
        return Ok(());
    }
    Err(Error::new(Code::Denied, "nothing is removed: not confirmed"))
}
