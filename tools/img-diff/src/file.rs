//! Whether two files are the same to who uses them: kind, permissions, owner, attributes, content. Times are not looked at: a
//! second build of the same files has others.

use ctr_core::{Cannot, Result};
use ctr_layer::{
    Xattrs,
    merged::{Below, Layers, shown},
};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{FileType, Mode, OFlags, openat, readlinkat},
};
use std::{
    fs::File,
    io::{BufReader, Read},
};

const BUFFER: usize = 128 << 10;

/// Compares what two images have at `path`.
pub(crate) fn differs(
    (from, a): (&Layers, &Below),
    (to, b): (&Layers, &Below),
    path: &[u8],
    xattrs: &mut Xattrs,
) -> Result<bool> {
    let (x, y) = (&a.stat, &b.stat);
    if (x.st_dev, x.st_ino) == (y.st_dev, y.st_ino) {
        return Ok(false);
    }
    if (x.st_mode, x.st_uid, x.st_gid, x.st_rdev) != (y.st_mode, y.st_uid, y.st_gid, y.st_rdev) {
        return Ok(true);
    }
    let kind = FileType::from_raw_mode(x.st_mode);
    if kind == FileType::RegularFile && x.st_size != y.st_size {
        return Ok(true);
    }
    let failed = || shown(path);
    let (from, to) = (from.tree(a.layer), to.tree(b.layer));
    if kind == FileType::Symlink {
        let target = |tree: &OwnedFd| readlinkat(tree, path, Vec::new());
        return Ok(target(from).cannot(failed)? != target(to).cannot(failed)?);
    }
    let open = |tree: &OwnedFd, flags| openat(tree, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let mut attributes = |tree: &OwnedFd| -> Result<_> {
        let fd = open(tree, OFlags::PATH).cannot(failed)?;
        xattrs.read(fd.as_fd()).cannot(failed)
    };
    if attributes(from)? != attributes(to)? {
        return Ok(true);
    }
    if kind != FileType::RegularFile {
        return Ok(false);
    }
    let file = |tree: &OwnedFd| {
        open(tree, OFlags::RDONLY).cannot(failed).map(|fd| BufReader::with_capacity(BUFFER, File::from(fd)))
    };
    content_differs(file(from)?, file(to)?).cannot(failed)
}

fn content_differs(mut a: impl Read, mut b: impl Read) -> std::io::Result<bool> {
    let (mut left, mut right) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let n = a.read(&mut left)?;
        if n == 0 {
            return Ok(b.read(&mut right[..1])? != 0);
        }
        match b.read_exact(&mut right[..n]) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(true),
            other => other?,
        }
        if left[..n] != right[..n] {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::content_differs;

    #[test]
    fn contents_are_compared_to_the_end() {
        for (a, b, differs) in
            [("", "", false), ("ab", "ab", false), ("ab", "ac", true), ("ab", "a", true), ("a", "ab", true)]
        {
            assert_eq!(content_differs(a.as_bytes(), b.as_bytes()).unwrap(), differs, "{a} {b}");
        }
    }
}
