//! What the tests share: a throw-away host for each test, commands with a time limit, a real terminal,
//! images made by other people's tools, registries, and the proof that nothing is left behind.
//!
//! See `tests/README.md` for how to write a test.

// A test's way to fail is to panic; what a test asks of a command it need not use again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::format_collect,
    clippy::format_push_string
)]

pub mod command;
pub mod host;
pub mod images;
pub mod leftovers;
pub mod net;
pub mod processes;
pub mod pty;
pub mod ran;
pub mod registry;
pub mod requires;
pub mod schema;
pub mod suite;
pub mod sys;
pub mod test;
pub mod tree;

pub use command::Cmd;
pub use host::Host;
pub use net::Net;
pub use pty::Pty;
pub use ran::Ran;
pub use serde_json::{Value, json};
pub use test::{Test, test};
