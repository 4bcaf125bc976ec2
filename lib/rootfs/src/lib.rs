//! The root directory of a container, as a descriptor: as it is mounted on the host, or as its process sees it.
//!
//! What is opened through it is opened beneath it ([`Root`]): no namespace of the container is entered, no program of
//! it run.

mod owner;

use ctr_core::{Cannot, Code, Document, Error, Result, Root, Rootfs, State, container, mountinfo::is_mounted, steps};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};
use std::{path::Path, time::Duration};

pub use owner::owner;

/// The tool that mounts roots.
const MOUNTER: &str = "overlay-mount";

/// The root as the container's process sees it, with all that is mounted there; of a container that does not run
/// (then the second is false) what is mounted on the host.
pub fn seen(doc: &Document) -> Result<(Root, bool)> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?;
    if let Some(state) = container::live_state(id)?
        && let Some(root) = of_process(&state)?
    {
        return Ok((root, true));
    }
    Ok((mounted(doc)?, false))
}

/// The root as it is mounted on the host: the image's layers and the writable one, and nothing that is mounted in
/// them. Mounted again where a reboot took that away.
///
/// # Errors
/// `invalid` where the container has none.
pub fn mounted(doc: &Document) -> Result<Root> {
    let rootfs: Rootfs = doc.need("rootfs", MOUNTER)?;
    let point = Path::new(&rootfs.path);
    if rootfs.upper.is_some() && !is_mounted(point) {
        let mut only = doc.clone();
        let mut steps = doc.steps()?;
        steps.retain(|step| step.tool == MOUNTER);
        only.set_steps(&steps)?;
        steps::repair_all(&only)?;
        if !is_mounted(point) {
            return Err(Error::new(Code::NotFound, format!("nothing is mounted on {}", rootfs.path)));
        }
    }
    open(&rootfs.path).map(Root::new).cannot(|| format!("open the root {}", rootfs.path))
}

/// Mounts the writable layer again where that is a file system of its own, and a reboot took it away with the root.
///
/// # Errors
/// Those of overlay-mount.
pub fn mount_writable(doc: &Document) -> Result<()> {
    let Some(rootfs) = doc.section::<Rootfs>("rootfs")?.filter(|rootfs| rootfs.size.is_some()) else { return Ok(()) };
    // That of a quota is where it was.
    if rootfs.upper.is_none_or(|upper| Path::new(&upper).exists()) { Ok(()) } else { mounted(doc).map(drop) }
}

/// The root of a process; `None` where it is gone.
fn of_process(state: &State) -> Result<Option<Root>> {
    let Some(process) = container::Handle::open(state)? else { return Ok(None) };
    let pid = state.pid.unwrap_or_default();
    let root = match open(&format!("/proc/{pid}/root")) {
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        other => other.cannot(|| format!("open the root of process {pid}"))?,
    };
    // It is still there: so the number was its own when the root was opened.
    let gone = process.wait(Some(Duration::ZERO))?;
    Ok((!gone).then(|| Root::new(root)))
}

fn open(path: &str) -> rustix::io::Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
