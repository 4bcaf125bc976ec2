//! A file system in a file, for what may hold so many bytes and no more.

use ctr_core::{Cannot, Code, Error, Result, json, mountinfo::is_mounted, parse_size, trace};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// The least size, bytes: mkfs.ext4(8) makes none much smaller.
const LEAST: u64 = 1 << 20;

/// How many bytes something may hold, by the word of an option `size`; a quota may do it too.
///
/// # Errors
/// `invalid` for what is no size, and for less than 1 MiB.
pub fn size(word: &str) -> Result<u64> {
    match parse_size(word)? {
        bytes if bytes < LEAST => Err(Error::new(Code::Invalid, format!("size={word} is less than 1m, the least"))),
        bytes => Ok(bytes),
    }
}

/// Makes one of `bytes` in the file `image`, which takes space as it is written to.
///
/// # Errors
/// `exists` where the file is there; what mkfs.ext4(8) says.
pub fn make(image: &Path, bytes: u64) -> Result<()> {
    let failed = || format!("make {}", image.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(image).cannot(failed)?;
    file.set_len(bytes).cannot(failed)?;
    let mut command = Command::new("mkfs.ext4");
    command.args(["-q", "-F", "-m", "0", "--"]).arg(image).stdin(Stdio::null()).stdout(Stdio::null());
    run(&mut command, || format!("make a file system of {bytes} bytes"))?;
    file.sync_all().cannot(failed)
}

/// Mounts it on `point`, by a loop device; does nothing where something is mounted.
///
/// # Errors
/// What mount(8) says.
pub fn mount(image: &Path, point: &Path) -> Result<()> {
    if is_mounted(point) {
        return Ok(());
    }
    let what = || json!({"type": "ext4", "source": image, "target": point, "options": "loop"});
    trace::act("mount", what, || {
        let mut command = Command::new("mount");
        command.args(["-t", "ext4", "-o", "loop,discard", "--"]).arg(image).arg(point);
        run(command.stdin(Stdio::null()).stdout(Stdio::null()), || format!("mount {}", image.display()))?;
        // For fsck(8), which makes it anew; some servers refuse a directory that is not empty.
        let _ = fs::remove_dir(point.join("lost+found"));
        Ok(())
    })
}

/// Runs a program of the system to its end.
///
/// # Errors
/// The first line that it says.
pub(crate) fn run(command: &mut Command, what: impl Fn() -> String) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().cannot(|| format!("run {name}(8)"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().find(|line| !line.trim().is_empty()).map_or("it failed", str::trim);
    Err(Error::new(Code::Io, format!("cannot {}: {why}", what())))
}
