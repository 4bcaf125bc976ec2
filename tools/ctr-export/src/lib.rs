//! Writes the whole root of a container as a tar.

use clap::Args;
use ctr_core::{Cannot, Result, container, events, files, json};
use rustix::fs::OFlags;
use std::path::PathBuf;

/// The tool's name.
pub const NAME: &str = "ctr-export";
/// The first line of its help.
pub const ABOUT: &str = "Write the files of a container as a tar";

/// The arguments of ctr-export(1).
#[derive(Args, Debug)]
pub struct CtrExport {
    /// Name, id, or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Packs the root as it is mounted on the host, so that what the container has mounted on it is not in the tar.
///
/// # Errors
/// `not-found` where there is no such container.
pub fn run(args: CtrExport) -> Result<()> {
    let id = container::find(&args.container)?;
    let doc = container::load(&id)?;
    let root = ctr_rootfs::mounted(&doc)?;
    let tree = root.open(".", OFlags::PATH | OFlags::DIRECTORY).cannot(|| "open the root")?;
    match &args.output {
        Some(path) => files::write_with(path, |out| ctr_layer::pack(tree, b"", out))?,
        None => ctr_layer::pack_to_stdout(tree, b"")?,
    }
    events::emit("export", &doc, &json!({}));
    Ok(())
}
