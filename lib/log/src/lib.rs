//! A container's log, in docker's json-file form: JSON lines in files that are rotated; their writer and their reader.
//!
//! The reader knows nothing of what a line says, so that it reads the events too, which lie in files of the same kind.

mod backwards;
mod buffer;
mod escape;
mod file;
mod lines;
mod reader;
mod record;
mod scan;
mod series;
#[cfg(test)]
mod tests;
mod time;
mod watch;
mod writer;

pub use reader::{Reader, Woken};
pub use record::{Record, Stream};
pub use series::Series;
pub use time::{parse_duration, parse_time};
pub use writer::Writer;
