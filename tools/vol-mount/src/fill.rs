//! The first files of a volume: what the image has at the place where it is mounted.
//!
//! They are copied into a tree beside, which gets another name once it is whole and on the disk; then its files move into the
//! volume, each unless its name is taken. So who is killed leaves either nothing or what the next who uses the volume goes on
//! with, and nothing that somebody has written there meanwhile is replaced.
//!
//! Where the volume is a file system of its own that tree is within it, and containers that have it can rename, replace and
//! link what they find: it is opened once, beneath the volume and as a directory, and from then on by that descriptor.

use ctr_core::{Cannot, Document, Result, Root, files, json, mountinfo::is_mounted, open_beneath, trace};
use ctr_layer::{Place, Take};
use rustix::{
    fd::OwnedFd,
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
        chmodat, chownat, fstat, mkdirat, openat, renameat, renameat_with, syncfs, utimensat,
    },
    io::Errno,
};
use std::{ffi::CString, os::fd::AsRawFd, path::Path};

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
    let path = if is_mounted(&data) { data.clone() } else { ctr_vol::dir(name) };
    let beside = open(&path)?;
    if let Some(whole) = within(&beside, WHOLE).cannot(|| format!("open {}", path.join(WHOLE).display()))? {
        return take_over(&whole, &path, &data);
    }
    let source = match root.open(target, OFlags::PATH | OFlags::DIRECTORY) {
        // The image has no such directory.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other.cannot(|| format!("open {target} in the root"))?,
    };
    let to = open(&data)?;
    if !names(&to, &data)?.is_empty() {
        return Ok(());
    }
    if names(&source, Path::new(target))?.is_empty() {
        return match like(&fstat(&source).cannot(|| format!("stat {target}"))?, &to) {
            // A volume that cannot be changed is mounted as it is.
            Err(Errno::ROFS | Errno::PERM | Errno::ACCESS) => Ok(()),
            other => other.cannot(|| format!("set the owner of {}", data.display())),
        };
    }
    let failed = || format!("fill volume {name}");
    files::remove_tree(&path.join(HALF))?;
    mkdirat(&beside, HALF, Mode::RWXU).cannot(failed)?;
    let place =
        Place { dir: within(&beside, HALF).and_then(|dir| dir.ok_or(Errno::NOENT)).cannot(failed)?, inside: None };
    ctr_layer::copy(source, b"", &place, Take::Whole, [target, &format!("volume {name}")])
        .and_then(|()| ctr_vol::load(name)?.fits())
        .and_then(|()| flush(&place.dir).cannot(failed))
        .and_then(|()| renameat(&beside, HALF, &beside, WHOLE).cannot(failed))
        .inspect_err(|_| drop(files::remove_tree(&path.join(HALF))))?;
    take_over(&place.dir, &path, &data)
}

/// Moves the files of the tree `from` into `data`, and removes it where it lies, in the directory `beside`.
fn take_over(from: &OwnedFd, beside: &Path, data: &Path) -> Result<()> {
    let failed = || format!("fill {}", data.display());
    let to = open(data)?;
    for name in names(from, data)? {
        match renameat_with(from, &name, &to, &name, RenameFlags::NOREPLACE) {
            // Somebody was faster: what is in use stays.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e).cannot(failed),
        }
    }
    like(&fstat(from).cannot(failed)?, &to).cannot(failed)?;
    flush(&to).cannot(failed)?;
    files::remove_tree(&beside.join(WHOLE))
}

/// The directory of that name; what is none, a link or of another file system is not ours.
fn within(dir: &OwnedFd, name: &str) -> rustix::io::Result<Option<OwnedFd>> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match open_beneath(dir, name, OFlags::PATH | OFlags::DIRECTORY, resolve) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
        other => other.map(Some),
    }
}

/// Flushes the file system of a directory that is held.
fn flush(dir: &OwnedFd) -> rustix::io::Result<()> {
    syncfs(openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn open(path: &Path) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open {}", path.display()))
}

/// What a directory has, but for the directories that are no files of a volume.
fn names(dir: &OwnedFd, path: &Path) -> Result<Vec<CString>> {
    let failed = || format!("read {}", path.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut entries = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new).cannot(failed)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read() {
        let entry = entry.cannot(failed)?;
        let is_file = !matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
        let name = entry.file_name();
        if is_file || ![".", "..", LOST, HALF, WHOLE].iter().any(|other| other.as_bytes() == name.to_bytes()) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Gives the volume's own directory the owner, mode and time of the image's.
fn like(stat: &Stat, place: &OwnedFd) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(place, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    let held = format!("/proc/self/fd/{}", place.as_raw_fd());
    chmodat(CWD, &held, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 };
    utimensat(CWD, &held, &Timestamps { last_access: time, last_modification: time }, AtFlags::empty())
}
