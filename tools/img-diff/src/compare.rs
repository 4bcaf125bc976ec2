//! Two merged trees side by side. What both have of the same layers is the same, and is not looked at.

use crate::file;
use ctr_core::Result;
use ctr_layer::{
    Change, Xattrs,
    stack::{Below, Stack},
};
use rustix::fs::FileType;
use std::collections::BTreeSet;

/// The comparison.
pub(crate) struct Comparison<'a> {
    from: &'a Stack,
    to: &'a Stack,
    xattrs: Xattrs,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(from: &'a Stack, to: &'a Stack) -> Self {
        Self { from, to, xattrs: Xattrs::new(), changes: Vec::new() }
    }

    /// All changes, sorted by path.
    pub(crate) fn run(mut self) -> Result<Vec<Change>> {
        self.directory(b"", &self.from.all(), &self.to.all())?;
        self.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.changes)
    }

    /// Compares the directory `path`, which both have, in these layers of theirs; gives whether something differs in it.
    fn directory(&mut self, path: &[u8], from: &[usize], to: &[usize]) -> Result<bool> {
        if self.from.paths(from) == self.to.paths(to) {
            return Ok(false);
        }
        let mut names: BTreeSet<Vec<u8>> = self.from.names(from, path)?.into_iter().collect();
        names.extend(self.to.names(to, path)?);
        let mut differs = false;
        for name in names {
            let path = join(path, &name);
            differs |= match (self.from.at(from, &path)?, self.to.at(to, &path)?) {
                (None, None) => false,
                (Some(_), None) => self.changed('D', path),
                (None, Some(there)) => self.added(path, &there)?,
                (Some(before), Some(after)) => self.both(path, &before, &after)?,
            };
        }
        Ok(differs)
    }

    fn both(&mut self, path: Vec<u8>, before: &Below, after: &Below) -> Result<bool> {
        let inner = match (is_dir(before), is_dir(after)) {
            (true, true) => self.directory(&path, &before.merged, &after.merged)?,
            // What a directory had is gone with it, and what one has is new.
            (false, true) => self.inside(&path, after)?,
            _ => false,
        };
        let differs = inner || file::differs((self.from, before), (self.to, after), &path, &mut self.xattrs)?;
        Ok(differs && self.changed('C', path))
    }

    /// A file, or a directory with all that it has.
    fn added(&mut self, path: Vec<u8>, there: &Below) -> Result<bool> {
        if is_dir(there) {
            self.inside(&path, there)?;
        }
        Ok(self.changed('A', path))
    }

    fn inside(&mut self, path: &[u8], there: &Below) -> Result<bool> {
        for name in self.to.names(&there.merged, path)? {
            let path = join(path, &name);
            if let Some(below) = self.to.at(&there.merged, &path)? {
                self.added(path, &below)?;
            }
        }
        Ok(true)
    }

    fn changed(&mut self, kind: char, path: Vec<u8>) -> bool {
        self.changes.push(Change { kind, path });
        true
    }
}

fn is_dir(below: &Below) -> bool {
    FileType::from_raw_mode(below.stat.st_mode) == FileType::Directory
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') }
}
