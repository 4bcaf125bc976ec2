//! Removes images: references first, and what no other image and no container uses with the last one.

use clap::Args;
use ctr_core::{Code, Error, Result, each, json, print_line};
use ctr_store::{Removed, Store};

/// The tool's name.
pub const NAME: &str = "img-rm";
/// The first line of its help.
pub const ABOUT: &str = "Remove images that nothing uses";

/// The arguments of img-rm(1).
#[derive(Args, Debug)]
pub struct ImgRm {
    /// References or image ids
    #[arg(value_name = "IMAGE", required_unless_present = "gc")]
    images: Vec<String>,
    /// Take all references of an id, and the reference of an image that a container uses
    #[arg(short, long)]
    force: bool,
    /// Remove what killed processes left, and blobs and trees of layers that nothing uses once they are a day old
    #[arg(long, conflicts_with_all = ["images", "force"])]
    gc: bool,
}

/// Removes each image; goes on after one that fails. Prints a JSON line for each thing removed.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: ImgRm) -> Result<()> {
    let store = Store::open()?;
    if args.gc {
        let leftovers = ctr_store::gc()?.into_iter().map(|leftover| leftover["path"].clone());
        let trees = store.gc_trees()?.into_iter().chain(store.gc_orphans()?).map(|path| json!(path));
        for path in leftovers.chain(trees) {
            print_line(&json!({"tool": NAME, "removed": "leftover", "path": path}))?;
        }
        return Ok(());
    }
    each(&args.images, |image| store.remove(image, args.force)?.iter().try_for_each(print))
}

fn print(removed: &Removed) -> Result<()> {
    let line = serde_json::to_string(removed).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    print_line(&line)
}
