//! One error type: a code of the closed set, one line of text, what to do next.

use crate::trace;
use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// What a tool's function returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The closed set of error codes of `ctr-document(5)`. Callers branch on these, never on text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The command line is wrong.
    Usage,
    /// The document is of a later version than this tool reads.
    Version,
    /// Input that does not have the form it must have.
    Invalid,
    /// The thing named is not there.
    NotFound,
    /// The thing to be made is there already, held by another.
    Exists,
    /// The thing is in use.
    Busy,
    /// The kernel or the file system refused permission.
    Denied,
    /// This kernel, file system or build cannot do it.
    Unsupported,
    /// The registry wants (other) credentials.
    Unauthorized,
    /// Bytes that are not what their digest, length or format says.
    Corrupt,
    /// A limit was reached: space, layers, sizes, rates.
    Limit,
    /// Reading or writing failed.
    Io,
    /// The network or the host at its other end failed.
    Network,
    /// A fault of ours.
    Internal,
}

/// A failure that names the thing, the operation and the reason in one line.
#[derive(Clone, Debug)]
pub struct Error {
    /// What callers branch on.
    pub code: Code,
    /// One line, without the tool's name.
    pub message: String,
    /// What to do next, if there is something.
    pub hint: Option<String>,
    /// The exit status that goes with it: 1, 2 for usage, 125 to 127 for tools that run a command.
    pub exit: u8,
    /// Whether it is on stderr already, by another tool that failed for this one.
    pub is_told: bool,
}

/// What failed of things that are all tried.
#[derive(Debug, Default)]
pub struct Failures(Option<Error>);

impl Failures {
    /// Takes note of how one went; prints the failure before. Gives what it gave.
    pub fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        let earlier = match result {
            Ok(value) => return Some(value),
            Err(e) => self.0.replace(e),
        };
        if let Some(earlier) = earlier {
            earlier.tell();
        }
        None
    }

    /// How all of it went.
    ///
    /// # Errors
    /// The last failure.
    pub fn end(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

impl Error {
    /// An error of `code`; exit status 2 for [`Code::Usage`], 1 for all others.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let exit = if code == Code::Usage { 2 } else { 1 };
        Self { code, message: message.into(), hint: None, exit, is_told: false }
    }

    /// The same with a hint: what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints it on stderr, unless that is done.
    pub fn tell(&self) {
        if !self.is_told {
            trace::warn(&self.to_string());
        }
    }

    /// The same with another exit status.
    #[must_use]
    pub fn exit(mut self, status: u8) -> Self {
        self.exit = status;
        self
    }

    /// `cannot {what}: {reason}`, the code told by errno.
    pub fn io(what: impl fmt::Display, err: &io::Error) -> Self {
        let code = match err.raw_os_error() {
            Some(libc::ENOENT) => Code::NotFound,
            Some(libc::EEXIST) => Code::Exists,
            Some(libc::EBUSY | libc::ETXTBSY) => Code::Busy,
            Some(libc::EPERM | libc::EACCES | libc::EROFS) => Code::Denied,
            Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ENODEV) => Code::Unsupported,
            Some(libc::ENOSPC | libc::EDQUOT | libc::EMFILE | libc::ENFILE | libc::EFBIG) => Code::Limit,
            Some(libc::ECONNREFUSED | libc::ECONNRESET | libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ETIMEDOUT) => {
                Code::Network
            }
            _ => match err.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Code::Corrupt,
                io::ErrorKind::InvalidInput => Code::Invalid,
                io::ErrorKind::TimedOut => Code::Network,
                _ => Code::Io,
            },
        };
        Self::new(code, format!("cannot {what}: {}", reason(err)))
    }
}

/// The kernel's words without Rust's "(os error 2)".
fn reason(err: &io::Error) -> String {
    let text = err.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Gives a system error its sentence: `File::open(p).cannot(|| format!("open {p}"))?`.
pub trait Cannot<T> {
    /// Turns the error into `cannot {what}: {reason}` with the code its errno asks for.
    fn cannot<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Cannot<T> for io::Result<T> {
    fn cannot<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|e| Error::io(what(), &e))
    }
}

impl<T> Cannot<T> for nix::Result<T> {
    fn cannot<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|e| Error::io(what(), &e.into()))
    }
}

impl<T> Cannot<T> for rustix::io::Result<T> {
    fn cannot<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|e| Error::io(what(), &e.into()))
    }
}
