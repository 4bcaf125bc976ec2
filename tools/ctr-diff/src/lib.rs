//! Lists what a container has added, changed and deleted in the files of its image.

mod walk;

use clap::Args;
use ctr_core::{Image, Result, Rootfs, container, print_line};
use ctr_layer::{mount_points, stack::Stack};
use walk::Walk;

/// The tool's name.
pub const NAME: &str = "ctr-diff";
/// The first line of its help.
pub const ABOUT: &str = "List what a container has changed in the files of its image";

/// The arguments of ctr-diff(1).
#[derive(Args, Debug)]
pub struct CtrDiff {
    /// Name, id, or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Prints a line for each change, sorted by path.
///
/// # Errors
/// `not-found` where there is no such container, or the tree of a layer is gone; those of mounting a writable layer that is a file
/// system of its own, where a reboot took that away.
pub fn run(args: CtrDiff) -> Result<()> {
    let doc = container::load(&container::find(&args.container)?)?;
    let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
    let image: Image = doc.need("image", "img-unpack")?;
    let layers = Stack::open(&image)?;
    let Some(upper) = &rootfs.upper else { return Ok(()) };
    ctr_rootfs::mount_writable(&doc)?;
    for change in Walk::new(&layers, mount_points(doc.mounts())).run(upper)? {
        print_line(&if args.json { change.as_json() } else { change.as_text() })?;
    }
    Ok(())
}
