//! The first files of a volume: what the image has at the place where it is mounted.
//!
//! While they are copied a mark lies beside the volume, so that the next who uses it goes on where this one was killed. Each file
//! is whole or not there, for it gets its name last.

use ctr_core::{Cannot, Document, Result, files, json, trace};
use ctr_layer::{Place, Root, Take};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Dir, Mode, OFlags, openat},
    io::Errno,
};
use std::{fs, path::Path};

const MARK: &str = "filling";
/// mkfs.ext4(8) makes it in every file system.
const NO_FILE: &[u8] = b"lost+found";

/// Copies to volume `name`, where it is empty, what the root of the document's container has at `target`: owners, modes, times,
/// extended attributes, links and devices.
///
/// # Errors
/// Those of the copy; the volume is filled at its next use.
pub fn fill(doc: &Document, name: &str, target: &str) -> Result<()> {
    trace::act(
        "fill",
        || json!({"volume": name, "from": target}),
        || {
            let root = ctr_rootfs::mounted(doc)?;
            fill_from(&root, name, target)
        },
    )
}

fn fill_from(root: &Root, name: &str, target: &str) -> Result<()> {
    let source = match root.open(target, OFlags::PATH | OFlags::DIRECTORY) {
        // The image has no such directory.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other.cannot(|| format!("open {target} in the root"))?,
    };
    let _lock = ctr_vol::lock(name)?;
    let (data, mark) = (ctr_vol::data(name), ctr_vol::dir(name).join(MARK));
    let place = open(&data)?;
    if !mark.exists() && !is_empty(&place, &data)? {
        return Ok(());
    }
    let has_files = !is_empty(&source, Path::new(target))?;
    if has_files {
        fs::write(&mark, b"").cannot(|| format!("write {}", mark.display()))?;
    }
    ctr_layer::copy(
        source,
        b"",
        &Place { dir: place, inside: None },
        Take::Whole,
        [target, &format!("volume {name}")],
    )?;
    if has_files {
        // Before the mark goes: a power cut takes the files that it stood for.
        files::sync_fs(&data)?;
        files::remove_file(&mark)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open {}", path.display()))
}

fn is_empty(dir: &OwnedFd, path: &Path) -> Result<bool> {
    let failed = || format!("read {}", path.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut entries = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new).cannot(failed)?;
    while let Some(entry) = entries.read() {
        if ![b".".as_slice(), b"..", NO_FILE].contains(&entry.cannot(failed)?.file_name().to_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}
