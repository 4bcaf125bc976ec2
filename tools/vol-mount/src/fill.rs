//! The first files of a volume: what the image has at the place where it is mounted.
//!
//! They are copied into a tree beside, which gets another name once it is whole and on the disk; then its files move into the
//! volume, each unless its name is taken. So who is killed leaves either nothing or what the next who uses the volume goes on
//! with, and nothing that somebody has written there meanwhile is replaced.

use ctr_core::{Cannot, Document, Result, Root, files, json, mountinfo::is_mounted, trace};
use ctr_layer::{Place, Take};
use rustix::{
    fd::OwnedFd,
    fs::{
        AtFlags, CWD, Dir, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, Uid, chmodat, chownat, fstat,
        openat, renameat, renameat_with, utimensat,
    },
    io::Errno,
};
use std::{
    ffi::CString,
    fs::DirBuilder,
    os::{fd::AsRawFd, unix::fs::DirBuilderExt},
    path::Path,
};

/// The tree that is being copied, and the one that is whole.
const HALF: &str = ".filling";
const WHOLE: &str = ".filled";
/// mkfs.ext4(8) makes it in every file system.
const LOST: &str = "lost+found";

/// Copies to volume `name`, where it is empty, what the root of the document's container has at `target`: owners, modes, times,
/// extended attributes, links and devices.
///
/// # Errors
/// Those of the copy; the volume is filled at its next use.
pub fn fill(doc: &Document, name: &str, target: &str) -> Result<()> {
    let what = || json!({"volume": name, "from": target});
    trace::act("fill", what, || fill_from(&ctr_rootfs::mounted(doc)?, name, target))
}

fn fill_from(root: &Root, name: &str, target: &str) -> Result<()> {
    // Who uses it at the same time waits, whatever its image has.
    let _lock = ctr_vol::lock(name)?;
    let data = ctr_vol::data(name);
    // A rename does not leave its file system.
    let beside = if is_mounted(&data) { data.clone() } else { ctr_vol::dir(name) };
    let (half, whole) = (beside.join(HALF), beside.join(WHOLE));
    if whole.exists() {
        return take_over(&whole, &data);
    }
    let source = match root.open(target, OFlags::PATH | OFlags::DIRECTORY) {
        // The image has no such directory.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other.cannot(|| format!("open {target} in the root"))?,
    };
    if !names(&open(&data)?, &data)?.is_empty() {
        return Ok(());
    }
    if names(&source, Path::new(target))?.is_empty() {
        return match like(&fstat(&source).cannot(|| format!("stat {target}"))?, &data) {
            // A volume that cannot be changed is mounted as it is.
            Err(Errno::ROFS | Errno::PERM | Errno::ACCESS) => Ok(()),
            other => other.cannot(|| format!("set the owner of {}", data.display())),
        };
    }
    files::remove_tree(&half)?;
    DirBuilder::new().mode(0o700).create(&half).cannot(|| format!("make directory {}", half.display()))?;
    let place = Place { dir: open(&half)?, inside: None };
    ctr_layer::copy(source, b"", &place, Take::Whole, [target, &format!("volume {name}")])
        .and_then(|()| files::sync_fs(&half))
        .and_then(|()| renameat(CWD, &half, CWD, &whole).cannot(|| format!("fill volume {name}")))
        .inspect_err(|_| drop(files::remove_tree(&half)))?;
    take_over(&whole, &data)
}

/// Moves the files of the tree `whole` into `data`.
fn take_over(whole: &Path, data: &Path) -> Result<()> {
    let failed = || format!("fill {}", data.display());
    let (from, to) = (open(whole)?, open(data)?);
    for name in names(&from, whole)? {
        match renameat_with(&from, &name, &to, &name, RenameFlags::NOREPLACE) {
            // Somebody was faster: what is in use stays.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e).cannot(failed),
        }
    }
    like(&fstat(&from).cannot(failed)?, data).cannot(failed)?;
    files::sync_fs(data)?;
    files::remove_tree(whole)
}

fn open(path: &Path) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open {}", path.display()))
}

/// What a directory has, but for what is no file of a volume.
fn names(dir: &OwnedFd, path: &Path) -> Result<Vec<CString>> {
    let failed = || format!("read {}", path.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut entries = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new).cannot(failed)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read() {
        let name = entry.cannot(failed)?.file_name().to_owned();
        if ![".", "..", LOST, HALF, WHOLE].iter().any(|other| other.as_bytes() == name.to_bytes()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Gives the volume's own directory the owner, mode and time of the image's.
fn like(stat: &Stat, data: &Path) -> rustix::io::Result<()> {
    let place = openat(CWD, data, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(&place, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    let held = format!("/proc/self/fd/{}", place.as_raw_fd());
    chmodat(CWD, &held, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 };
    utimensat(CWD, &held, &Timestamps { last_access: time, last_modification: time }, AtFlags::empty())
}
