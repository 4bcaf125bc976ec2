//! What docker's driver `local` does with its options: a file system is mounted as the files of a volume, from its first use on
//! until nobody has it any more.

use crate::volume::{self, Volume};
use ctr_core::{Cannot, Code, Error, Lock, Result, json, parse_size, trace};
use rustix::{
    fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx},
    io::Errno,
    mount::{UnmountFlags, unmount},
};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// The file system of a volume that may hold so many bytes, beside its files.
const IMAGE: &str = "image";

/// Mounts what the volume's options say, where that is not there.
///
/// By mount(8), which knows loop devices and the helpers of file systems of the network, as nfs.
///
/// # Errors
/// What mount(8) says.
pub fn ready(volume: &Volume, _lock: Option<&Lock>) -> Result<()> {
    let point = volume::data(&volume.name);
    let option = |key: &str| volume.options.get(key).cloned();
    let (kind, device, options) = match (option("type"), option("device"), option("size")) {
        (Some(kind), Some(device), _) if matches!(&*kind, "none" | "bind") => (None, device, bind(&kind, option("o"))),
        (Some(kind), Some(device), _) => (Some(kind), device, option("o")),
        (_, _, Some(_)) => {
            let image = volume::dir(&volume.name).join(IMAGE).to_string_lossy().into_owned();
            (Some("ext4".to_owned()), image, Some("loop,discard".to_owned()))
        }
        _ => return Ok(()),
    };
    if is_mounted(&point) {
        return Ok(());
    }
    let mut command = Command::new("mount");
    command.args(kind.iter().flat_map(|kind| ["-t", kind])).args(options.iter().flat_map(|o| ["-o", o]));
    command.arg("--").arg(&device).arg(&point).stdin(Stdio::null()).stdout(Stdio::null());
    let what = || json!({"type": kind, "source": device, "target": point, "options": options});
    trace::act("mount", what, || {
        run(&mut command, || format!("mount volume {}", volume.name))?;
        if volume.options.contains_key("size") {
            // For fsck(8), which makes it anew; some servers refuse a directory that is not empty.
            let _ = fs::remove_dir(point.join("lost+found"));
        }
        Ok(())
    })
}

fn bind(kind: &str, options: Option<String>) -> Option<String> {
    match options {
        Some(options) if kind == "bind" => Some(format!("bind,{options}")),
        None => Some("bind".to_owned()),
        given => given,
    }
}

/// Makes the file system of a volume that may hold `size` bytes, in its directory `dir`; blocks come as they are written.
///
/// # Errors
/// What mkfs.ext4(8) says.
pub(crate) fn format(dir: &Path, size: &str) -> Result<()> {
    let bytes = parse_size(size)?;
    let path = dir.join(IMAGE);
    let failed = || format!("make {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).cannot(failed)?;
    file.set_len(bytes).cannot(failed)?;
    let mut command = Command::new("mkfs.ext4");
    command.args(["-q", "-F", "-m", "0", "--"]).arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
    run(&mut command, || format!("make a file system of {bytes} bytes"))?;
    file.sync_all().cannot(failed)
}

/// Runs a program of the system to its end.
///
/// # Errors
/// The first line that it says.
fn run(command: &mut Command, what: impl Fn() -> String) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().cannot(|| format!("run {name}(8)"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().find(|line| !line.trim().is_empty()).map_or("it failed", str::trim);
    Err(Error::new(Code::Io, format!("cannot {}: {why}", what())))
}

/// Takes that off; succeeds where it is not there. Who has it mounted in a container keeps it there.
///
/// # Errors
/// The kernel's.
pub fn let_go(name: &str, _lock: &Lock) -> Result<()> {
    let point = volume::data(name);
    while is_mounted(&point) {
        let what = || json!({"target": point});
        trace::act("umount", what, || match unmount(&point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
            Err(e) => Err(e).cannot(|| format!("unmount {}", point.display())),
        })?;
        if trace::dry_run() {
            break;
        }
    }
    Ok(())
}

/// Whether something is mounted on `point` (statx(2), `STATX_ATTR_MOUNT_ROOT`).
pub fn is_mounted(point: &Path) -> bool {
    statx(CWD, point, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
