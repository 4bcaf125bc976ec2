//! What is bound: its source found once, by descriptor, and copied as a mount that is attached nowhere yet.
//!
//! Some copies are made by the tool before the clone, for in the new mount namespace it is too late: there every mount is
//! a slave, so that none could lead back to the host; and to map ids takes a right over the file system that a container with a
//! user namespace of its own does not have (mount_setattr(2), `MOUNT_ATTR_IDMAP`).

use super::{
    namespaces::map_text,
    options::MountOptions,
    root::clone_tree,
    target::{self, Root},
};
use crate::sys::{self, Cloned};
use ctr_core::{Cannot, Code, Error, Result, json, paths, trace};
use oci_spec::runtime::{Linux, LinuxIdMapping, Mount};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    mount::MountAttrFlags,
    process::{DumpableBehavior, Pid, WaitOptions, waitpid},
};
use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// The copies that only the tool can make: one a mount of the spec, `None` where the new process makes it.
///
/// # Errors
/// Those of the source; `invalid` for ids that are to be mapped as the container's are, which has them as the host has.
pub fn prepare(mounts: &[Mount], linux: &Linux) -> Result<Vec<Option<OwnedFd>>> {
    mounts.iter().map(|mount| prepare_one(mount, linux)).collect()
}

fn prepare_one(mount: &Mount, linux: &Linux) -> Result<Option<OwnedFd>> {
    let options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str))?;
    let ids = ids(mount, &options, linux)?;
    let leads_back = options.propagation.iter().any(|(kind, _)| *kind == libc::MS_SHARED);
    if ids.is_none() && !leads_back {
        return Ok(None);
    }
    if leads_back && ["/dev", "/proc", "/sys"].iter().any(|dir| mount.destination().starts_with(dir)) {
        let message =
            format!("{} cannot be shared: what is mounted there is not for the host", mount.destination().display());
        return Err(Error::new(Code::Invalid, message));
    }
    if !is_bind(mount, &options) {
        let message =
            format!("mount on {}: only what is bound is shared, or has its ids mapped", mount.destination().display());
        return Err(Error::new(Code::Unsupported, message));
    }
    if trace::dry_run() {
        return Ok(None);
    }
    let what = || json!({"source": mount.source(), "ids": ids.is_some(), "shared": leads_back});
    trace::act("open_tree", what, || {
        let (tree, _) = open(mount, &options)?;
        if let Some((uids, gids)) = ids {
            let failed = || format!("map the ids of what is bound on {}", mount.destination().display());
            let user = user_namespace(uids, gids).cannot(failed)?;
            sys::mount_idmap(tree.as_fd(), options.bind.unwrap_or(false), user.as_fd()).map_err(|e| {
                match e.raw_os_error() {
                    Some(libc::EINVAL) => Error::new(
                        Code::Unsupported,
                        format!("cannot {}: its file system has no mapped ids, or one beneath it", failed()),
                    ),
                    _ => Error::io(failed(), &e),
                }
            })?;
        }
        Ok(Some(tree))
    })
}

/// Whether a mount is a bind.
pub fn is_bind(mount: &Mount, options: &MountOptions) -> bool {
    options.bind.is_some() || mount.typ().as_deref() == Some("bind")
}

/// Whether what the host mounts beneath the source later shows in the container.
pub fn propagates(mount: &Mount) -> bool {
    let options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str)).unwrap_or_default();
    options.propagation.iter().any(|(kind, _)| matches!(*kind, libc::MS_SHARED | libc::MS_SLAVE))
}

/// Refuses such a mount where no control group keeps the process from devices: what would come has no `nodev`.
///
/// # Errors
/// `unsupported`, naming the place.
pub fn refuse_propagation<'a>(mounts: impl IntoIterator<Item = &'a Mount>) -> Result<()> {
    match mounts.into_iter().find(|mount| propagates(mount)) {
        None => Ok(()),
        Some(mount) => {
            let message = format!(
                "{} cannot be shared or a slave without a control group for devices",
                mount.destination().display()
            );
            Err(Error::new(Code::Unsupported, message).hint("put cg-limit before this tool"))
        }
    }
}

