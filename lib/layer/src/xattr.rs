//! Extended attributes: which of them belong to a file, and reading those of one that is held by a descriptor.

use rustix::{
    fd::{AsRawFd, BorrowedFd},
    fs::{fgetxattr, flistxattr, getxattr, listxattr},
    io::Errno,
};
use std::{ffi::CString, sync::OnceLock};

/// What the kernel gives at most of a list and of a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX: usize = 64 << 10;
/// What is tried first: the kernel takes and clears as much memory as the buffer has, for every call.
const USUAL: usize = 256;

/// Overlay's own would make whiteouts, opaque directories and redirects of whatever they stand on.
const OVERLAYS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
/// The labels of SELinux and the mappings of NFS belong to the host.
const HOSTS: [&[u8]; 2] = [b"security.selinux", b"system.nfs4_acl"];

/// Whether an attribute goes with its file, from a tar and into one.
pub(crate) fn goes_along(name: &[u8]) -> bool {
    !OVERLAYS.iter().any(|prefix| name.starts_with(prefix)) && !HOSTS.contains(&name)
}

/// Names and values, sorted by name.
pub(crate) type List = Vec<(CString, Vec<u8>)>;

/// What overlay notes in the attributes of a file of an upper layer (kernel, filesystems/overlayfs.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The directory hides what the layers below have in it.
    pub(crate) opaque: bool,
    /// The directory was renamed: what it has from below lies there under another name.
    pub(crate) redirect: bool,
    /// The file has no data of its own: that lies below.
    pub(crate) metacopy: bool,
    /// The file stands for a deletion, as a device 0:0 does.
    pub(crate) whiteout: bool,
}

impl Marks {
    /// Whether an attribute of overlay's says anything here: a copied file has others, each a call to read.
    fn says(key: &[u8]) -> bool {
        matches!(key, b"opaque" | b"redirect" | b"metacopy" | b"whiteout")
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"opaque" => self.opaque = value == b"y",
            b"redirect" => self.redirect = true,
            b"metacopy" => self.metacopy = true,
            b"whiteout" => self.whiteout = true,
            _ => {}
        }
    }
}

/// How the names begin that overlay reads here: in a user namespace others than in the first (mount option `userxattr`).
/// The container can set those of the other kind, and then they say nothing.
fn overlays_own() -> &'static [u8] {
    static OWN: OnceLock<&[u8]> = OnceLock::new();
    OWN.get_or_init(|| {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let first = map.split_whitespace().eq(["0", "0", "4294967295"]);
        OVERLAYS[usize::from(!first)]
    })
}

/// A file by its descriptor: one of `O_PATH` has no flistxattr(2).
#[derive(Clone, Copy)]
pub(crate) enum Access<'a> {
    Open(BorrowedFd<'a>),
    Held(BorrowedFd<'a>),
}

/// Reads attributes; has the room for what is read, used again for every file.
pub struct Reader {
    list: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// Makes room for the longest list and the largest value.
    pub fn new() -> Self {
        Self { list: vec![0; MAX], value: vec![0; MAX] }
    }

    /// The attributes of the file that `fd` holds (`O_PATH`), of whatever kind it is, by name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read_held(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<Vec<(CString, Vec<u8>)>> {
        self.read(Access::Held(fd)).map(|(list, _)| list)
    }

    /// The attributes of a file, of whatever kind it is.
    pub(crate) fn read(&mut self, file: Access<'_>) -> rustix::io::Result<(List, Marks)> {
        let held = match file {
            Access::Open(_) => String::new(),
            // The link leads to the file that is held, a symbolic link too.
            Access::Held(fd) => format!("/proc/self/fd/{}", fd.as_raw_fd()),
        };
        let length = with_room(&mut self.list, |list| match file {
            Access::Open(fd) => flistxattr(fd, list),
            Access::Held(_) => listxattr(&held, list),
        });
        let length = match length {
            Err(Errno::OPNOTSUPP) => return Ok(Default::default()),
            other => other?,
        };
        let (mut found, mut marks) = (Vec::new(), Marks::default());
        for name in self.list[..length].split(|b| *b == 0) {
            let mark = name.strip_prefix(overlays_own());
            let is_wanted = mark.map_or_else(|| !name.is_empty() && goes_along(name), Marks::says);
            if !is_wanted {
                continue;
            }
            let length = with_room(&mut self.value, |value| match file {
                Access::Open(fd) => fgetxattr(fd, name, value),
                Access::Held(_) => getxattr(&held, name, value),
            });
            let value = match length {
                // Taken away since it was listed.
                Err(Errno::NODATA) => continue,
                other => &self.value[..other?],
            };
            match (mark, CString::new(name)) {
                (Some(key), _) => marks.take(key, value),
                (None, Ok(name)) => found.push((name, value.to_vec())),
                (None, Err(_)) => {}
            }
        }
        found.sort();
        Ok((found, marks))
    }
}

/// Reads into the beginning of the room; into all of it what is longer.
fn with_room(
    room: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<usize> {
    match read(&mut room[..USUAL]) {
        Err(Errno::RANGE) => read(room),
        other => other,
    }
}
