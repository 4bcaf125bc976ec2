//! The contract of the pipe, in code: one JSON document in, one out.
//!
//! A tool is its functions ([`Tool`]) and one call ([`pipe`]); everything that
//! `ctr-document(5)` promises about every tool is done here, once.

mod cli;
pub mod container;
mod doc;
mod error;
pub mod events;
pub mod files;
pub mod hosts;
pub mod ident;
pub mod instance;
mod large_file;
mod lock;
pub mod mountinfo;
pub mod paths;
mod remove_tree;
mod rollback;
mod root;
mod sections;
mod size;
pub mod steps;
mod sys;
pub mod trace;

pub use cli::{
    Absent, Common, Done, Tool, command, confirm, each, pipe, plain, plain_command, print_error, print_line,
    read_document,
};
pub use doc::{Document, Step};
pub use error::{Cannot, Code, Error, Failures, Result};
pub use lock::Lock;
pub use rollback::Rollback;
pub use root::{Root, open_beneath};
pub use sections::{Health, HealthCheck, Image, Layer, LogLimits, Policy, Process, Restart, Rootfs, State, Supervise};
pub use serde_json::{Map, Value, json};
pub use size::parse_size;
pub use sys::{in_own_session, mount_idmap, mount_setattr, take_fd};

/// The version of the document this library reads and writes (`ctr-document(5)`, VERSIONING).
pub const DOCUMENT_VERSION: u64 = 1;
