//! A writable layer of so many bytes and no more: by a quota where the file system has such, else a file system in a file of
//! the container's, mounted in its run directory.

use crate::mount;
use ctr_core::{Error, Result, container, files, json, mountinfo::is_mounted, paths, trace};
use ctr_vol::{bounded, project};
use std::path::PathBuf;

/// The name of its mount point in the run directory.
pub const POINT: &str = "writable";

/// The directory that upper and work are in. How it came to be stays so: a file system that has quotas later changes nothing.
pub fn place(id: &str) -> PathBuf {
    let by_quota = by_quota(id);
    if by_quota.exists() || (!image(id).exists() && project::is_on(paths::root())) { by_quota } else { point(id) }
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
/// The kernel's, those of mkfs.ext4(8) and mount(8).
pub fn ready(id: &str, bytes: u64) -> Result<()> {
    let own = by_quota(id);
    if place(id) == own {
        if own.exists() {
            return Ok(());
        }
        // What a killed call left has no limit.
        let aside = own.with_extension("new");
        files::remove_tree(&aside)?;
        files::make_dir(&aside)?;
        project::limit(&aside, bytes)?;
        return std::fs::rename(&aside, &own).map_err(|e| Error::io(format!("make {}", own.display()), &e));
    }
    let image = image(id);
    files::make_dir(&point(id))?;
    if !image.exists() {
        trace::act(
            "mkfs",
            || json!({"path": image, "bytes": bytes}),
            || {
                // What a killed call left is no file system.
                let aside = image.with_extension("new");
                files::remove_file(&aside)?;
                bounded::make(&aside, bytes)?;
                std::fs::rename(&aside, &image).map_err(|e| Error::io(format!("make {}", image.display()), &e))
            },
        )?;
    }
    bounded::mount(&image, &point(id))
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
