//! Lists the files by which one image differs from another.

mod compare;
mod file;

use clap::Args;
use compare::Comparison;
use ctr_core::{Result, print_line};
use ctr_layer::stack::Stack;
use ctr_store::Store;

/// The tool's name.
pub const NAME: &str = "img-diff";
/// The first line of its help.
pub const ABOUT: &str = "List the files by which two images differ";

/// The arguments of img-diff(1).
#[derive(Args, Debug)]
pub struct ImgDiff {
    /// A reference or an image id
    #[arg(value_name = "IMAGE")]
    from: String,
    /// Another
    #[arg(value_name = "IMAGE")]
    to: String,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Prints a line for each file that was added, changed or deleted from the one to the other, sorted by path.
///
/// # Errors
/// `not-found` where an image is not there, or not unpacked; `busy` where one was removed meanwhile.
pub fn run(args: ImgDiff) -> Result<()> {
    let store = Store::open()?;
    let open = |word: &str| Stack::open(&store.image_of(None, &store.find(word)?.plain_descriptor())?);
    let (from, to) = (open(&args.from)?, open(&args.to)?);
    let changes = Comparison::new(&from, &to).run()?;
    // What vanished while it was looked at looks like a change.
    from.check().and(to.check())?;
    for change in changes {
        print_line(&if args.json { change.as_json() } else { change.as_text() })?;
    }
    Ok(())
}
