//! docker's filter `name=`.

use ctr_core::{Code, Error, Result};
use regex_lite::Regex;

/// The regular expression that follows `name=`: it passes a name that has a match of it anywhere.
///
/// # Errors
/// `usage` for what is none.
pub fn name_filter(value: &str) -> Result<Regex> {
    let usage =
        |e| Error::new(Code::Usage, format!("filter {:?}: no regular expression: {e}", format!("name={value}")));
    Regex::new(value).map_err(usage)
}
