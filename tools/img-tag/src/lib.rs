//! Gives an image of the store one more reference.

use clap::Args;
use ctr_core::{Code, Error, Result};
use ctr_store::{Digest, Reference, Store, emit};

/// The tool's name.
pub const NAME: &str = "img-tag";
/// The first line of its help.
pub const ABOUT: &str = "Give an image another reference";

/// The arguments of img-tag(1).
#[derive(Args, Debug)]
pub struct ImgTag {
    /// A reference or an image id
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The new reference; one that meant another image means this one from then on
    #[arg(value_name = "REF")]
    reference: String,
}

/// Tags the image.
///
/// # Errors
/// `not-found`, or `invalid` where the new reference does not parse or has a digest.
pub fn run(args: ImgTag) -> Result<()> {
    let reference = Reference::to_give(&args.reference)?;
    let store = Store::open()?;
    let entry = store.find(&args.image)?;
    let source = entry.source().map(Digest::parse).transpose()?;
    match store.tag(&reference, &entry.plain_descriptor(), source.as_ref())?.first() {
        None => {
            emit("tag", entry.id(), Some(&reference.to_string()));
            Ok(())
        }
        Some(digest) => Err(Error::new(Code::Corrupt, format!("image {} lacks blob {digest}", args.image))
            .hint("pull or load it again")),
    }
}
