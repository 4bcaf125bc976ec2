//! The image store: one OCI image layout, references to it, unpacked layers, what may be removed.
//!
//! `images/` is an OCI image layout (image-spec, image-layout.md) that other image tools open as it is;
//! `layers/sha256/<hex>/` holds the unpacked trees, shared by every image and container that has the layer.

mod blobs;
pub mod change;
mod check;
mod digest;
mod epoch;
mod event;
mod gc;
mod image;
mod index;
mod ingest;
mod platform;
mod put;
mod reference;
mod remove;
mod spool;
mod trash;
mod usage;
mod walk;
mod writers;

pub use blobs::Store;
pub use check::check_image;
pub use digest::{Digest, Hasher};
pub use epoch::{created, epoch};
pub use event::emit;
pub use gc::{Orphan, gc, hold, is_stale};
pub use image::{Blob, MAX_CONFIG, MAX_MANIFEST, blobs_of, config_digest, media_type};
pub use index::{ANNOTATION_ID, ANNOTATION_REF, ANNOTATION_SOURCE, Entry};
pub use ingest::Ingest;
pub use platform::Platform;
pub use reference::Reference;
pub use remove::{Removed, Used, trees_of};
pub use spool::{Spool, Spooled, Spools};
pub use trash::Trash;
pub use usage::{Links, Usage, usage, usage_beside};
pub use walk::Walk;
pub use writers::{idle, writing};
