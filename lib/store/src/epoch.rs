//! When a new image was made: now, or the time that whoever wants the same bytes again says.

use ctr_core::{Code, Error, Result};
use std::env;

/// The variable (reproducible-builds.org).
const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// What `SOURCE_DATE_EPOCH` says, seconds since the epoch; `None` where it is not set.
///
/// # Errors
/// `invalid` where it is no such number.
pub fn epoch() -> Result<Option<i64>> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    let text = text.to_string_lossy();
    let number = text.parse().ok();
    let seconds = number.filter(|seconds| *seconds >= 0 && jiff::Timestamp::from_second(*seconds).is_ok());
    let invalid = || Error::new(Code::Invalid, format!("{VARIABLE} {text:?} is not a number of seconds"));
    seconds.map(Some).ok_or_else(invalid)
}

/// That time, or now, for `created` (RFC 3339).
pub fn created(epoch: Option<i64>) -> String {
    let said = epoch.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    said.unwrap_or_else(jiff::Timestamp::now).to_string()
}
