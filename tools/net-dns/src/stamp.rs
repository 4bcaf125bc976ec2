//! What a file or directory was when it was read, to tell whether it is that still.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

/// Times of files are those of the kernel's ticks (10 ms at most): of two changes in one tick the second leaves no trace.
const TICK: Duration = Duration::from_millis(20);

/// Of a file that is always replaced by another, or of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// As it is now; `None` where it is gone.
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self { inode: found.ino(), size: found.size(), modified: found.modified().ok() })
    }

    /// Whether a change that comes from now on would change it too; else what is read now must not be kept.
    fn is_settled(&self) -> bool {
        let since = self.modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        since.is_some_and(|since| since > TICK)
    }
}

/// What was read of something, with its stamp from before.
#[derive(Debug)]
pub struct Kept<T> {
    stamp: Option<Stamp>,
    /// It.
    pub value: T,
}

impl<T> Kept<T> {
    /// What `kept` has if the thing at `path` is as it was; else what `read` gives.
    pub fn or_read(kept: Option<Self>, path: &Path, read: impl FnOnce() -> T) -> Self {
        let stamp = Stamp::of(path).filter(Stamp::is_settled);
        match kept {
            Some(kept) if stamp.is_some() && kept.stamp == stamp => kept,
            _ => Self { value: read(), stamp },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_changed_is_read_again() {
        let dir = std::env::temp_dir().join(format!("net-dns-stamp-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("file");
        let read = |kept, path: &Path| Kept::or_read(kept, path, || fs::read_to_string(path).unwrap_or_default());
        let mut kept = None;
        // However fast one change follows the other.
        for n in 0..50 {
            let aside = dir.join("aside");
            fs::write(&aside, n.to_string()).unwrap();
            fs::rename(&aside, &file).unwrap();
            let now = read(kept.take(), &file);
            assert_eq!(now.value, n.to_string());
            kept = Some(now);
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(read(kept, &file).value, "");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_did_not_is_not() {
        let kept = Kept::or_read(None, Path::new("/proc/self/no-such"), || 1);
        assert_eq!(Kept::or_read(Some(kept), Path::new("/proc/self/no-such"), || 2).value, 2);
        let kept = Kept::or_read(None, Path::new("/"), || 1);
        let settled = kept.stamp.is_some();
        assert_eq!(Kept::or_read(Some(kept), Path::new("/"), || 2).value, if settled { 1 } else { 2 });
    }
}
