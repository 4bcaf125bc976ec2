//! The "cgroup" mount: what the container sees below /sys/fs/cgroup.

use super::{
    mounts::NewFs,
    options::MountOptions,
    plan::Plan,
    root::{attach, clone_tree},
    target::{Kind, Root},
};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result};
use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::MountAttrFlags as Attr,
};
use std::{os::fd::AsFd, path::Path};

/// Mounts the container's own groups at `dest`.
///
/// Version 2 is one file system. In a cgroup namespace of the container's own it is mounted anew; a mount in the first one
/// would take the file system's options (nsdelegate, memory_recursiveprot) for the whole machine, and off where it names
/// none, so there the group is bound.
///
/// Version 1 is a tmpfs with a directory a hierarchy, each the container's own group bound: eight times cheaper than
/// mounting every hierarchy anew, which makes and tears down a superblock each, and the same to look at, for in a cgroup
/// namespace a group is the root of what is seen.
pub fn mount(root: &Root, dest: &Path, options: &MountOptions, plan: &Plan<'_>) -> Result<()> {
    let what = || format!("mount cgroup on {}", dest.display());
    let groups = &plan.groups;
    let on = root.make_plain(dest, Kind::Directory)?;
    if groups.unified {
        let mounted = || NewFs::open("cgroup2").and_then(|fs| fs.mount(options.top.set));
        let tree = match (plan.namespaces.is_new(Type::Cgroup).then(mounted), groups.list.first()) {
            (Some(Ok(tree)), _) => tree,
            (_, Some(group)) => bound(&group.dir(), options.top.set)?,
            (Some(Err(e)), None) => return Err(e),
            (None, None) => {
                return Err(Error::new(
                    Code::Unsupported,
                    format!("cannot {}: no group of the caller is seen", what()),
                ));
            }
        };
        return attach(&tree, &on).cannot(what);
    }

    let fs = NewFs::open("tmpfs")?;
    fs.set("source", Some("cgroup"))?;
    fs.set("mode", Some("755"))?;
    let tmpfs = fs.mount(options.top.set - Attr::MOUNT_ATTR_RDONLY)?;
    attach(&tmpfs, &on).cannot(what)?;
    for group in groups.list.iter().filter(|g| g.hierarchy.version == 1 && g.exists()) {
        let name = group.hierarchy.name.as_str();
        rustix::fs::mkdirat(&tmpfs, name, Mode::from_raw_mode(0o755)).cannot(what)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(&tmpfs, name, flags, Mode::empty()).cannot(what)?;
        attach(bound(&group.dir(), options.top.set)?, place).cannot(what)?;
        // `cpu` beside `cpu,cpuacct`, as every host has it.
        for controller in name.split(',').filter(|c| *c != name) {
            rustix::fs::symlinkat(name, &tmpfs, controller).cannot(what)?;
        }
    }
    if options.top.set.contains(Attr::MOUNT_ATTR_RDONLY) {
        sys::mount_setattr(tmpfs.as_fd(), false, Attr::MOUNT_ATTR_RDONLY, Attr::empty(), 0).cannot(what)?;
    }
    Ok(())
}

fn bound(group: &Path, attributes: Attr) -> Result<std::os::fd::OwnedFd> {
    let what = || format!("bind control group {}", group.display());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(CWD, group, flags, Mode::empty()).cannot(what)?;
    let tree = clone_tree(dir, false).cannot(what)?;
    sys::mount_setattr(tree.as_fd(), false, attributes, Attr::empty(), 0).cannot(what)?;
    Ok(tree)
}
