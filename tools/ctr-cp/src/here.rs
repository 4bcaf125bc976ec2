//! Paths of the host. They are the user's own: links in them lead where they lead.

use crate::{transfer::Source, word::Spelled};
use ctr_core::{Cannot, Code, Error, Result};
use ctr_layer::Place;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The file to be copied; a symbolic link itself, unless it is to be followed.
pub fn source(path: &Spelled, follow: bool) -> Result<Source<'_>> {
    let what = || format!("open {path}");
    let follow = if follow || path.wants_directory() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = OFlags::PATH | OFlags::CLOEXEC | follow;
    let fd = openat(CWD, path.as_ref(), flags, Mode::empty()).cannot(what)?;
    let is_dir = FileType::from_raw_mode(fstat(&fd).cannot(what)?.st_mode) == FileType::Directory;
    Ok(Source { fd, is_dir, shown: path })
}

/// Where a copy of `source`, whose own name is `name`, goes: a directory, and the name there.
pub fn place(dest: &Spelled, source: &Source<'_>, name: Option<&[u8]>) -> Result<(Place<'static>, Vec<u8>)> {
    let what = || format!("open {dest}");
    let path = Path::new(dest.as_ref());
    let open = |path: &Path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let at: PathBuf = match open(path) {
        Ok(dir) => return Ok((Place { dir, inside: None }, name.unwrap_or_default().to_owned())),
        Err(Errno::NOTDIR) if source.is_dir => return Err(onto_a_file(source, dest)),
        Err(Errno::NOTDIR) => fs::canonicalize(path).cannot(what)?,
        Err(Errno::NOENT) if path.is_symlink() => {
            return Err(Error::new(Code::NotFound, format!("cannot copy to {dest}: it is a link to nowhere")));
        }
        Err(Errno::NOENT) if dest.wants_directory() && !source.is_dir => return Err(no_directory(dest)),
        Err(Errno::NOENT) => path.to_owned(),
        Err(e) => return Err(e).cannot(what),
    };
    let parent = at.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = at.file_name() else { return Err(no_directory(dest)) };
    let dir = open(parent).cannot(|| format!("open directory {}", parent.display()))?;
    Ok((Place { dir, inside: None }, name.as_bytes().to_owned()))
}

/// The refusal of a directory where a file is.
pub fn onto_a_file(source: &Source<'_>, dest: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Exists, format!("cannot copy directory {} to {dest}: it is a file", source.shown))
}

/// The refusal of a directory that is not there: it is not made.
pub fn no_directory(dest: &dyn std::fmt::Display) -> Error {
    Error::new(Code::NotFound, format!("no directory {dest}"))
}
