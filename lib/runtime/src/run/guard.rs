//! Keeps device nodes from being opened where no control group does.
//!
//! A container may make nodes (CAP_MKNOD is one of docker's defaults) and an image may bring some: once opened they are
//! the host's disks and memory. To forbid that is the devices controller's work. A process that is in no group of
//! its own gets the same by mounts: all of the container's are `nodev`, and each device it may have is a mount of
//! that one node, which no attribute of the mount below it reaches.

use super::{
    cgroup, devices,
    root::{attach, clone_tree},
    target::{Root, is_devpts},
};
use crate::sys;
use ctr_cgroup::Groups;
use ctr_core::{Cannot, Result, json, trace};
use oci_spec::runtime::{Linux, LinuxDeviceCgroup, LinuxDeviceType};
use rustix::{fs::OFlags, mount::MountAttrFlags as Attr};
use std::{os::fd::AsFd, path::Path};

/// Whether it is needed: the spec does not allow every device, and no group of the container's is found to enforce that.
pub fn is_needed(linux: &Linux, groups: &Groups) -> bool {
    let rules = linux.resources().as_ref().and_then(|r| r.devices().as_deref()).unwrap_or_default();
    !every_device_opens(rules) && !cgroup::keeps_devices(linux, groups)
}

/// Later rules win over earlier ones (runtime-spec, config-linux.md, "Allowed Device list"): one lets every device be
/// opened, to read and to write, and none after it takes anything back.
fn every_device_opens(rules: &[LinuxDeviceCgroup]) -> bool {
    let last = rules.iter().rposition(|rule| rule.allow() && is_for_all(rule));
    last.is_some_and(|last| rules[last..].iter().all(LinuxDeviceCgroup::allow))
}

fn is_for_all(rule: &LinuxDeviceCgroup) -> bool {
    let any = |number: Option<i64>| number.is_none_or(|n| n < 0);
    let opens = rule.access().as_ref().is_some_and(|access| access.contains('r') && access.contains('w'));
    opens && matches!(rule.typ(), None | Some(LinuxDeviceType::A)) && any(rule.major()) && any(rule.minor())
}

/// Makes every mount below `root` `nodev`, but for the standard devices, those of the spec, and the terminals.
pub fn set_up(root: &Root, linux: &Linux) -> Result<()> {
    let all = devices::nodes(linux.devices().as_deref().unwrap_or_default())?;
    let paths: Vec<_> = all.iter().map(|node| &node.path).collect();
    trace::act(
        "nodev",
        || json!({"except": paths}),
        || {
            let mut nodes = Vec::with_capacity(paths.len());
            for known in &all {
                let path = &known.path;
                // What an image or a volume has there under its name may be another.
                if let Ok(node) = root.open_plain(path, OFlags::PATH | OFlags::NOFOLLOW)
                    && known.is(&node).cannot(|| format!("stat {}", path.display()))?
                {
                    // The copy keeps the attributes of now.
                    let copy = clone_tree(&node, false).cannot(|| format!("copy the mount of {}", path.display()))?;
                    nodes.push((path, node, copy));
                }
            }
            sys::mount_setattr(root.as_fd(), true, Attr::MOUNT_ATTR_NODEV, Attr::empty(), 0)
                .cannot(|| "make the mounts nodev")?;
            for (path, node, copy) in nodes {
                attach(copy, node).cannot(|| format!("mount {}", path.display()))?;
            }
            free_terminals(root)
        },
    )
}

fn free_terminals(root: &Root) -> Result<()> {
    let Ok(pts) = root.open_plain(Path::new("/dev/pts"), OFlags::PATH | OFlags::DIRECTORY) else { return Ok(()) };
    if !is_devpts(&pts).cannot(|| "stat /dev/pts")? {
        return Ok(());
    }
    sys::mount_setattr(pts.as_fd(), false, Attr::empty(), Attr::MOUNT_ATTR_NODEV, 0)
        .cannot(|| "allow the terminals of /dev/pts")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn needed(rules: &str) -> bool {
        let linux: Linux = serde_json::from_str(&format!("{{\"resources\": {{\"devices\": {rules}}}}}")).unwrap();
        // A group that is named, and in no hierarchy that could keep anybody from a device.
        is_needed(&linux, &Groups { unified: false, list: Vec::new(), named: true })
    }

    #[test]
    fn rules_for_all_devices_count() {
        let (allow, deny) = (r#"{"allow": true, "access": "rwm"}"#, r#"{"allow": false, "type": "a"}"#);
        let null = r#"{"allow": true, "type": "c", "major": 1, "minor": 3}"#;
        assert!(needed("[]"));
        assert!(needed(&format!("[{deny}, {null}]")));
        assert!(needed(&format!("[{allow}, {deny}]")));
        assert!(!needed(&format!("[{deny}, {allow}]")));
        assert!(!needed(&format!("[{allow}, {null}]")));
        // To make nodes, or to read them alone, is not all; nor is all but something.
        for access in [r#", "access": "m""#, r#", "access": "rm""#, r#", "access": """#, ""] {
            assert!(needed(&format!("[{deny}, {{\"allow\": true, \"type\": \"a\"{access}}}]")), "{access}");
        }
        let disks = r#"{"allow": false, "type": "b", "major": 8, "access": "rwm"}"#;
        assert!(needed(&format!("[{allow}, {disks}]")));
        assert!(!needed(&format!("[{disks}, {allow}]")));
    }
}
