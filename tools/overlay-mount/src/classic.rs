//! The overlay by mount(2), for kernels before 6.8, which know no `lowerdir+`.

use ctr_core::{Cannot, Code, Error, Result, Rootfs};
use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::{MountFlags, mount},
};
use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
};

/// mount(2) takes one page of options, and cuts what is longer without a word.
const MAX_OPTIONS: usize = 4095;

/// Mounts as `mount::overlay` does; gives whether it could.
///
/// # Errors
/// `limit` where the layers are more than one page of options can name.
pub fn overlay(rootfs: &Rootfs, lowers: &[PathBuf], volatile: bool) -> Result<bool> {
    // Short names for long paths, without a colon or comma in them.
    let lowers: Vec<OwnedFd> = lowers
        .iter()
        .map(|dir| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, dir, flags, Mode::empty()).cannot(|| format!("open layer {}", dir.display()))
        })
        .collect::<Result<_>>()?;
    let options = options(rootfs, &lowers, volatile);
    if options.len() > MAX_OPTIONS {
        return Err(Error::new(
            Code::Limit,
            format!("cannot mount overlay on {}: {} layers are too many for this kernel", rootfs.path, lowers.len()),
        )
        .hint("Linux 6.8 and later take 500"));
    }
    let options = CString::new(options).map_err(|_| Error::new(Code::Invalid, "a path has a zero byte in it"))?;
    Ok(mount("ctr", &rootfs.path, "overlay", MountFlags::empty(), options.as_c_str()).is_ok())
}

fn options(rootfs: &Rootfs, lowers: &[OwnedFd], volatile: bool) -> String {
    let lowers: Vec<_> = lowers.iter().map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd())).collect();
    let lower = format!("lowerdir={}", lowers.join(":"));
    let upper = rootfs.upper.as_deref().map(|dir| format!("upperdir={}", escaped(dir)));
    let work = rootfs.work.as_deref().map(|dir| format!("workdir={}", escaped(dir)));
    let mut options = vec![lower];
    options.extend(upper.into_iter().chain(work));
    options.extend(["redirect_dir=off", "metacopy=off", "index=off"].map(str::to_owned));
    if volatile {
        options.push("volatile".to_owned());
    }
    options.join(",")
}

/// Commas part options, and a backslash takes that away (fs/overlayfs/super.c, `ovl_next_opt`).
fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace(',', "\\,")
}
