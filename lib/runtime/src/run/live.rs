//! Mounts of a container that runs: one more, or one less, from outside.
//!
//! What is mounted is copied and finished here, where its source is; a process of ours enters the container's mount namespace
//! and attaches it there, at a place beneath its root. Nothing of the container is executed, and what it could change of its
//! own paths meanwhile leads to no other place than one in its root.

use super::{
    bind,
    channel::{Channel, Message},
    guard,
    mounts::{self, NewFs, is_kernels},
    options::MountOptions,
    root::attach,
    target::{Kind, Root},
};
use crate::sys::{self, Cloned};
use ctr_cgroup::Groups;
use ctr_core::{Cannot, Code, Error, Process, Result, container, json, mountinfo, trace};
use oci_spec::runtime::{Mount, Spec};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, statx},
    io::Errno,
    mount::{MountAttrFlags, UnmountFlags},
    process::{Pid, WaitOptions, waitpid},
    thread::ThreadNameSpaceType,
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// Mounts `mount`, a bind or a tmpfs, in the container whose spec is `spec` and whose process is `process`; gives the number of the
/// mount, where the kernel gives it one for good.
///
/// # Errors
/// `not-found` where the process is gone; `exists` where something is mounted there; those of a mount at the start.
pub fn mount_into(process: Process, spec: &Spec, mount: &Mount) -> Result<Option<u64>> {
    let linux = spec.linux().clone().unwrap_or_default();
    let options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str))?;
    let groups = Groups::beside(process)?;
    let guarded = guard::is_needed(&linux, &groups);
    if guarded {
        bind::refuse_propagation([mount])?;
    }
    let shared: Vec<_> = mountinfo::of(process.pid)?.into_iter().filter(|m| m.shared).map(|m| m.id).collect();
    let what = || json!({"type": mount.typ(), "source": mount.source(), "target": mount.destination(), "process": process.pid});
    trace::act("mount", what, || {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let (tree, is_dir) = if bind::is_bind(mount, &options) {
            let prepared = bind::prepare(std::slice::from_ref(mount), &linux)?.pop().flatten();
            match prepared {
                Some(tree) => {
                    let is_dir = super::target::file_type(&tree).cannot(|| "stat")? == FileType::Directory;
                    (tree, is_dir)
                }
                None => bind::open(mount, &options)?,
            }
        } else if kind == "tmpfs" {
            (NewFs::of(kind, mount, &options)?.mount(options.top.set)?, true)
        } else {
            return Err(Error::new(Code::Unsupported, format!("a {kind} cannot be mounted in a container that runs")));
        };
        let failed = || format!("mount on {}", mount.destination().display());
        if kind != "tmpfs" {
            bind::finish(&tree, &options).cannot(failed)?;
        }
        if guarded {
            sys::mount_setattr(tree.as_fd(), true, MountAttrFlags::MOUNT_ATTR_NODEV, MountAttrFlags::empty(), 0)
                .cannot(failed)?;
        }
        let kind = if is_dir { Kind::Directory } else { Kind::File };
        inside(process, |root| {
            root.set_shared(shared);
            if is_mounted(root, mount.destination()) {
                let message = format!("something is mounted on {} already", mount.destination().display());
                return Err(Error::new(Code::Exists, message));
            }
            let on = mounts::place_for(root, mount.destination(), "bind", Some(&tree), kind)?;
            if is_kernels(&on) {
                let message = format!("cannot mount on {}: it is the kernel's", mount.destination().display());
                return Err(Error::new(Code::Invalid, message));
            }
            attach(&tree, &on).cannot(failed)
        })?;
        Ok(number_of(&tree))
    })
}

