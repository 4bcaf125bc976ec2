//! A tree into another by a tar that nobody sees: one thread packs, this one makes the files.

use ctr_core::{Cannot, Error, Result};
use ctr_layer::{Place, Take};
use rustix::fd::OwnedFd;
use std::{fmt::Display, io, sync::OnceLock, thread};

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
    let (reader, mut writer) = io::pipe().cannot(|| "make a pipe")?;
    // Of two errors the first is the cause: the other side only saw the pipe break. So each is noted before its end of
    // the pipe is closed.
    let first = OnceLock::new();
    let note = |result: Result<()>, at: &str| {
        let _ = result.map_err(|e| first.set(Error { message: format!("{at}: {}", e.message), ..e }));
    };
    let (from, to) = (source.shown.to_string(), shown.to_string());
    thread::scope(|scope| {
        let fd = source.fd;
        scope.spawn(move || {
            note(ctr_layer::pack(fd, name, &mut writer), &from);
            drop(writer);
        });
        note(ctr_layer::merge(Box::new(&reader), place, take), &to);
        drop(reader);
    });
    first.into_inner().map_or(Ok(()), Err)
}
