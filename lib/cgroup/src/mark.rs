//! Whose a group is. A name says little: a ctr within another container, or one of another root, may see the same
//! hierarchy and give the same names. So each group made here has an extended attribute, which cgroupfs keeps as long as
//! the group is there (kernfs, in both versions; xattr(7)): of the kind that only who administers the machine writes.

use ctr_core::paths;
use rustix::{
    fs::{XattrFlags, getxattr, setxattr},
    io::Errno,
};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

const NAME: &str = "trusted.ctr";

/// Who made a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Device and inode of the root (`CTR_ROOT`) that its container is in: a path means another directory where another
    /// file system is mounted.
    root: String,
    /// The PID namespace that the numbers in its name are of.
    pid_namespace: String,
}

impl Mark {
    /// This process's.
    pub fn own() -> Self {
        let number = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino())).unwrap_or_default();
        let ((device, inode), (_, namespace)) = (number(paths::root()), number(Path::new("/proc/self/ns/pid")));
        Self { root: format!("{device}:{inode}"), pid_namespace: namespace.to_string() }
    }

    /// That of the group whose directory this is; none where it was not made by one of us.
    pub fn of(dir: &Path) -> Option<Self> {
        let mut value = [0; 128];
        let length = getxattr(dir, NAME, &mut value).ok()?;
        let text = std::str::from_utf8(value.get(..length)?).ok()?;
        let (root, pid_namespace) = text.split_once(' ')?;
        Some(Self { root: root.to_owned(), pid_namespace: pid_namespace.to_owned() })
    }

    /// Whether both are of one root: where its container is not, it is nowhere.
    pub fn is_of_root(&self, other: &Self) -> bool {
        self.root == other.root
    }

    /// Whether process numbers mean the same to both.
    pub fn is_of_pid_namespace(&self, other: &Self) -> bool {
        self.pid_namespace == other.pid_namespace
    }

    /// Writes it. In a user namespace, where that is not allowed, groups go without: gc then leaves them alone.
    ///
    /// # Errors
    /// Where the group is gone.
    pub fn put_on(&self, dir: &Path) -> io::Result<()> {
        let text = format!("{} {}", self.root, self.pid_namespace);
        match setxattr(dir, NAME, text.as_bytes(), XattrFlags::empty()) {
            Err(Errno::NOENT) => Err(Errno::NOENT.into()),
            _ => Ok(()),
        }
    }
}
