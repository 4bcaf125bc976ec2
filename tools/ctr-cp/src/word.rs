//! The words of the command line: a path here, a path in a container, a tar on stdin or stdout.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
};

/// SRC or DEST.
#[derive(Debug, PartialEq)]
pub enum Word {
    /// `-`
    Stream,
    /// A path of the host.
    Here(Spelled),
    /// `CONTAINER:PATH`
    Inside(Inside),
}

/// A path in a container.
#[derive(Debug, PartialEq)]
pub struct Inside {
    pub container: String,
    pub path: Spelled,
}

/// A path as it was written: a `/` or `/.` at its end has a meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Spelled(OsString);

impl Word {
    /// As docker reads it: a path that begins with `/` or `.` is one here, even with a colon in it.
    pub fn parse(word: &OsStr) -> Self {
        let bytes = word.as_bytes();
        if bytes == b"-" {
            return Self::Stream;
        }
        let colon = bytes.iter().position(|b| *b == b':').filter(|at| *at > 0 && !matches!(bytes[0], b'/' | b'.'));
        let Some(colon) = colon else { return Self::Here(Spelled(word.to_owned())) };
        let container = String::from_utf8_lossy(&bytes[..colon]).into_owned();
        let path = match &bytes[colon + 1..] {
            b"" => b"/",
            path => path,
        };
        Self::Inside(Inside { container, path: Spelled(OsStr::from_bytes(path).to_owned()) })
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.container, self.path)
    }
}

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl AsRef<OsStr> for Spelled {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl Spelled {
    /// Whether only a directory can be meant.
    pub fn wants_directory(&self) -> bool {
        matches!(self.bytes().rsplit(|b| *b == b'/').next(), Some(b"" | b"." | b".."))
    }

    /// The name under which it is copied into a directory; none where only what it holds is: `dir/.`, `.`, `/`.
    pub fn name(&self) -> Option<&[u8]> {
        let last = self.bytes().rsplit(|b| *b == b'/').find(|part| !part.is_empty());
        last.filter(|part| !matches!(*part, b"." | b".."))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A path without the `/` or `/.` at its end.
pub fn trimmed(mut path: &[u8]) -> &[u8] {
    while let Some(shorter) = path.strip_suffix(b"/").or(path.strip_suffix(b"/.")) {
        path = shorter;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(container: &str, path: &str) -> Word {
        Word::Inside(Inside { container: container.to_owned(), path: Spelled(path.into()) })
    }

    #[test]
    fn words_are_read_as_docker_reads_them() {
        assert_eq!(Word::parse("-".as_ref()), Word::Stream);
        for here in ["a", "./a:b", "/a:b", "../a:b", ":a", ""] {
            assert_eq!(Word::parse(here.as_ref()), Word::Here(Spelled(here.into())), "{here}");
        }
        assert_eq!(Word::parse("web:/etc".as_ref()), inside("web", "/etc"));
        assert_eq!(Word::parse("web:etc/a:b".as_ref()), inside("web", "etc/a:b"));
        assert_eq!(Word::parse("web:".as_ref()), inside("web", "/"));
    }

    #[test]
    fn the_end_of_a_path_has_a_meaning() {
        for (path, directory, name, trimmed) in [
            ("a", false, Some("a"), "a"),
            ("a/b", false, Some("b"), "a/b"),
            ("a/b/", true, Some("b"), "a/b"),
            ("a/b/.", true, None, "a/b"),
            ("a/.//", true, None, "a"),
            (".", true, None, "."),
            ("a/..", true, None, "a/.."),
            ("/", true, None, ""),
            ("a.", false, Some("a."), "a."),
        ] {
            let spelled = Spelled(path.into());
            assert_eq!(spelled.wants_directory(), directory, "{path}");
            assert_eq!(spelled.name(), name.map(str::as_bytes), "{path}");
            assert_eq!(super::trimmed(path.as_bytes()), trimmed.as_bytes(), "{path}");
        }
    }
}
