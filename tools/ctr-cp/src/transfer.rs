//! What is copied, and the copy.

use ctr_core::Result;
use ctr_layer::{Place, Take};
use rustix::fd::OwnedFd;
use std::fmt::Display;

/// A file to be copied.
pub struct Source<'a> {
    /// Held with `O_PATH`.
    pub fd: OwnedFd,
    pub is_dir: bool,
    /// For messages.
    pub shown: &'a dyn Display,
}

/// Copies `source` to `name` at `place`, which `shown` names.
pub fn transfer(source: Source<'_>, name: &[u8], place: &Place<'_>, take: Take, shown: &dyn Display) -> Result<()> {
    let (from, to) = (source.shown.to_string(), shown.to_string());
    ctr_layer::copy(source.fd, name, place, take, [&from, &to])
}
