//! The network namespace of a container: made by this thread, held by a bind mount in `/run/netns`, where `ip netns` finds
//! it.

use crate::names;
use ctr_core::{Cannot, Result, json, trace};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
    mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags},
};
use std::{
    fs::DirBuilder,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
};

const DIR: &str = "/run/netns";
/// Of this thread, whatever the others are in.
const OWN: &str = "/proc/thread-self/ns/net";
/// `NSFS_MAGIC` of `<linux/magic.h>`.
const NSFS: u64 = 0x6e73_6673;

/// Where the namespace of container `id` is held.
pub fn path(id: &str) -> PathBuf {
    Path::new(DIR).join(names::netns(id))
}

/// Whether it is held there: a file alone is what a crash left.
pub fn is_held(id: &str) -> bool {
    rustix::fs::statfs(path(id)).is_ok_and(|fs| fs.f_type as u64 == NSFS)
}

/// The digits of the ids of containers whose namespaces, or what crashes left of them, are there.
pub fn all() -> Vec<String> {
    let entries = std::fs::read_dir(DIR).into_iter().flatten().flatten();
    entries.filter_map(|e| names::id_of_netns(e.file_name().to_str()?).map(str::to_owned)).collect()
}

/// Opens the namespace of container `id`.
///
/// # Errors
/// `not-found`.
pub fn open(id: &str) -> Result<OwnedFd> {
    open_at(&path(id))
}

fn open_at(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open network namespace {}", path.display()))
}

/// Makes a new one, prepares it by `f`, which runs inside, and holds it.
///
/// # Errors
/// `denied` without the right to, those of `f`.
pub fn make(id: &str, f: impl FnOnce() -> Result<()>) -> Result<()> {
    if trace::dry_run() {
        trace::act("unshare", || json!({"netns": path(id)}), || Ok(()))?;
        return f();
    }
    let own = open_at(Path::new(OWN))?;
    let new = || {
        let what = || json!({"netns": path(id)});
        trace::act("unshare", what, || unshare(CloneFlags::CLONE_NEWNET).cannot(|| "make a network namespace"))?;
        f()?;
        hold(id, OWN)
    };
    let made = new();
    back(&own)?;
    made
}

/// Holds the namespace whose file is at `source` for container `id`, by descriptor: what else is in `/run/netns` is
/// never followed.
///
/// # Errors
/// `exists`, `denied`.
pub fn hold(id: &str, source: &str) -> Result<()> {
    trace::act("mount", || json!({"netns": path(id)}), || mount(id, source))
}

fn mount(id: &str, source: &str) -> Result<()> {
    let path = path(id);
    let what = || format!("hold the network namespace at {}", path.display());
    if !Path::new(DIR).exists() {
        let _ = DirBuilder::new().mode(0o755).create(DIR);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(DIR, flags, Mode::empty()).cannot(what)?;
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&dir, names::netns(id), flags, Mode::empty()) {
        // What a crash left between the two steps.
        Err(Errno::EXIST) if !is_held(id) => {
            rustix::fs::unlinkat(&dir, names::netns(id), AtFlags::empty()).cannot(what)?;
            rustix::fs::openat(&dir, names::netns(id), flags, Mode::empty())
        }
        other => other,
    };
    let file = file.cannot(what)?;
    let tree = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, source, tree).cannot(what)?;
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(&tree, "", &file, "", both).cannot(what)
}

/// Runs `f` inside the namespace of container `id`; sockets made there stay there.
///
/// # Errors
/// `not-found` where there is none, `denied`, those of `f`.
pub fn enter<T>(id: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
    if trace::dry_run() && !is_held(id) {
        // Nothing is done in there, and what would be is shown.
        return f();
    }
    let own = open_at(Path::new(OWN))?;
    let path = path(id);
    setns(open(id)?, CloneFlags::CLONE_NEWNET).cannot(|| format!("enter network namespace {}", path.display()))?;
    let result = f();
    back(&own)?;
    result
}

fn back(own: &OwnedFd) -> Result<()> {
    setns(own, CloneFlags::CLONE_NEWNET).cannot(|| "return to the host's network namespace")
}

/// Lets go of the namespace of container `id`: with the last process in it goes all that is in it, its end of the
/// veth and so the host's too. The kernel does that later; to delete the veth first would wait for it, 10 ms and more.
/// Gives whether it was there.
///
/// # Errors
/// `denied`.
pub fn let_go(id: &str) -> Result<bool> {
    let path = path(id);
    if !path.exists() {
        return Ok(false);
    }
    let what = || format!("let go of the network namespace {}", path.display());
    trace::act(
        "unmount",
        || json!({"netns": path}),
        || {
            match rustix::mount::unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(e) => return Err(e).cannot(what),
            }
            ctr_core::files::remove_file(&path)
        },
    )?;
    Ok(true)
}
