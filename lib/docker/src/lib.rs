//! A container's record in docker's words: its state, labels, ports, networks, mounts, sizes.
//!
//! What ctr-ls lists and ctr-inspect shows is derived here, once; nothing is changed here.

mod image;
mod labels;
mod mounts;
mod name;
mod networks;
mod ports;
mod prune;
mod size;
mod status;
mod time;

pub use image::familiar;
pub use labels::{LabelFilter, labels};
pub use mounts::{Mount, mounts};
pub use name::name_filter;
pub use networks::{Attachment, attachments, namespace};
pub use ports::{Port, exposed, ports, ports_wanted};
pub use prune::PruneFilters;
pub use size::{Sizes, writable};
pub use status::Status;
pub use time::parse_time;
