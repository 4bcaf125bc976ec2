//! Names in a tar: where an entry lies beneath the root, and which names are whiteouts.

use crate::corrupt;
use ctr_core::{Code, Error, Result};

/// Longest name of one file (`NAME_MAX`).
const MAX_NAME: usize = 255;
/// Longest path the kernel resolves in one call (`PATH_MAX` without its NUL).
const MAX_PATH: usize = 4095;

/// Most components of a path. Removing a tree holds a directory open for each level, and 1024 descriptors are
/// what most processes have.
const MAX_DEPTH: usize = 256;

/// The path of an entry beneath the root: components parted by one `/`, none of them `.` or `..`.
/// Empty for the root itself.
///
/// An absolute name is taken as one beneath the root, as every unpacker does. `of` is what the entry is of, for messages.
///
/// # Errors
/// `corrupt` for a `..` component or a NUL, `limit` for names that no file system holds.
pub(crate) fn clean(raw: &[u8], of: &str) -> Result<Vec<u8>> {
    let mut path = Vec::with_capacity(raw.len());
    if raw.contains(&0) {
        return Err(corrupt(format!("entry {} has a NUL in its name", show(raw))));
    }
    for component in raw.split(|b| *b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(corrupt(format!("entry {} leads out of {of}", show(raw)))),
            c if c.len() > MAX_NAME => return Err(too_long(raw)),
            c => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(c);
            }
        }
    }
    fits(&path)?;
    Ok(path)
}

/// Checks a clean path against what can be opened in one call and removed again. Links in a tar can make a path
/// longer than any of its names.
///
/// # Errors
/// `limit`.
pub(crate) fn fits(path: &[u8]) -> Result<()> {
    if path.len() > MAX_PATH {
        return Err(too_long(path));
    }
    if path.split(|b| *b == b'/').count() > MAX_DEPTH {
        return Err(Error::new(Code::Limit, format!("entry {} is more than {MAX_DEPTH} directories deep", show(path))));
    }
    Ok(())
}

fn too_long(raw: &[u8]) -> Error {
    Error::new(Code::Limit, format!("entry {} has a name longer than the kernel takes", show(raw)))
}

/// A clean path as its parent and its last component.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// `parent/name`, where the parent may be the root.
pub(crate) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, name].join(&b'/') }
}

/// A name from a tar for a message: one line, no control characters, of bounded length.
pub fn show(name: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(&name[..name.len().min(SHOWN)]);
    let dots = if name.len() > SHOWN { "…" } else { "" };
    format!("{}{dots}", text.escape_debug())
}

/// What a name says beside naming a file (image-spec, layer.md, Whiteouts).
#[derive(Debug, PartialEq)]
pub(crate) enum Mark<'a> {
    /// An ordinary name.
    None,
    /// `.wh.NAME`: the lower layers' NAME is gone.
    Whiteout(&'a [u8]),
    /// `.wh..wh..opq`: all that lower layers have in this directory is gone.
    Opaque,
    /// Other `.wh..wh.*`: what aufs kept for itself.
    Aufs,
}

const WHITEOUT: &[u8] = b".wh.";

/// Reads the mark of a clean path.
///
/// # Errors
/// `corrupt` for a whiteout that names nothing, names `.` or `..`, or has entries beneath it.
pub(crate) fn mark(path: &[u8]) -> Result<Mark<'_>> {
    // Nearly every path ends here, without a look at its components.
    if !path.windows(WHITEOUT.len()).any(|w| w == WHITEOUT) {
        return Ok(Mark::None);
    }
    let (parent, name) = split(path);
    for component in parent.split(|b| *b == b'/') {
        if let Some(hidden) = component.strip_prefix(WHITEOUT) {
            if hidden.starts_with(WHITEOUT) {
                return Ok(Mark::Aufs);
            }
            return Err(corrupt(format!("entry {} lies beneath a whiteout", show(path))));
        }
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Mark::None),
        Some(b".wh..opq") => Ok(Mark::Opaque),
        Some(hidden) if hidden.starts_with(WHITEOUT) => Ok(Mark::Aufs),
        Some(b"" | b"." | b"..") => Err(corrupt(format!("whiteout {} names no file", show(path)))),
        Some(hidden) => Ok(Mark::Whiteout(hidden)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn clean(raw: &[u8]) -> Result<Vec<u8>> {
        super::clean(raw, "the layer")
    }

    #[test]
    fn names_are_taken_beneath_the_root() {
        for (raw, path) in [
            ("a/b", "a/b"),
            ("./a//b/.", "a/b"),
            ("/etc/passwd", "etc/passwd"),
            ("///", ""),
            (".", ""),
            ("a..b/...", "a..b/..."),
        ] {
            assert_eq!(clean(raw.as_bytes()).unwrap(), path.as_bytes(), "{raw}");
        }
        for bad in ["..", "../a", "a/../b", "/..", "a/..", "a\0b"] {
            assert_eq!(clean(bad.as_bytes()).unwrap_err().code, Code::Corrupt, "{bad}");
        }
        assert_eq!(clean(&[b'a'; 256]).unwrap_err().code, Code::Limit);
        assert_eq!(clean(&[&[b'a'; 250][..], b"/"].concat().repeat(17)).unwrap_err().code, Code::Limit);
        assert!(clean(&b"a/".repeat(MAX_DEPTH)).is_ok());
        assert_eq!(clean(&b"a/".repeat(MAX_DEPTH + 1)).unwrap_err().code, Code::Limit);
    }

    #[test]
    fn whiteouts_name_a_file() {
        assert_eq!(mark(b"a/.wh.b").unwrap(), Mark::Whiteout(b"b"));
        assert_eq!(mark(b".wh..wh..opq").unwrap(), Mark::Opaque);
        assert_eq!(mark(b"a/.wh..wh.plnk/1.2").unwrap(), Mark::Aufs);
        assert_eq!(mark(b"a/.wh..wh.aufs").unwrap(), Mark::Aufs);
        assert_eq!(mark(b"a/x.wh.b").unwrap(), Mark::None);
        for bad in ["a/.wh.", ".wh..", ".wh...", ".wh.a/b"] {
            assert_eq!(mark(bad.as_bytes()).unwrap_err().code, Code::Corrupt, "{bad}");
        }
    }

    #[test]
    fn shown_names_are_one_short_line() {
        assert_eq!(show(b"a\nb\x1b[2J"), "a\\nb\\u{1b}[2J");
        assert!(show(&[b'x'; 5000]).len() < 250);
    }

    proptest! {
        #[test]
        fn a_clean_path_stays_beneath(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(path) = clean(&raw) {
                prop_assert!(!path.starts_with(b"/") && !path.contains(&0));
                prop_assert!(path.is_empty() || path.split(|b| *b == b'/').all(|c| !matches!(c, b"" | b"." | b"..")));
                prop_assert_eq!(clean(&path).unwrap(), path.clone());
                let (parent, name) = split(&path);
                prop_assert_eq!(join(parent, name), path);
            }
        }
    }
}