/// Unmounts what is on the destination of `mount` in the container, if it is that mount: by the number that [`mount_into`] gave,
/// or else by its source. Succeeds where nothing is mounted there.
///
/// # Errors
/// `busy` where a process uses it; `invalid` where something else is mounted there.
pub fn unmount_from(process: Process, mount: &Mount, number: Option<u64>) -> Result<()> {
    let destination = mount.destination();
    let what = || json!({"target": destination, "process": process.pid});
    let wanted = match number {
        Some(number) => Wanted::Number(number),
        None => Wanted::of(mount)?,
    };
    trace::act("umount", what, || {
        inside(process, |root| {
            let failed = || format!("unmount {}", destination.display());
            if !is_mounted(root, destination) {
                return Ok(());
            }
            let other = || {
                let message = format!("on {} something else is mounted", destination.display());
                Err(Error::new(Code::Invalid, message).hint("it goes when the container ends"))
            };
            let (Some(parent), Some(name)) = (destination.parent(), destination.file_name()) else { return other() };
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let dir = match wanted {
                Wanted::Number(_) => root.open(parent, flags),
                // A link on the way could lead to a mount that hides something of the same source.
                _ => root.open_plain(parent, flags),
            };
            let dir = dir.cannot(failed)?;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let there = rustix::fs::openat(&dir, name, flags, Mode::empty()).cannot(failed)?;
            if !wanted.is(&there).cannot(failed)? || is_kernels(&dir) {
                return other();
            }
            // It is in use as long as a descriptor is in it.
            drop(there);
            rustix::process::fchdir(&dir).cannot(failed)?;
            match rustix::mount::unmount(name, UnmountFlags::NOFOLLOW) {
                Err(Errno::BUSY) => {
                    let message =
                        format!("cannot unmount {}: a process of the container uses it", destination.display());
                    Err(Error::new(Code::Busy, message))
                }
                other => other.cannot(failed),
            }
        })
    })
}

/// By what a mount is told from another.
#[derive(Clone, Copy)]
enum Wanted {
    Number(u64),
    /// Device and inode of its root.
    Root(u64, u64),
    Tmpfs,
}

impl Wanted {
    fn of(mount: &Mount) -> Result<Self> {
        let Some(source) = mount.source().as_ref().filter(|source| source.is_absolute()) else {
            return Ok(Self::Tmpfs);
        };
        let stat = bind::find(source).and_then(rustix::fs::fstat).cannot(|| format!("open {}", source.display()))?;
        Ok(Self::Root(stat.st_dev, stat.st_ino))
    }

    fn is(self, there: &OwnedFd) -> rustix::io::Result<bool> {
        match self {
            Self::Number(number) => Ok(number_of(there) == Some(number)),
            Self::Root(dev, inode) => rustix::fs::fstat(there).map(|stat| (stat.st_dev, stat.st_ino) == (dev, inode)),
            Self::Tmpfs => rustix::fs::fstatfs(there).map(|fs| fs.f_type == libc::TMPFS_MAGIC),
        }
    }
}

/// The number of the mount that `fd` is in, which no other gets before the next boot (statx(2), `STATX_MNT_ID_UNIQUE`; Linux 6.8).
fn number_of(fd: &OwnedFd) -> Option<u64> {
    const UNIQUE: u32 = 0x4000;
    let stat = statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::from_bits_retain(UNIQUE)).ok()?;
    (stat.stx_mask & UNIQUE != 0).then_some(stat.stx_mnt_id)
}

/// Whether `path` is where something is mounted (statx(2), `STATX_ATTR_MOUNT_ROOT`).
fn is_mounted(root: &Root, path: &Path) -> bool {
    root.open(path, OFlags::PATH).is_ok_and(|fd| mountinfo::is_mounted_at(fd, ""))
}

/// Does `f` in a process in the mount namespace of `process`, with the container's root.
fn inside(process: Process, f: impl FnOnce(&Root) -> Result<()>) -> Result<()> {
    let gone = || Error::new(Code::NotFound, format!("process {} is gone", process.pid));
    let handle = container::Handle::of(process)?.ok_or_else(gone)?;
    let (ours, theirs) = Channel::pair()?;
    let pid = match sys::clone(0, None).cannot(|| "start a process")? {
        Cloned::Child => {
            drop(ours);
            let entered = || {
                let kind = ThreadNameSpaceType::MOUNT;
                rustix::thread::move_into_thread_name_spaces(handle.fd(), kind)
                    .cannot(|| "join the mount namespace")?;
                // setns(2) has made the root of that namespace ours.
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                f(&Root::new(rustix::fs::open("/", flags, Mode::empty()).cannot(|| "open the root")?))
            };
            if let Err(e) = entered() {
                theirs.fail(&e);
            }
            drop(theirs);
            sys::exit(0)
        }
        Cloned::Parent { pid, .. } => pid,
    };
    drop(theirs);
    let news = ours.next();
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
    match news? {
        Message::Failed(error) => Err(error),
        _ => Ok(()),
    }
}
