//! What docker's driver `local` does with its options: a file system is mounted as the files of a volume, from its first use on
//! until nobody has it any more.

use crate::{
    bounded::{self, run},
    volume::{self, Volume},
};
use ctr_core::{Cannot, Lock, Result, json, mountinfo::is_mounted, trace};
use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount},
};
use std::process::{Command, Stdio};

/// The file system of a volume that may hold so many bytes, beside its files.
pub(crate) const IMAGE: &str = "image";

/// Mounts what the volume's options say, where that is not there. Hold the volume's lock, not the store's: a server of the network
/// may never answer.
///
/// By mount(8), which knows loop devices and the helpers of file systems of the network, as nfs.
///
/// # Errors
/// What mount(8) says.
pub fn ready(volume: &Volume, _lock: &Lock) -> Result<()> {
    let point = volume::data(&volume.name);
    let option = |key: &str| volume.options.get(key).cloned();
    let (kind, device, options) = match (option("type"), option("device"), option("size")) {
        (Some(kind), Some(device), _) if matches!(&*kind, "none" | "bind") => (None, device, bind(&kind, option("o"))),
        (Some(kind), Some(device), _) => (Some(kind), device, option("o")),
        (_, _, Some(_)) if volume.is_mount() => return bounded::mount(&volume::dir(&volume.name).join(IMAGE), &point),
        _ => return Ok(()),
    };
    if is_mounted(&point) {
        return Ok(());
    }
    let mut command = Command::new("mount");
    command.args(kind.iter().flat_map(|kind| ["-t", kind])).args(options.iter().flat_map(|o| ["-o", o]));
    command.arg("--").arg(&device).arg(&point).stdin(Stdio::null()).stdout(Stdio::null());
    let what = || json!({"type": kind, "source": device, "target": point, "options": options});
    trace::act("mount", what, || run(&mut command, || format!("mount volume {}", volume.name)))
}

fn bind(kind: &str, options: Option<String>) -> Option<String> {
    match options {
        Some(options) if kind == "bind" => Some(format!("bind,{options}")),
        None => Some("bind".to_owned()),
        given => given,
    }
}

/// Takes that off, and nothing that somebody else has mounted there; succeeds where it is not there. Who has it mounted in a container keeps it there.
///
/// # Errors
/// The kernel's.
pub fn let_go(name: &str, _lock: &Lock) -> Result<()> {
    let point = volume::data(name);
    let is_ours = match volume::load(name) {
        Ok(volume) => volume.is_mount(),
        // Of a record that is torn the file is left that is mounted.
        Err(_) => volume::dir(name).join(IMAGE).exists(),
    };
    while is_ours && is_mounted(&point) {
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
