//! The control groups of the process: entered before anything else, and before a cgroup namespace is made.

use ctr_cgroup::Groups;
use ctr_core::{Cannot, Result, json, trace};
use oci_spec::runtime::Linux;
use std::{fs::File, io::Write, path::Path};

/// The group that the spec names; an empty path is none.
pub fn named(linux: &Linux) -> Option<&Path> {
    linux.cgroups_path().as_deref().filter(|path| !path.as_os_str().is_empty())
}

/// This process, which has one thread, joins its groups by their open files ([`Groups::doors`]); that of version 2 the
/// clone has put it in.
pub fn enter(groups: &Groups, doors: &[File]) -> Result<()> {
    if !groups.named {
        return Ok(());
    }
    let dirs = || groups.list.iter().map(ctr_cgroup::Group::dir).collect::<Vec<_>>();
    let join = || doors.iter().try_for_each(|mut door| door.write_all(b"0")).cannot(|| "join a control group");
    trace::act("cgroup", || json!({"join": dirs()}), join)
}
