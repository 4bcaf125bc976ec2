//! The names of files that are rotated, and which of them are younger than another.

use ctr_core::{Cannot, Result, container, paths};
use std::{
    collections::HashSet,
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A file that is written to, and the full ones beside it: number 0 and up, the higher the older. Rotation renames
/// each to the next number, the oldest first.
#[derive(Clone, Debug)]
pub struct Series {
    dir: PathBuf,
    stem: &'static str,
    suffix: &'static str,
}

/// Which file it is, whatever its name; no other has this while it is open.
pub type FileId = (u64, u64);

/// The [`FileId`] of a file with this metadata.
pub fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

impl Series {
    /// The log of container `id` (`container::log_file`).
    pub fn log(id: &str) -> Self {
        Self { dir: container::dir(id), stem: "log", suffix: "" }
    }

    /// A log in any directory.
    #[cfg(test)]
    pub fn log_in(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), stem: "log", suffix: "" }
    }

    /// The events (`ctr_core::events`).
    pub fn events() -> Self {
        Self { dir: paths::run().clone(), stem: "events", suffix: ".jsonl" }
    }

    /// Where the files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of file `number`.
    pub fn name(&self, number: usize) -> String {
        match number {
            0 => format!("{}{}", self.stem, self.suffix),
            n => format!("{}.{n}{}", self.stem, self.suffix),
        }
    }

    /// Whether there is any.
    pub fn exists(&self) -> bool {
        self.highest().is_ok_and(|number| number.is_some())
    }

    /// Opens the files younger than `than`, oldest first; all that there are where `than` is not, or no more, among
    /// them.
    ///
    /// They are opened by rising numbers, the way a rotation moves them: so it hides none meanwhile, but may show one
    /// twice. A number without a file is one that a writer was killed at.
    pub fn younger(&self, than: Option<FileId>) -> Result<Vec<File>> {
        let what = || format!("read {}", self.dir.display());
        let Some(highest) = self.highest().cannot(what)? else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for number in 0.. {
            let file = match File::open(self.dir.join(self.name(number))) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::NotFound && number <= highest => continue,
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                Err(e) => return Err(e).cannot(what),
            };
            let id = id_of(&file.metadata().cannot(what)?);
            if than == Some(id) {
                break;
            }
            if seen.insert(id) {
                files.push(file);
            }
        }
        files.reverse();
        Ok(files)
    }

    fn highest(&self) -> io::Result<Option<usize>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let number = |name: &str| match name.strip_prefix(self.stem)?.strip_suffix(self.suffix)? {
            "" => Some(0),
            numbered => numbered.strip_prefix('.')?.parse().ok(),
        };
        entries
            .map(|entry| Ok(entry?.file_name().to_str().and_then(number)))
            .try_fold(None, |highest, found: io::Result<_>| Ok(highest.max(found?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_writers_use() {
        let id = "a".repeat(64);
        let events = ctr_core::events::files();
        assert_eq!(Series::log(&id).dir().join(Series::log(&id).name(0)), container::log_file(&id));
        for (n, path) in events.iter().enumerate() {
            assert_eq!(Series::events().dir().join(Series::events().name(n)), *path);
        }
        assert_eq!(Series::log(&id).name(2), "log.2");
    }
}
