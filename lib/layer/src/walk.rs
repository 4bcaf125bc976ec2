//! The slow way to a directory: component by component, for what is missing, hidden or behind a link.

use crate::{
    corrupt,
    entry::Meta,
    name::{self, show},
    tree::{Dir, Found, Tree},
};
use ctr_core::{Cannot, Error, Result};
use rustix::{
    fs::{self, Mode, OFlags},
    io::Errno,
};
use std::collections::VecDeque;

/// Symbolic links resolved on one path, as many as the kernel does.
const MAX_LINKS: usize = 40;

impl Tree {
    /// Goes to `path`, making what is missing; links are resolved with the tree as the root.
    pub(crate) fn walk(&mut self, path: &[u8], meta: &Meta) -> Result<Dir> {
        let mut here = self.at(&[])?;
        let mut links = 0;
        // Components to go, each with whether a link asked for it: a link to nowhere is not made true.
        let mut ahead: VecDeque<(Vec<u8>, bool)> = components(path).map(|c| (c.to_vec(), false)).collect();
        while let Some((name, by_link)) = ahead.pop_front() {
            if name == b".." {
                here = self.at(name::split(&here.path).0)?;
                continue;
            }
            match step(&here, &name) {
                Ok(dir) => here = dir,
                Err(Errno::NOENT) if by_link => return Err(beyond(path, "a link to nowhere")),
                Err(Errno::NOENT) => {
                    self.imply(&here, &name, meta)?;
                    ahead.push_front((name, false));
                }
                Err(Errno::NOTDIR | Errno::LOOP) => match here.found(&name)? {
                    Found::Link if links < MAX_LINKS => {
                        links += 1;
                        let target = fs::readlinkat(&here.fd, &name, Vec::new())
                            .cannot(|| format!("read link {}", show(&name::join(&here.path, &name))))?
                            .into_bytes();
                        if target.starts_with(b"/") {
                            here = self.at(&[])?;
                        }
                        for part in components(&target).rev() {
                            ahead.push_front((part.to_vec(), true));
                        }
                    }
                    Found::Link => return Err(beyond(path, "too many links")),
                    Found::Whiteout if by_link => return Err(beyond(path, "a link to nowhere")),
                    // Gone from the lower layers, and here anew.
                    Found::Whiteout => {
                        self.imply(&here, &name, meta)?;
                        ahead.push_front((name, false));
                    }
                    Found::Directory | Found::Other => return Err(beyond(path, "a file that is no directory")),
                },
                Err(e) => return Err(e).cannot(|| format!("open directory {}", show(path))),
            }
        }
        Ok(here)
    }

    fn at(&self, path: &[u8]) -> Result<Dir> {
        let fd = self.open_beneath(path, OFlags::PATH).cannot(|| format!("open directory {}", show(path)))?;
        Ok(Dir { path: path.to_vec(), fd })
    }
}

fn beyond(path: &[u8], what: &str) -> Error {
    corrupt(format!("entry {} lies beyond {what}", show(path)))
}

fn step(here: &Dir, name: &[u8]) -> rustix::io::Result<Dir> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = fs::openat(&here.fd, name, flags, Mode::empty())?;
    Ok(Dir { path: name::join(&here.path, name), fd })
}

/// `..` stays in: it counts where a link was resolved.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|c| !matches!(*c, b"" | b"."))
}
