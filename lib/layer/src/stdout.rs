//! A tar on stdout.

use crate::pack::pack;
use ctr_core::{Cannot, Code, Error, Result};
use rustix::fd::{AsFd, OwnedFd};
use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal, Write},
};

/// [`pack()`] to stdout. A reader that went away ends the process as SIGPIPE would.
///
/// # Errors
/// `invalid` where stdout is a terminal.
pub fn pack_to_stdout(file: OwnedFd, name: &[u8]) -> Result<()> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Error::new(Code::Invalid, "a tar is not for a terminal").hint("redirect it"));
    }
    // Not by std's buffer, which looks for the ends of lines.
    let stdout = stdout.as_fd().try_clone_to_owned().cannot(|| "duplicate stdout")?;
    pack(file, name, &mut Stdout(stdout.into()))
}

struct Stdout(File);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).inspect_err(end_of_reader)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().inspect_err(end_of_reader)
    }
}

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
fn end_of_reader(e: &io::Error) {
    if e.kind() == ErrorKind::BrokenPipe {
        std::process::exit(141);
    }
}
