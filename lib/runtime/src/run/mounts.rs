//! One mount of the spec: made detached, finished, then attached by descriptor at a place inside the root.

use super::{
    bind::{self, is_bind},
    cgroupfs,
    options::MountOptions,
    plan::Plan,
    root::attach,
    target::{self, Kind, Root},
};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result, json, mountinfo, trace};
use oci_spec::runtime::Mount;
use rustix::{
    fs::{FileType, OFlags},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags},
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// Files of procfs that a bind may cover, as lxcfs does; all else below /proc is the kernel's alone.
const PROC_FILES: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
];

/// Makes one mount of the spec; of some the tool has `prepared` what is mounted.
pub fn mount(root: &Root, mount: &Mount, prepared: Option<&OwnedFd>, plan: &Plan<'_>) -> Result<()> {
    let what = || json!({"type": mount.typ(), "source": mount.source(), "target": mount.destination(), "options": mount.options()});
    trace::act("mount", what, || {
        let options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str))?;
        let kind = mount.typ().as_deref().unwrap_or_default();
        if is_bind(mount, &options) {
            return bind(root, mount, &options, prepared);
        }
        match kind {
            "" => Err(Error::new(Code::Invalid, format!("mount on {} has no type", mount.destination().display()))),
            "cgroup" | "cgroup2" => cgroupfs::mount(root, mount.destination(), &options, plan),
            _ => file_system(root, mount, kind, &options),
        }
    })
}

/// The tree is the one that the tool has copied, or copied here.
fn bind(root: &Root, mount: &Mount, options: &MountOptions, prepared: Option<&OwnedFd>) -> Result<()> {
    let dest = mount.destination();
    let what =
        || format!("bind {} on {}", mount.source().as_deref().unwrap_or(Path::new("")).display(), dest.display());
    let copied;
    let (tree, is_dir) = if let Some(tree) = prepared {
        (tree, target::file_type(tree).cannot(what)? == FileType::Directory)
    } else {
        copied = bind::open(mount, options)?;
        (&copied.0, copied.1)
    };
    let on = place_for(root, dest, "bind", Some(tree), if is_dir { Kind::Directory } else { Kind::File })?;
    bind::finish(tree, options).cannot(what)?;
    attach(tree, &on).cannot(what)?;
    if prepared.is_some() {
        // All that were there before are slaves.
        let shared = mountinfo::read()?.into_iter().filter(|mount| mount.shared);
        root.set_shared(shared.map(|mount| mount.id).collect());
    }
    Ok(())
}

fn file_system(root: &Root, mount: &Mount, kind: &str, options: &MountOptions) -> Result<()> {
    let dest = mount.destination();
    let what = || format!("mount {kind} on {}", dest.display());
    let has_mode = kind != "tmpfs" || options.data.iter().any(|(key, _)| key == "mode");
    let is_new = !has_mode && root.open(dest, OFlags::PATH).is_err();
    let on = place_for(root, dest, kind, None, Kind::Directory)?;
    let fs = NewFs::of(kind, mount, options)?;
    if !has_mode {
        // As a mount over /tmp must stay 1777: the mode of the directory it covers, where the image has one.
        let mode = if is_new { 0o1777 } else { rustix::fs::fstat(&on).cannot(what)?.st_mode & 0o7777 };
        fs.set("mode", Some(&format!("{mode:o}")))?;
    }
    let tree = fs.mount(options.top.set)?;
    for (kind, recursive) in &options.propagation {
        sys::mount_setattr(tree.as_fd(), *recursive, MountAttrFlags::empty(), MountAttrFlags::empty(), *kind)
            .cannot(what)?;
    }
    attach(&tree, &on).cannot(what)
}

