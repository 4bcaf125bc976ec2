//! Extended attributes: which of them belong to a file, and reading those of one that is held by a descriptor.

use rustix::{
    fd::{AsRawFd, BorrowedFd},
    fs::{getxattr, listxattr},
    io::Errno,
};
use std::ffi::CString;

/// What the kernel gives at most of a list and of a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX: usize = 64 << 10;

/// Overlay's own would make whiteouts, opaque directories and redirects of whatever they stand on.
const OVERLAYS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
/// The labels of SELinux and the mappings of NFS belong to the host.
const HOSTS: [&[u8]; 2] = [b"security.selinux", b"system.nfs4_acl"];

/// Whether an attribute goes with its file, from a tar and into one.
pub(crate) fn goes_along(name: &[u8]) -> bool {
    !OVERLAYS.iter().any(|prefix| name.starts_with(prefix)) && !HOSTS.contains(&name)
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

    /// The attributes of the file that `fd` holds, of whatever kind it is, by name.
    pub fn read(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<Vec<(CString, Vec<u8>)>> {
        // A descriptor of O_PATH has no fgetxattr(2); the link leads to the file that is held, a symbolic link too.
        let held = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let length = match listxattr(&held, &mut self.list[..]) {
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        for name in self.list[..length].split(|b| *b == 0).filter(|name| !name.is_empty() && goes_along(name)) {
            match getxattr(&held, name, &mut self.value[..]) {
                // Taken away since it was listed.
                Err(Errno::NODATA) => {}
                other => {
                    let value = self.value[..other?].to_vec();
                    found.extend(CString::new(name).ok().map(|name| (name, value)));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
