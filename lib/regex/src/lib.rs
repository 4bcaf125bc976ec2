//! regex-lite under the name that oci-spec asks for (see `[patch.crates-io]`).

pub use regex_lite::{Regex, RegexBuilder};