/// The place of a mount, refused where mounting there would fake the kernel's own files.
pub fn place_for(root: &Root, dest: &Path, kind: &str, source: Option<&OwnedFd>, make: Kind) -> Result<OwnedFd> {
    let kernels = ["/proc", "/sys", "/dev"].iter().any(|dir| dest.starts_with(dir));
    let on = if kernels { root.make_plain(dest, make)? } else { root.make(dest, make)? };
    let refuse =
        || Err(Error::new(Code::Invalid, format!("cannot mount {kind} on {}: it would hide procfs", dest.display())));
    if dest == Path::new("/proc") {
        return if kind == "proc" || source.is_some_and(is_procfs) { Ok(on) } else { refuse() };
    }
    // Asked of the descriptor, not of the name: a link may lead into /proc (CVE-2019-16884, CVE-2023-27561).
    if root.leads_back(&on).cannot(|| format!("look at {}", dest.display()))? {
        let message = format!(
            "cannot mount {kind} on {}: it lies in a shared mount, so the host would have it too",
            dest.display()
        );
        return Err(Error::new(Code::Invalid, message).hint("bind what is shared as rslave"));
    }
    if is_procfs(&on) && !PROC_FILES.iter().any(|file| dest == Path::new(file)) {
        return refuse();
    }
    Ok(on)
}

/// Whether a descriptor is of procfs.
pub fn is_procfs(fd: &OwnedFd) -> bool {
    rustix::fs::fstatfs(fd).is_ok_and(|fs| fs.f_type == libc::PROC_SUPER_MAGIC)
}

/// Whether a descriptor is of a file system by which the kernel shows itself.
pub fn is_kernels(fd: &OwnedFd) -> bool {
    const KERNELS: [i64; 4] =
        [libc::PROC_SUPER_MAGIC, libc::SYSFS_MAGIC, libc::CGROUP_SUPER_MAGIC, libc::CGROUP2_SUPER_MAGIC];
    rustix::fs::fstatfs(fd).is_ok_and(|fs| KERNELS.contains(&fs.f_type))
}

/// A file system being configured (fsopen(2)).
pub struct NewFs<'a> {
    kind: &'a str,
    context: OwnedFd,
}

impl<'a> NewFs<'a> {
    /// Begins a file system of type `kind`.
    pub fn open(kind: &'a str) -> Result<Self> {
        match rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(context) => Ok(Self { kind, context }),
            Err(Errno::NODEV) => Err(Error::new(Code::Unsupported, format!("this kernel has no file system {kind}"))),
            Err(e) => Err(e).cannot(|| format!("open file system {kind}")),
        }
    }

    /// One with the source and the options of a mount.
    pub fn of(kind: &'a str, mount: &Mount, options: &MountOptions) -> Result<Self> {
        let fs = Self::open(kind)?;
        if let Some(source) = mount.source() {
            fs.set("source", Some(&source.to_string_lossy()))?;
        }
        for (key, value) in &options.data {
            fs.set(key, value.as_deref())?;
        }
        Ok(fs)
    }

    /// Sets one option, `key` or `key=value`.
    pub fn set(&self, key: &str, value: Option<&str>) -> Result<()> {
        let done = match value {
            Some(value) => rustix::mount::fsconfig_set_string(&self.context, key, value),
            None => rustix::mount::fsconfig_set_flag(&self.context, key),
        };
        done.or_else(|e| self.explain(e, &format!("set option {key} of {}", self.kind)))
    }

    /// The mount, attached nowhere yet.
    pub fn mount(self, attributes: MountAttrFlags) -> Result<OwnedFd> {
        rustix::mount::fsconfig_create(&self.context).or_else(|e| self.explain(e, &format!("mount {}", self.kind)))?;
        rustix::mount::fsmount(&self.context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .cannot(|| format!("mount {}", self.kind))
    }

    /// The kernel writes what it did not like into the context (`e tmpfs: Bad value for 'size'`).
    fn explain(&self, errno: Errno, what: &str) -> Result<()> {
        let mut line = [0; 256];
        let length = rustix::io::read(&self.context, &mut line[..]).unwrap_or(0);
        let text = String::from_utf8_lossy(&line[..length]);
        let mut error = Error::io(what, &errno.into());
        if let Some(reason) = text.trim_end().get(2..).filter(|r| !r.is_empty()) {
            error.message = format!("cannot {what}: {reason}");
        }
        Err(error)
    }
}
