//! A tree into another by a tar that nobody sees: one thread packs, this one makes the files.

use crate::{Place, Take, merge, pack::pack_sparse};
use ctr_core::{Cannot, Error, Result};
use rustix::{fd::OwnedFd, fs::Mode};
use std::{io, sync::OnceLock, thread};

/// Copies the file that `from` holds (`O_PATH`), a directory with all beneath it, to `name` at `place`; with no name the files of a
/// directory into the place itself. `shown` names both sides in messages.
///
/// # Errors
/// As [`crate::pack()`] and [`merge()`]: of two the first, for the other side only saw the pipe break.
pub fn copy(from: OwnedFd, name: &[u8], place: &Place<'_>, take: Take, shown: [&str; 2]) -> Result<()> {
    let (reader, mut writer) = io::pipe().cannot(|| "make a pipe")?;
    // Each is noted before its end of the pipe is closed.
    let first = OnceLock::new();
    let note = |result: Result<()>, at: &str| {
        let _ = result.map_err(|e| first.set(Error { message: format!("{at}: {}", e.message), ..e }));
    };
    // The merge has none, and it is of the whole process.
    let umask = rustix::process::umask(Mode::empty());
    thread::scope(|scope| {
        scope.spawn(move || {
            note(pack_sparse(from, name, &mut writer), shown[0]);
            drop(writer);
        });
        note(merge(Box::new(&reader), place, take), shown[1]);
        drop(reader);
    });
    rustix::process::umask(umask);
    first.into_inner().map_or(Ok(()), Err)
}
