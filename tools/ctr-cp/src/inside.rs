//! Paths in a container: found in its root, wherever their links would lead.

use crate::{
    here::no_directory,
    transfer::Source,
    word::{Inside, trimmed},
};
use ctr_core::{Cannot, Code, Error, Result, Root};
use ctr_layer::{Place, is_of_kernel};
use rustix::{
    fs::{FileType, Mode, OFlags, fstat, openat, readlinkat},
    io::Errno,
};

/// As many symbolic links at the end of a path as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The file to be copied; a symbolic link itself, unless it is to be followed.
pub fn source<'a>(root: &Root, from: &'a Inside, follow: bool) -> Result<Source<'a>> {
    let follow = if follow || from.path.wants_directory() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let fd = root.open(from.path.bytes(), OFlags::PATH | follow).map_err(|e| refused(from, e))?;
    let what = || format!("look at {from}");
    if is_of_kernel(&fd).cannot(what)? {
        return Err(Error::new(Code::Unsupported, format!("cannot copy {from}: the kernel makes its content"))
            .hint("read it by a command in the container"));
    }
    let is_dir = FileType::from_raw_mode(fstat(&fd).cannot(what)?.st_mode) == FileType::Directory;
    Ok(Source { fd, is_dir, shown: from })
}

/// Where something is copied to.
pub enum Spot<'a> {
    /// A directory that is there.
    Directory(Place<'a>),
    /// A name in a directory, and whether a file is there that has it.
    Name(Place<'a>, Vec<u8>, bool),
}

/// Finds `to`. A link at its end is followed, also one to a file that is not there yet.
pub fn spot<'a>(root: &'a Root, to: &Inside) -> Result<Spot<'a>> {
    let directory = OFlags::PATH | OFlags::DIRECTORY;
    let place = |dir, path: &[u8]| Place { dir, inside: Some((root, path.to_owned())) };
    match root.open(to.path.bytes(), directory) {
        Err(Errno::NOENT) => {}
        Err(Errno::NOTDIR) if !to.path.wants_directory() => {}
        other => {
            let dir = other.map_err(|e| refused(to, e))?;
            return Ok(Spot::Directory(place(dir, to.path.bytes())));
        }
    }
    let mut path = trimmed(to.path.bytes()).to_owned();
    for _ in 0..=MAX_LINKS {
        let slash = path.iter().rposition(|b| *b == b'/');
        let (parent, name) = slash.map_or((&b"/"[..], &path[..]), |at| (&path[..=at], &path[at + 1..]));
        if matches!(name, b"" | b"." | b"..") {
            return Err(no_directory(to));
        }
        let dir = match root.open(parent, directory) {
            Err(Errno::NOENT) => {
                let parent = String::from_utf8_lossy(parent);
                return Err(no_directory(&format!("{}:{}", to.container, parent.escape_debug())));
            }
            other => other.map_err(|e| refused(to, e))?,
        };
        let found = match openat(&dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Spot::Name(place(dir, parent), name.to_owned(), false)),
            other => other.map_err(|e| refused(to, e))?,
        };
        let what = || format!("look at {to}");
        if FileType::from_raw_mode(fstat(&found).cannot(what)?.st_mode) != FileType::Symlink {
            return Ok(Spot::Name(place(dir, parent), name.to_owned(), true));
        }
        // A link of procfs need not lead where its text says.
        if is_of_kernel(&found).cannot(what)? {
            return Err(refused(to, Errno::LOOP));
        }
        let target = readlinkat(&found, "", Vec::new()).cannot(what)?.into_bytes();
        let target = trimmed(&target);
        path = if target.starts_with(b"/") { target.to_owned() } else { [parent, target].concat() };
    }
    Err(refused(to, Errno::LOOP))
}

fn refused(path: &Inside, e: Errno) -> Error {
    match e {
        Errno::LOOP => Error::new(
            Code::Invalid,
            format!("cannot open {path}: it leads through too many links, or through one of procfs"),
        ),
        Errno::NOTDIR => Error::new(Code::Invalid, format!("cannot open {path}: not a directory")),
        other => Error::io(format!("open {path}"), &other.into()),
    }
}
