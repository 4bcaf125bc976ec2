//! A large file that is there whole or not at all, an archive say.

use crate::{Cannot, Result, ident};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Lets `fill` write the file `path`, flushes it, and only then gives it its name. What is there and is no regular file,
/// a fifo or `/dev/null`, is written to.
///
/// The file has no name before (open(2), `O_TMPFILE`), where the file system can: then not even a kill leaves a part.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let what = || format!("write {}", path.display());
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return fill(&mut OpenOptions::new().write(true).open(path).cannot(what)?);
    }
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = Mode::from_raw_mode(0o600);
    match rustix::fs::open(dir, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode) {
        Ok(fd) => {
            let mut file = File::from(fd);
            fill(&mut file)?;
            file.sync_data().cannot(what)?;
            name(&file, &path).cannot(what)
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let aside = aside(&path);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).cannot(what)?;
            let done = fill(&mut file).and_then(|()| file.sync_data().cannot(what));
            done.and_then(|()| fs::rename(&aside, &path).cannot(what)).inspect_err(|_| drop(fs::remove_file(&aside)))
        }
        Err(e) => Err(e).cannot(what),
    }
}

/// Gives a file without a name its name, in place of what had it.
fn name(file: &File, path: &Path) -> rustix::io::Result<()> {
    let fd = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |to: &Path| rustix::fs::linkat(CWD, fd.as_str(), CWD, to, AtFlags::SYMLINK_FOLLOW);
    match link(path) {
        // No link replaces a file.
        Err(Errno::EXIST) => {
            let aside = aside(path);
            link(&aside)?;
            rustix::fs::rename(&aside, path).inspect_err(|_| drop(fs::remove_file(&aside)))
        }
        other => other,
    }
}

fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", ident::token()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Code, Error};
    use std::io::Write;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = std::env::temp_dir().join(format!("ctr-large-{}", ident::token()));
        fs::create_dir(&dir).unwrap();
        let path = dir.join("file");
        for text in ["first", "second"] {
            write_with(&path, |file| file.write_all(text.as_bytes()).cannot(|| "write")).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let failed = write_with(&path, |file| {
            file.write_all(b"third").cannot(|| "write")?;
            Err(Error::new(Code::Io, "enough"))
        });
        assert_eq!(failed.unwrap_err().message, "enough");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
