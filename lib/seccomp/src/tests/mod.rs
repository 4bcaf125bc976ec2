//! Tests, by what they compare with: `evaluate` the profile's words, `kernel` the kernel, `speed` the clock. That the
//! verdicts are libseccomp's too is tested in the suite (`tests/suite/seccomp.rs`), which needs a C compiler.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bpf;
mod compile;
mod default;
mod evaluate;
mod file;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod properties;
mod speed;

use oci_spec::runtime::LinuxSeccomp;

/// The capabilities that docker gives.
pub const DOCKER: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The verdict of the compiled profile.
pub fn verdict(profile: &LinuxSeccomp, call: &bpf::Call) -> u32 {
    bpf::run(crate::compile(profile).unwrap().filter(), call)
}

/// An OCI section from JSON.
pub fn oci(json: serde_json::Value) -> LinuxSeccomp {
    serde_json::from_value(json).unwrap()
}
