//! Writes to /proc: only through a procfs of our own that is mounted nowhere.
//!
//! A write through the container's /proc could be led elsewhere by a mount or a link that an image or another
//! process put there (CVE-2025-52881); nothing can be put on one that nobody else can reach.

use super::mounts::{NewFs, is_procfs};
use ctr_core::{Cannot, Code, Error, Result, open_beneath};
use rustix::{
    fs::{OFlags, ResolveFlags},
    mount::MountAttrFlags as Attr,
};
use std::os::fd::OwnedFd;

/// A procfs of this process's pid namespace, attached nowhere.
pub struct Proc(OwnedFd);

impl Proc {
    /// Makes one.
    pub fn open() -> Result<Self> {
        let attributes = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_NOEXEC;
        let fd = NewFs::open("proc")?.mount(attributes)?;
        Ok(Self(fd))
    }

    /// Writes `value` to the file `path` (relative) of procfs.
    pub fn write(&self, path: &str, value: &str) -> Result<()> {
        let what = || format!("write {value:?} to /proc/{path}");
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        let file = open_beneath(&self.0, path, OFlags::WRONLY, resolve).cannot(what)?;
        if !is_procfs(&file) {
            return Err(Error::new(Code::Internal, format!("/proc/{path} is not of procfs")));
        }
        rustix::io::write(&file, value.as_bytes()).cannot(what).map(drop)
    }
}

/// `net.ipv4.ip_forward` is the file `sys/net/ipv4/ip_forward`; a key may be written with slashes too, and then
/// a dot is part of a name (sysctl(8)).
pub fn sysctl_path(key: &str) -> String {
    let dotted = key.find(['.', '/']).is_none_or(|at| key.as_bytes()[at] == b'.');
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    let path: String = if dotted { key.chars().map(swapped).collect() } else { key.to_owned() };
    format!("sys/{path}")
}

/// Whether a kernel parameter belongs to the namespaces of the container, and may be set without touching the host.
/// `ipc`, `net` and `uts` say whether the container has its own.
pub fn sysctl_allowed(key: &str, ipc: bool, net: bool, uts: bool) -> bool {
    const IPC: &[&str] = &[
        "sys/kernel/msgmax",
        "sys/kernel/msgmnb",
        "sys/kernel/msgmni",
        "sys/kernel/sem",
        "sys/kernel/shmall",
        "sys/kernel/shmmax",
        "sys/kernel/shmmni",
        "sys/kernel/shm_rmid_forced",
    ];
    let path = sysctl_path(key);
    if path.split('/').any(|name| name == ".." || name.is_empty()) {
        return false;
    }
    (ipc && (IPC.contains(&path.as_str()) || path.starts_with("sys/fs/mqueue/")))
        || (net && path.starts_with("sys/net/"))
        || (uts && path == "sys/kernel/domainname")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_paths() {
        assert_eq!(sysctl_path("net.ipv4.ip_forward"), "sys/net/ipv4/ip_forward");
        assert_eq!(sysctl_path("net.ipv4.conf.eth0/1.forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(sysctl_path("net/ipv4/conf/eth0.1/forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
    }

    #[test]
    fn only_parameters_of_own_namespaces_may_be_set() {
        assert!(sysctl_allowed("net.ipv4.ip_forward", false, true, false));
        assert!(!sysctl_allowed("net.ipv4.ip_forward", true, false, true));
        assert!(sysctl_allowed("kernel.shmmax", true, false, false));
        for bad in ["kernel.core_pattern", "vm.swappiness", "net/../kernel/core_pattern", "net//x", ""] {
            assert!(!sysctl_allowed(bad, true, true, true), "{bad}");
        }
    }
}
