//! stdin, stdout and stderr of the process.
//!
//! What it is given it can open anew by `/proc/self/fd/N`, with the rights that its user has to the file and not those of
//! the descriptor, and it can change the file's mode. So it is given pipes and sockets alone, of which there is nothing
//! more to have than what they are; for all else it has a pipe, and the tool copies (`copies`).

use super::{Options, Streams, copies::Copies};
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fs::{FileType, RawMode, Uid},
    pipe::{PipeFlags, pipe_with},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// `f_type` of pipes (`PIPEFS_MAGIC` of `<linux/magic.h>`); that of a named one is its file system's.
const PIPEFS: i64 = 0x5049_5045;

/// The three streams of a process without a terminal.
#[derive(Default)]
pub struct Stdio([Stream; 3]);

/// What one of them is.
#[derive(Default)]
enum Stream {
    /// The null device of the container.
    #[default]
    Null,
    /// The tool's own, as it is.
    Own,
    /// A pipe or socket.
    Given(OwnedFd),
}

/// What becomes of a descriptor.
#[derive(PartialEq)]
enum Kind {
    /// It is given to the process.
    Passed,
    /// The null device: the process has its container's.
    Null,
    /// Bytes are copied, for it is a file that has more to it than them.
    Copied { device: u64, inode: u64 },
}

impl Stdio {
    /// What `options` ask for, and what is to be copied while the process runs; takes the streams that they have.
    ///
    /// # Errors
    /// `invalid` for a directory: through it the process could leave its root.
    pub fn prepare(options: &mut Options) -> Result<(Self, Copies)> {
        match options.streams.take() {
            _ if options.tty => Ok((Self::default(), Copies::default())),
            Some(streams) => Ok((Self::of(streams)?, Copies::default())),
            None => Self::own(options.interactive),
        }
    }

    /// Those that the caller has for it.
    ///
    /// # Errors
    /// `internal` where one would have to be copied.
    pub fn of(streams: Streams) -> Result<Self> {
        let stream = |fd: Option<OwnedFd>, name| {
            let Some(fd) = fd else { return Ok(Stream::Null) };
            match Kind::of(fd.as_fd(), name)? {
                Kind::Passed => Ok(Stream::Given(fd)),
                Kind::Null => Ok(Stream::Null),
                Kind::Copied { .. } => {
                    Err(Error::new(Code::Internal, format!("{name} of the process is neither a pipe nor a socket")))
                }
            }
        };
        Ok(Self([
            stream(streams.stdin, "stdin")?,
            stream(streams.stdout, "stdout")?,
            stream(streams.stderr, "stderr")?,
        ]))
    }

    /// Those of the tool. stdout and stderr that are one file are one pipe too, so that their lines keep their order.
    fn own(interactive: bool) -> Result<(Self, Copies)> {
        let mut copies = Copies::default();
        let pipe = || pipe_with(PipeFlags::CLOEXEC).cannot(|| "make a pipe");
        let input = if interactive { Kind::of(stdin(), "stdin")? } else { Kind::Null };
        let input = input.stream(|| {
            let (theirs, ours) = pipe()?;
            copies.input(stdin(), ours).map(|()| theirs)
        })?;
        let (out, error) = (Kind::of(stdout(), "stdout")?, Kind::of(stderr(), "stderr")?);
        let one = out == error;
        let out = out.stream(|| {
            let (ours, theirs) = pipe()?;
            copies.output("write stdout", ours, stdout()).map(|()| theirs)
        })?;
        let error = match &out {
            Stream::Given(pipe) if one => Stream::Given(pipe.try_clone().cannot(|| "duplicate a pipe")?),
            _ => error.stream(|| {
                let (ours, theirs) = pipe()?;
                copies.output("write stderr", ours, stderr()).map(|()| theirs)
            })?,
        };
        Ok((Self([input, out, error]), copies))
    }

    /// Whether one of them is the container's null device.
    pub fn needs_null(&self) -> bool {
        self.0.iter().any(|stream| matches!(stream, Stream::Null))
    }

    /// In the process of user `uid`: makes them its own, the null device being `null`.
    pub fn connect(&self, null: Option<&OwnedFd>, uid: u32) -> Result<()> {
        let what = || "connect the streams";
        let [input, out, error] = &self.0;
        if let Some(fd) = input.given(null)? {
            dup2_stdin(fd).cannot(what)?;
        }
        if let Some(fd) = out.given(null)? {
            dup2_stdout(fd).cannot(what)?;
        }
        if let Some(fd) = error.given(null)? {
            dup2_stderr(fd).cannot(what)?;
        }
        if uid != 0 {
            // A pipe is opened anew by who opens /dev/stdout, as log files linked there are: let the user do it.
            for fd in [stdin(), stdout(), stderr()].into_iter().filter(|fd| is_pipe(*fd)) {
                let _ = rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), None);
            }
        }
        Ok(())
    }
}

impl Stream {
    /// What stands for the tool's own.
    fn given<'a>(&'a self, null: Option<&'a OwnedFd>) -> Result<Option<&'a OwnedFd>> {
        match self {
            Self::Own => Ok(None),
            Self::Given(fd) => Ok(Some(fd)),
            Self::Null if null.is_some() => Ok(null),
            Self::Null => Err(Error::new(Code::Internal, "there is no null device for the process")),
        }
    }
}

impl Kind {
    fn of(fd: BorrowedFd<'_>, name: &str) -> Result<Self> {
        let stat = rustix::fs::fstat(fd).cannot(|| format!("stat {name}"))?;
        match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => {
                Err(Error::new(Code::Invalid, format!("{name} is a directory: the container could leave its root")))
            }
            FileType::Socket => Ok(Self::Passed),
            FileType::Fifo if is_pipe(fd) => Ok(Self::Passed),
            FileType::CharacterDevice if stat.st_rdev == rustix::fs::makedev(1, 3) => Ok(Self::Null),
            _ => Ok(Self::Copied { device: stat.st_dev, inode: stat.st_ino }),
        }
    }

    fn stream(self, pipe: impl FnOnce() -> Result<OwnedFd>) -> Result<Stream> {
        match self {
            Self::Passed => Ok(Stream::Own),
            Self::Null => Ok(Stream::Null),
            Self::Copied { .. } => pipe().map(Stream::Given),
        }
    }
}

/// Whether a descriptor is a pipe without a name.
fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(fd).is_ok_and(|fs| fs.f_type == PIPEFS)
}

/// Makes `terminal` the controlling terminal of this process, and all its streams.
pub fn connect_terminal(terminal: &OwnedFd) -> Result<()> {
    let what = || "connect the terminal";
    rustix::process::ioctl_tiocsctty(terminal).cannot(|| "take the terminal as controlling terminal")?;
    dup2_stdin(terminal).cannot(what)?;
    dup2_stdout(terminal).cannot(what)?;
    dup2_stderr(terminal).cannot(what)
}
