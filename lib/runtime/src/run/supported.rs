//! What a spec may ask for that this engine does not do: refused by name, never passed over in silence.

use super::cgroup;
use ctr_core::{Code, Error, Result};
use oci_spec::runtime::{Linux, Spec};

/// Checks that everything `spec` asks for is done here.
///
/// # Errors
/// `unsupported`, naming the field.
pub fn check(spec: &Spec) -> Result<()> {
    let refuse = |field: &str| Err(Error::new(Code::Unsupported, format!("spec: {field} is not supported")));
    if let Some(hooks) = spec.hooks() {
        let all = [
            hooks.prestart(),
            hooks.create_runtime(),
            hooks.create_container(),
            hooks.start_container(),
            hooks.poststart(),
            hooks.poststop(),
        ];
        if all.iter().any(|list| list.as_ref().is_some_and(|l| !l.is_empty())) {
            return refuse("hooks");
        }
    }
    if let Some(linux) = spec.linux() {
        let some = |s: &Option<String>| s.as_ref().is_some_and(|s| !s.is_empty());
        if some(linux.mount_label()) {
            return refuse("linux.mountLabel");
        }
        if linux.personality().is_some() {
            return refuse("linux.personality");
        }
        if linux.intel_rdt().is_some() {
            return refuse("linux.intelRdt");
        }
        if linux.memory_policy().is_some() {
            return refuse("linux.memoryPolicy");
        }
        if linux.net_devices().as_ref().is_some_and(|d| !d.is_empty()) {
            return refuse("linux.netDevices");
        }
        if linux.seccomp().as_ref().is_some_and(|s| s.listener_path().is_some()) {
            return refuse("linux.seccomp.listenerPath");
        }
        limits(linux)?;
    }
    if let Some(process) = spec.process() {
        let some = |s: &Option<String>| s.as_ref().is_some_and(|s| !s.is_empty());
        if some(process.apparmor_profile()) {
            return refuse("process.apparmorProfile");
        }
        if some(process.selinux_label()) {
            return refuse("process.selinuxLabel");
        }
        if process.io_priority().is_some() {
            return refuse("process.ioPriority");
        }
        if process.scheduler().is_some() {
            return refuse("process.scheduler");
        }
        if process.exec_cpu_affinity().is_some() {
            return refuse("process.execCPUAffinity");
        }
    }
    Ok(())
}

/// A limit is a control group's, and whoever made the group that `cgroupsPath` names has set it (see `cgroup`): without
/// one nobody has. (`devices` is kept by mounts then, see `guard`.)
fn limits(linux: &Linux) -> Result<()> {
    let Some(resources) = linux.resources() else { return Ok(()) };
    // Those that cg-limit does not set, nobody can look for.
    let unknown = [
        ("hugepageLimits", says(resources.hugepage_limits().as_ref())),
        ("network", says(resources.network().as_ref())),
        ("rdma", says(resources.rdma().as_ref())),
    ];
    if let Some((name, _)) = unknown.iter().find(|(_, set)| *set) {
        return Err(Error::new(Code::Unsupported, format!("spec: linux.resources.{name} is not supported")));
    }
    if cgroup::named(linux).is_some() {
        return Ok(());
    }
    let set = [
        ("memory", says(resources.memory().as_ref())),
        ("cpu", says(resources.cpu().as_ref())),
        ("pids", says(resources.pids().as_ref())),
        ("blockIO", says(resources.block_io().as_ref())),
        ("unified", says(resources.unified().as_ref())),
    ];
    match set.iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::new(Code::Unsupported, format!("spec: linux.resources.{name} is not supported without a group"))
                .hint("make a control group with these limits, and name it in linux.cgroupsPath"))
        }
    }
}

/// Whether there is something in a section.
fn says<T: Default + PartialEq>(section: Option<&T>) -> bool {
    section.is_some_and(|section| *section != T::default())
}