/// A copy of the source of a bind, and whether it is a directory.
///
/// # Errors
/// `invalid` for a source that is not absolute; the kernel's.
pub fn open(mount: &Mount, options: &MountOptions) -> Result<(OwnedFd, bool)> {
    let dest = mount.destination();
    let Some(source) = mount.source().as_ref().filter(|s| s.is_absolute()) else {
        return Err(Error::new(Code::Invalid, format!("bind mount on {} has no absolute source", dest.display())));
    };
    let what = || format!("bind {} on {}", source.display(), dest.display());
    let place = find(source).cannot(what)?;
    let is_dir = target::file_type(&place).cannot(what)? == FileType::Directory;
    let tree = clone_tree(&place, options.bind.unwrap_or(false)).cannot(what)?;
    Ok((tree, is_dir))
}

/// Within a volume other containers write: there a path stays in it, wherever links that they made would lead.
pub fn find(source: &Path) -> rustix::io::Result<OwnedFd> {
    let open = |path: &Path| rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    match paths::volume_at(source) {
        Some((name, below)) if !below.as_os_str().is_empty() => {
            Root::new(open(&paths::volume_data(name))?).open(below, OFlags::PATH)
        }
        _ => open(source),
    }
}

type Maps<'a> = (&'a [LinuxIdMapping], &'a [LinuxIdMapping]);

/// Ids of the source's file system to those that the mount shows (runtime-spec, config.md, "Mounts", `uidMappings`).
fn ids<'a>(mount: &'a Mount, options: &MountOptions, linux: &'a Linux) -> Result<Option<Maps<'a>>> {
    let none = &[][..];
    let own = (mount.uid_mappings().as_deref().unwrap_or(none), mount.gid_mappings().as_deref().unwrap_or(none));
    match own {
        ([], []) if !options.idmap => Ok(None),
        ([], []) => {
            let theirs =
                (linux.uid_mappings().as_deref().unwrap_or(none), linux.gid_mappings().as_deref().unwrap_or(none));
            if theirs.0.is_empty() || theirs.1.is_empty() {
                let message = format!("cannot map the ids of what is bound on {}", mount.destination().display());
                return Err(Error::new(
                    Code::Invalid,
                    format!("{message}: the container has no user namespace of its own"),
                )
                .hint("give idmap=uids=FROM-TO-COUNT;gids=FROM-TO-COUNT"));
            }
            Ok(Some(theirs))
        }
        ([], _) | (_, []) => {
            let message =
                format!("mount on {}: ids of users and of groups are mapped together", mount.destination().display());
            Err(Error::new(Code::Invalid, message))
        }
        both => Ok(Some(both)),
    }
}

/// A user namespace with these maps, which a process that does nothing is the first in, and then gone.
fn user_namespace(uids: &[LinuxIdMapping], gids: &[LinuxIdMapping]) -> std::io::Result<OwnedFd> {
    // Whoever is root in a container with the host's user namespace and process ids could look into it else: it has the host's
    // root and descriptors, and its new namespace is root's (ptrace(2), "Ptrace access mode checking").
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (wait, go) = std::io::pipe()?;
    let pid = match sys::clone(libc::CLONE_NEWUSER as u64, None)? {
        Cloned::Child => {
            drop(go);
            // Ends when the tool has what it wants, or is gone.
            let _ = rustix::io::read(&wait, &mut [0; 1]);
            sys::exit(0)
        }
        Cloned::Parent { pid, .. } => pid,
    };
    drop(wait);
    let made = || {
        fs::write(format!("/proc/{pid}/uid_map"), map_text(uids))?;
        fs::write(format!("/proc/{pid}/gid_map"), map_text(gids))?;
        let path = format!("/proc/{pid}/ns/user");
        Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    };
    let made = made();
    drop(go);
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
    made
}

/// Makes the mounts of a copied tree what the options say, while nobody can see it yet.
pub fn finish(tree: &OwnedFd, options: &MountOptions) -> std::io::Result<()> {
    for (kind, recursive) in &options.propagation {
        sys::mount_setattr(tree.as_fd(), *recursive, MountAttrFlags::empty(), MountAttrFlags::empty(), *kind)?;
    }
    for (change, recursive) in [(&options.all, true), (&options.top, false)] {
        if !change.is_empty() {
            sys::mount_setattr(tree.as_fd(), recursive, change.set, change.clear, 0)?;
        }
    }
    Ok(())
}
