//! `--if-any`: of what is not there nothing is said, for another tool is asked for it next.

use crate::{Code, Result};
use std::process;

/// The exit status of who found nothing, and nothing wrong: another may be asked. No other failure has it.
const ABSENT: i32 = 3;

/// What was looked for, and is passed over where it is not there.
#[derive(Debug)]
pub struct Absent {
    codes: &'static [Code],
    any: bool,
}

impl Absent {
    /// With `if_any` an error of one of these codes means that nothing is there.
    pub fn new(if_any: bool, codes: &'static [Code]) -> Self {
        Self { codes: if if_any { codes } else { &[] }, any: false }
    }

    /// What was found; `None` where that is nothing, of which nothing is said.
    ///
    /// # Errors
    /// Those of the look-up.
    pub fn pass<T>(&mut self, found: Result<T>) -> Result<Option<T>> {
        match found {
            Err(e) if self.codes.contains(&e.code) => {
                self.any = true;
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// Gives what came of the rest; where that is well, and something was passed over, ends the process: only the status tells.
    ///
    /// # Errors
    /// Those of `shown`.
    pub fn end(self, shown: Result<()>) -> Result<()> {
        if self.any && shown.is_ok() {
            process::exit(ABSENT);
        }
        shown
    }
}
