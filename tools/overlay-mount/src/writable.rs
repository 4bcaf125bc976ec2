//! A writable layer of so many bytes and no more: a file system in a file of the container's, mounted in its run directory; or
//! a directory with a quota, where that is asked for. The quota bounds only who does not mean to leave it: a container's root
//! may give its files to another project, unless it has a user namespace (`FS_IOC_FSSETXATTR`).

use crate::mount;
use ctr_core::{Code, Error, Result, container, files, json, mountinfo::is_mounted, paths, trace};
use ctr_vol::{bounded, project};
use std::path::PathBuf;

/// The name of its mount point in the run directory.
pub const POINT: &str = "writable";

/// How much, and by what.
#[derive(Clone, Copy)]
pub struct Size {
    /// Bytes.
    pub bytes: u64,
    /// By a quota, not by a file system of its own.
    pub by_quota: bool,
}

impl Size {
    /// Of a container that is there: how its layer came to be it stays.
    pub fn there(id: &str, bytes: u64) -> Self {
        Self { bytes, by_quota: by_quota(id).exists() }
    }
}

/// The directory that upper and work are in.
pub fn place(id: &str, size: Size) -> PathBuf {
    if size.by_quota { by_quota(id) } else { point(id) }
}

/// Where the image is mounted.
fn point(id: &str) -> PathBuf {
    paths::run_dir(id).join(POINT)
}

fn image(id: &str) -> PathBuf {
    container::dir(id).join("writable.ext4")
}

fn by_quota(id: &str) -> PathBuf {
    container::dir(id).join(POINT)
}

/// Makes it where it is missing, and mounts it where it is to be mounted.
///
/// # Errors
/// `unsupported` where there are no quotas; the kernel's, those of mkfs.ext4(8) and mount(8).
pub fn ready(id: &str, size: Size) -> Result<()> {
    if size.by_quota {
        return project::make(&by_quota(id), size.bytes);
    }
    let image = image(id);
    files::make_dir(&point(id))?;
    if !image.exists() {
        trace::act(
            "mkfs",
            || json!({"path": image, "bytes": size.bytes}),
            || {
                // What a killed call left is no file system.
                let aside = image.with_extension("new");
                files::remove_file(&aside)?;
                bounded::make(&aside, size.bytes)?;
                std::fs::rename(&aside, &image).map_err(|e| Error::io(format!("make {}", image.display()), &e))
            },
        )?;
    }
    bounded::mount(&image, &point(id))
}

/// The same for a container that has had it: a new one would have lost its files without a word.
///
/// # Errors
/// `not-found` where it is gone; as [`ready`].
pub fn again(id: &str, size: Size) -> Result<()> {
    check(id, size)?;
    ready(id, size)
}

/// Whether it is there and holds no more than its size.
///
/// # Errors
/// `not-found`; `corrupt` for a quota that is there no more.
pub fn check(id: &str, size: Size) -> Result<()> {
    if size.by_quota {
        return project::check(&by_quota(id), size.bytes);
    }
    let image = image(id);
    if image.exists() {
        return Ok(());
    }
    Err(Error::new(Code::NotFound, format!("the writable layer {} is not there", image.display())))
}

/// Takes what was made of it in the kernel away, before its files go.
///
/// # Errors
/// The kernel's.
pub fn let_go(id: &str) -> Result<()> {
    project::release(&by_quota(id))?;
    unmount(id)
}

/// Unmounts it; does nothing where it is not mounted.
///
/// # Errors
/// The kernel's.
pub fn unmount(id: &str) -> Result<()> {
    let point = point(id);
    if !is_mounted(&point) {
        return Ok(());
    }
    trace::act("unmount", || json!({"target": point}), || mount::unmount(&point))
}
