//! Paths that the container must not see (masked) or not change (read-only).

use super::{
    mounts::NewFs,
    root::{attach, clone_tree},
    target::{self, Root, is_char_device},
};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use rustix::{
    fs::{FileType, OFlags},
    io::Errno,
    mount::MountAttrFlags as Attr,
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// Covers each path that exists: a directory by one empty read-only tmpfs, all else by /dev/null.
pub fn mask(root: &Root, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    trace::act(
        "mask",
        || json!({"paths": paths}),
        || {
            let mut null = None;
            let mut empty = None;
            for path in paths {
                let what = || format!("mask {path}");
                let Some(on) = find(root, path)? else { continue };
                let is_dir = target::file_type(&on).cannot(what)? == FileType::Directory;
                let cover = if is_dir { empty_dir(empty.as_ref())? } else { cover_of_null(root, &mut null)? };
                attach(&cover, &on).cannot(what)?;
                if is_dir && empty.is_none() {
                    empty = Some(cover);
                }
            }
            Ok(())
        },
    )
}

/// Binds each path that exists over itself, read-only with all below it.
pub fn make_readonly(root: &Root, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    trace::act(
        "readonly",
        || json!({"paths": paths}),
        || {
            for path in paths {
                let what = || format!("make {path} read-only");
                let Some(on) = find(root, path)? else { continue };
                let tree = clone_tree(&on, true).cannot(what)?;
                sys::mount_setattr(tree.as_fd(), true, Attr::MOUNT_ATTR_RDONLY, Attr::empty(), 0).cannot(what)?;
                attach(&tree, &on).cannot(what)?;
            }
            Ok(())
        },
    )
}

fn find(root: &Root, path: &str) -> Result<Option<OwnedFd>> {
    match root.open(Path::new(path), OFlags::PATH) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(e) => Err(e).cannot(|| format!("open {path} in the root")),
    }
}

/// The container's /dev/null (`O_PATH`), checked to be that device and not what an image put there (CVE-2025-31133).
pub fn dev_null(root: &Root) -> Result<OwnedFd> {
    let null = root.open_plain(Path::new("/dev/null"), OFlags::PATH).cannot(|| "open /dev/null of the container")?;
    if is_char_device(&null, 1, 3).cannot(|| "stat /dev/null of the container")? {
        return Ok(null);
    }
    Err(Error::new(Code::Invalid, "/dev/null of the container is not the null device"))
}

/// A read-only mount of it: a null device can be written to on a read-only mount, but its mode not changed.
fn cover_of_null(root: &Root, null: &mut Option<OwnedFd>) -> Result<OwnedFd> {
    let null = match null {
        Some(null) => null,
        None => null.insert(dev_null(root)?),
    };
    let cover = clone_tree(null, false).cannot(|| "bind /dev/null")?;
    let attributes = Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC;
    sys::mount_setattr(cover.as_fd(), false, attributes, Attr::empty(), 0).cannot(|| "make /dev/null read-only")?;
    Ok(cover)
}

/// An empty read-only directory: the same superblock for all, each time another mount of it.
fn empty_dir(first: Option<&OwnedFd>) -> Result<OwnedFd> {
    if let Some(attached) = first {
        return clone_tree(attached, false).cannot(|| "bind an empty directory");
    }
    let fs = NewFs::open("tmpfs")?;
    fs.set("mode", Some("555"))?;
    fs.mount(Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_NOEXEC)
}
