//! The control groups of the process: found to keep what the spec says, and entered before anything else, before a cgroup
//! namespace is made too.

use ctr_cgroup::{Groups, Resources, limits};
use ctr_core::{Cannot, Code, Error, Result, Value, json, trace};
use oci_spec::runtime::Linux;
use std::{fs::File, io::Write, path::Path};

/// The group that the spec names; an empty path is none.
pub fn named(linux: &Linux) -> Option<&Path> {
    linux.cgroups_path().as_deref().filter(|path| !path.as_os_str().is_empty())
}

/// The groups that the spec names, or those of this process.
///
/// Whoever made them has set the limits. That is looked at, for else the container would run without.
///
/// # Errors
/// Those of [`Groups::find`]; `invalid`, naming the file, where a limit is not the spec's.
pub fn find(linux: &Linux) -> Result<Groups> {
    let path = named(linux);
    let groups = Groups::find(path)?;
    if let Some(path) = path {
        for setting in limits::settings(&resources(linux)?, &groups)? {
            if let Some(e) = setting.differs() {
                let message = format!("control group {} has not the limits of the spec: {e}", path.display());
                return Err(Error::new(Code::Invalid, message).hint("cg-limit --repair sets them"));
            }
        }
    }
    Ok(groups)
}

/// Whether the groups keep the process from devices as the spec says.
pub fn keeps_devices(linux: &Linux, groups: &Groups) -> bool {
    let kept = |resources: Resources| {
        !resources.devices.is_empty() && matches!(ctr_cgroup::devices::differ(&resources.devices, groups), Ok(None))
    };
    groups.named && resources(linux).is_ok_and(kept)
}

/// `linux.resources` as the groups' crate has it.
fn resources(linux: &Linux) -> Result<Resources> {
    let value = serde_json::to_value(linux.resources()).unwrap_or(Value::Null);
    Resources::read(Some(&value).filter(|value| !value.is_null()))
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
