//! Whether two files are the same to who uses them: kind, permissions, owner, attributes, content. Times are not looked at: a
//! second build of the same files has others.

use ctr_core::{Cannot, Result};
use ctr_layer::{
    Xattrs,
    stack::{Below, Stack, shown},
};
use rustix::{
    fd::AsFd,
    fs::{FileType, Mode, OFlags, openat, readlinkat},
};
use std::{
    fs::File,
    io::{BufReader, Read},
};

const BUFFER: usize = 128 << 10;

/// Compares what two images have at `path`.
pub(crate) fn differs(
    (from, a): (&Stack, &Below),
    (to, b): (&Stack, &Below),
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
    if kind == FileType::Symlink {
        let target = |stack: &Stack, below: &Below| readlinkat(stack.tree(below.layer), path, Vec::new());
        return Ok(target(from, a).cannot(failed)? != target(to, b).cannot(failed)?);
    }
    let mut attributes = |stack: &Stack, below: &Below| -> Result<_> {
        xattrs.read_held(stack.hold(below, path)?.as_fd()).cannot(failed)
    };
    if attributes(from, a)? != attributes(to, b)? {
        return Ok(true);
    }
    if kind != FileType::RegularFile {
        return Ok(false);
    }
    let open = |stack: &Stack, below: &Below| {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(stack.tree(below.layer), path, flags, Mode::empty()).cannot(failed)?;
        Ok(BufReader::with_capacity(BUFFER, File::from(fd)))
    };
    content_differs(open(from, a)?, open(to, b)?).cannot(failed)
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
