//! /dev of the container: the devices every container has, those of the spec, and the usual links.

use super::{
    root::{attach, clone_tree},
    target::{Kind, Root},
};
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Mount};
use rustix::{
    fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, RawMode, Uid},
    io::Errno,
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// The devices of runtime-spec, config-linux.md, "Default Devices"; all are character devices, mode 0666.
const DEFAULT: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// The links of the same section.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// A device node: where it is, and which it is.
pub struct Node {
    /// Absolute.
    pub path: PathBuf,
    kind: FileType,
    number: u64,
}

impl Node {
    /// Whether what `fd` holds is that device, whatever its name says.
    pub fn is(&self, fd: impl AsFd) -> rustix::io::Result<bool> {
        let stat = rustix::fs::fstat(fd)?;
        Ok(FileType::from_raw_mode(stat.st_mode as RawMode) == self.kind && stat.st_rdev == self.number)
    }
}

/// The standard devices, and those of the spec.
///
/// # Errors
/// `invalid` for one of the spec that is none.
pub fn nodes(given: &[LinuxDevice]) -> Result<Vec<Node>> {
    let standard = DEFAULT.iter().map(|(name, major, minor)| {
        let (kind, number) = (FileType::CharacterDevice, rustix::fs::makedev(*major, *minor));
        Ok(Node { path: Path::new("/dev").join(name), kind, number })
    });
    let given = given.iter().map(|device| {
        Device::of(device).map(|(d, _)| Node { path: d.path.to_owned(), kind: d.kind, number: d.number })
    });
    standard.chain(given).collect()
}

struct Device<'a> {
    path: &'a Path,
    kind: FileType,
    number: u64,
    mode: u32,
    owner: (u32, u32),
}

/// Whether the caller gives /dev as a whole (`-v /dev:/dev`): then nothing is made in it.
pub fn are_given(mounts: &[Mount]) -> bool {
    let is_bind = |m: &Mount| {
        m.typ().as_deref() == Some("bind") || m.options().iter().flatten().any(|o| o == "bind" || o == "rbind")
    };
    mounts.iter().any(|m| m.destination() == Path::new("/dev") && is_bind(m))
}

/// Fills the container's /dev. In a user namespace nodes cannot be made (mknod(2) wants the host's CAP_MKNOD):
/// there the host's are bound.
pub fn set_up(root: &Root, devices: &[LinuxDevice], user_namespace: bool) -> Result<()> {
    trace::act(
        "dev",
        || json!({"devices": devices.iter().map(LinuxDevice::path).collect::<Vec<_>>()}),
        || {
            let dev = open_dev(root)?;
            for (name, major, minor) in DEFAULT {
                let path = Path::new("/dev").join(name);
                let number = rustix::fs::makedev(major, minor);
                let device =
                    Device { path: &path, kind: FileType::CharacterDevice, number, mode: 0o666, owner: (0, 0) };
                device.put(&dev, name, user_namespace)?;
            }
            for device in devices {
                let (device, name) = Device::of(device)?;
                let parent = device.path.parent().unwrap_or(Path::new("/"));
                let dir = root.make_plain(parent, Kind::Directory)?;
                device.put(&dir, &name, user_namespace)?;
            }
            links(&dev)
        },
    )
}

/// The container's /dev; an image whose /dev is a link gets none of ours written elsewhere.
pub fn open_dev(root: &Root) -> Result<OwnedFd> {
    root.make_plain(Path::new("/dev"), Kind::Directory)
}

fn links(dev: &OwnedFd) -> Result<()> {
    for (name, text) in LINKS {
        match rustix::fs::symlinkat(text, dev, name) {
            Err(Errno::EXIST) if name == "ptmx" => {
                // The image's own: a node here would be the host's terminals, not those of the new devpts.
                rustix::fs::unlinkat(dev, name, AtFlags::empty()).cannot(|| "replace /dev/ptmx")?;
                rustix::fs::symlinkat(text, dev, name).cannot(|| "link /dev/ptmx")?;
            }
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e).cannot(|| format!("link /dev/{name}")),
        }
    }
    Ok(())
}

impl<'a> Device<'a> {
    fn of(device: &'a LinuxDevice) -> Result<(Self, String)> {
        let path = device.path();
        let invalid = |why: &str| Error::new(Code::Invalid, format!("device {}: {why}", path.display()));
        let name = path.file_name().filter(|_| path.is_absolute()).ok_or_else(|| invalid("no absolute path"))?;
        let kind = match device.typ() {
            LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
            LinuxDeviceType::B => FileType::BlockDevice,
            LinuxDeviceType::P => FileType::Fifo,
            LinuxDeviceType::A => return Err(invalid("type must be c, u, b or p")),
        };
        let number = |n: i64| u32::try_from(n).map_err(|_| invalid("its number is negative or too large"));
        let number = rustix::fs::makedev(number(device.major())?, number(device.minor())?);
        let mode = device.file_mode().unwrap_or(0o666) & 0o7777;
        let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
        Ok((Self { path, kind, number, mode, owner }, name.to_string_lossy().into_owned()))
    }

    /// Makes the node `name` in `dir`, or binds the host's there.
    fn put(&self, dir: &OwnedFd, name: &str, bind: bool) -> Result<()> {
        let what = || format!("make device {}", self.path.display());
        let mode = Mode::from_raw_mode(self.mode);
        if bind && self.kind != FileType::Fifo {
            return self.bind(dir, name).cannot(what)?;
        }
        match rustix::fs::mknodat(dir, name, self.kind, mode, self.number) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let is = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).cannot(what)?;
                if FileType::from_raw_mode(is.st_mode as RawMode) != self.kind || is.st_rdev != self.number {
                    return Err(Error::new(
                        Code::Exists,
                        format!("cannot make device {}: something else is there", self.path.display()),
                    ));
                }
            }
            Err(e) => return Err(e).cannot(what),
        }
        if self.owner != (0, 0) {
            let (uid, gid) = (Uid::from_raw(self.owner.0), Gid::from_raw(self.owner.1));
            rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).cannot(what)?;
        }
        Ok(())
    }

    /// Binds the host's node of the same path, checked to be that device.
    fn bind(&self, dir: &OwnedFd, name: &str) -> rustix::io::Result<Result<()>> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let host = rustix::fs::openat(CWD, self.path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&host)?;
        if FileType::from_raw_mode(stat.st_mode as RawMode) != self.kind || stat.st_rdev != self.number {
            let message = format!("{} of the host is not the device that the spec names", self.path.display());
            return Ok(Err(Error::new(Code::Invalid, message)));
        }
        match rustix::fs::mknodat(dir, name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
        let place = rustix::fs::openat(dir, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        attach(clone_tree(&host, false)?, place)?;
        Ok(Ok(()))
    }
}
