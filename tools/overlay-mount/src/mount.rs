//! The overlay itself, by the new mount API: one `lowerdir+` a layer, attached by descriptor.

use crate::{classic, layers};
use ctr_core::{Cannot, Code, Error, Result, Rootfs, json, trace};
use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen, move_mount, unmount as umount2,
    },
};
use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// A string of fsconfig(2) is at most this long; a directory with a longer path is given by descriptor.
const MAX_STRING: usize = 255;

/// Mounts `lowers` (top first) under the writable layer of `rootfs`, on its mount point.
///
/// redirect_dir, metacopy and index are off: the upper layer must stand alone, for it is what a commit reads.
/// A volatile overlay is not flushed when it is unmounted (kernel, filesystems/overlayfs.rst, Volatile mount).
pub fn overlay(rootfs: &Rootfs, lowers: &[PathBuf], volatile: bool) -> Result<()> {
    let what = || json!({"type": "overlay", "target": rootfs.path, "layers": lowers.len(), "volatile": volatile});
    trace::act("mount", what, || {
        let empty;
        let lowers = if lowers.is_empty() {
            empty = [layers::empty(rootfs)?];
            &empty
        } else {
            lowers
        };
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|e| refused(rootfs, e, None))?;
        match configure(&fs, rootfs, lowers, volatile) {
            // A kernel before 6.8 knows no `lowerdir+`; or something else is wrong, and then this way fails too.
            Err(Errno::INVAL) if classic::overlay(rootfs, lowers, volatile)? => return Ok(()),
            other => other.map_err(|e| refused(rootfs, e, Some(fs.as_fd())))?,
        }
        let mount = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .map_err(|e| refused(rootfs, e, Some(fs.as_fd())))?;
        move_mount(&mount, "", CWD, &rootfs.path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .cannot(|| format!("mount on {}", rootfs.path))
    })
}

fn configure(fs: &OwnedFd, rootfs: &Rootfs, lowers: &[PathBuf], volatile: bool) -> rustix::io::Result<()> {
    fsconfig_set_string(fs, "source", "ctr")?;
    for lower in lowers {
        set_dir(fs, "lowerdir+", lower)?;
    }
    if let (Some(upper), Some(work)) = (&rootfs.upper, &rootfs.work) {
        set_dir(fs, "upperdir", Path::new(upper))?;
        set_dir(fs, "workdir", Path::new(work))?;
    }
    for option in ["redirect_dir", "metacopy", "index"] {
        fsconfig_set_string(fs, option, "off")?;
    }
    if volatile {
        fsconfig_set_flag(fs, "volatile")?;
    }
    fsconfig_create(fs)
}

fn set_dir(fs: &OwnedFd, key: &str, dir: &Path) -> rustix::io::Result<()> {
    if dir.as_os_str().len() <= MAX_STRING {
        return fsconfig_set_string(fs, key, dir);
    }
    let fd = rustix::fs::openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fsconfig_set_string(fs, key, format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// The error of a mount, with the kernel's own words where it left some in the context's log (fsopen(2)).
fn refused(rootfs: &Rootfs, errno: Errno, fs: Option<BorrowedFd<'_>>) -> Error {
    let error = Error::io(format!("mount overlay on {}", rootfs.path), &errno.into());
    let log = fs.and_then(|fd| fd.try_clone_to_owned().ok()).map(|fd| read_log(File::from(fd))).unwrap_or_default();
    let error = if log.is_empty() { error } else { Error { message: format!("{}: {log}", error.message), ..error } };
    match errno {
        Errno::PERM => error.hint("mounting takes root"),
        Errno::NODEV => Error { code: Code::Unsupported, ..error }.hint("this kernel has no overlay file system"),
        Errno::INVAL => error.hint("the writable layer cannot lie on an overlay or on a file system without xattrs"),
        _ => error,
    }
}

fn read_log(mut fd: File) -> String {
    let mut lines = Vec::new();
    let mut line = [0; 1024];
    // Each read gives one message, `e `, `w ` or `i ` before it; at the end ENODATA.
    while let Ok(n @ 1..) = fd.read(&mut line) {
        let text = String::from_utf8_lossy(&line[..n]);
        if let Some(error) = text.strip_prefix("e ") {
            lines.push(error.trim_end().to_owned());
        }
    }
    lines.join("; ")
}

/// Unmounts what is on `point`, however many times; succeeds where nothing is.
/// A mount that is in use is detached: it goes with its last user.
pub fn unmount(point: &Path) -> Result<()> {
    let cannot = || format!("unmount {}", point.display());
    loop {
        match umount2(point, UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) => umount2(point, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH).cannot(cannot)?,
            Err(e) => return Err(e).cannot(cannot),
        }
    }
}
