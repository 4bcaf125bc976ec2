//! The root directory of the container: its own mount, then the only one there is.

use super::target::Root;
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::{MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags},
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// Cuts the new mount namespace off from the host's and makes the root a mount of its own.
///
/// The copied mounts become slaves (`private` where the spec wants that): nothing mounted here reaches the host,
/// and what the host takes off is taken off here too instead of being kept busy.
pub fn enter(rootfs: &Path, propagation: Option<&str>) -> Result<Root> {
    let kind = match propagation {
        None | Some("" | "slave" | "rslave") => MountPropagationFlags::DOWNSTREAM,
        Some("private" | "rprivate" | "unbindable" | "runbindable") => MountPropagationFlags::PRIVATE,
        Some(other) => {
            return Err(Error::new(Code::Unsupported, format!("rootfsPropagation {other} is not supported"))
                .hint("private and slave are"));
        }
    };
    rustix::mount::mount_change("/", kind | MountPropagationFlags::REC).cannot(|| "cut off the mount namespace")?;

    let what = || format!("mount the root {}", rootfs.display());
    let place = open(rootfs)?;
    let tree = clone_tree(place.as_fd(), true).cannot(what)?;
    attach(tree.as_fd(), place.as_fd()).cannot(what)?;
    Ok(Root::new(tree))
}

/// The root directory on the host.
pub fn open(rootfs: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, rootfs, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open the root {}", rootfs.display()))
}

/// A copy of the mount at `place` (with those below it), attached nowhere yet.
pub fn clone_tree(place: impl AsFd, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(place, "", flags)
}

/// Attaches a mount at the place that another descriptor holds: no path is looked up again.
pub fn attach(mount: impl AsFd, place: impl AsFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", place, "", flags)
}

/// Makes the root mount itself read-only; mounts below keep their own attributes.
pub fn make_readonly(root: &Root) -> Result<()> {
    crate::sys::mount_setattr(root.as_fd(), false, MountAttrFlags::MOUNT_ATTR_RDONLY, MountAttrFlags::empty(), 0)
        .cannot(|| "make the root read-only")
}

/// Makes the root `/` and takes everything else off.
///
/// pivot_root(".", ".") stacks the old root on the new one, so that no directory for it is needed in the image and
/// `.` then names the old root to detach (pivot_root(2), NOTES). A detached tree goes once its last user does;
/// chroot(2) alone could be walked out of.
pub fn pivot(root: &Root) -> Result<()> {
    rustix::process::fchdir(root).cannot(|| "enter the root")?;
    rustix::process::pivot_root(".", ".").cannot(|| "pivot into the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).cannot(|| "detach the host's root")?;
    rustix::process::chdir("/").cannot(|| "enter the root")
}
