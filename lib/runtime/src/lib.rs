//! The OCI runtime: `spec` completes a runtime-spec from image config and flags, `run` executes one.
//!
//! The two meet in `oci_spec::runtime::Spec` alone: what `spec` builds runs under any other runtime,
//! and `run` takes anybody's `config.json`.

mod reopen;
pub mod run;
pub mod spec;
mod sys;

pub use sys::{cloexec_from_3, copy_fd};
