//! System call filters: docker's default profile, profiles from files, and a compiler to BPF.
//!
//! ```
//! let profile = ctr_seccomp::default_profile(&["CAP_CHOWN", "CAP_SETUID"]);
//! let program = ctr_seccomp::compile(&profile)?;
//! assert!(program.filter().len() < 4096);
//! # Ok::<(), ctr_core::Error>(())
//! ```
//!
//! The way of a profile: [`file`](from_json) or [`default`](default_profile) make an OCI `LinuxSeccomp`; `rules` and
//! `actions` read it as runc does; `calls` and `abi` give numbers to its names; `segments` lays the verdicts out on
//! the number line of each architecture; `compile` searches that line, in instructions that `assemble` emits.

mod abi;
mod actions;
mod assemble;
mod calls;
mod compile;
mod default;
mod file;
mod rules;
mod segments;

#[cfg(test)]
mod tests;

pub use compile::{Program, compile};
pub use default::default_profile;
pub use file::from_json;
