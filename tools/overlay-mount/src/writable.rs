//! A writable layer of so many bytes and no more: a file system in a file of the container's, mounted in its run directory.

use crate::mount;
use ctr_core::{Result, container, files, json, mountinfo::is_mounted, paths, trace};
use ctr_vol::bounded;
use std::path::PathBuf;

/// The name of its mount point in the run directory.
pub const POINT: &str = "writable";

/// Where it is mounted.
pub fn point(id: &str) -> PathBuf {
    paths::run_dir(id).join(POINT)
}

/// Mounts it, made where it is missing.
///
/// # Errors
/// Those of mkfs.ext4(8) and mount(8).
pub fn mount(id: &str, bytes: u64) -> Result<()> {
    let image = container::dir(id).join("writable.ext4");
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
                std::fs::rename(&aside, &image)
                    .map_err(|e| ctr_core::Error::io(format!("make {}", image.display()), &e))
            },
        )?;
    }
    bounded::mount(&image, &point(id))
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
