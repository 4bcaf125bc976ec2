//! Whether each part of isolation works, by trying it: a kernel's configuration tells less than the kernel.

use ctr_core::{Map, Value, json};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    fs::{Mode, OFlags},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};
use std::{
    fs::{self, File},
    io::Read,
};

const OWN: [(&str, CloneFlags); 6] = [
    ("mount namespace", CloneFlags::CLONE_NEWNS),
    ("pid namespace", CloneFlags::CLONE_NEWPID),
    ("ipc namespace", CloneFlags::CLONE_NEWIPC),
    ("uts namespace", CloneFlags::CLONE_NEWUTS),
    ("network namespace", CloneFlags::CLONE_NEWNET),
    ("cgroup namespace", CloneFlags::CLONE_NEWCGROUP),
];
const USER: (&str, CloneFlags) = ("user namespace", CloneFlags::CLONE_NEWUSER);

/// Each part by its name: true, false, or "unknown" where this user may not ask.
///
/// Leaves this process in namespaces of its own: call it last.
pub fn all() -> Map<String, Value> {
    let mut works = Map::new();
    let modules = security_modules();
    let mut put = |name: &str, value: Value| works.insert(name.to_owned(), value);
    // Who is not root may make the others only inside of a user namespace; for root it comes last, for in it
    // this process has also the capabilities that it has not on the host.
    let root = rustix::process::geteuid().is_root();
    let namespaces = (!root).then_some(USER).into_iter().chain(OWN).chain(root.then_some(USER));
    for (name, flag) in namespaces {
        if flag == CloneFlags::CLONE_NEWUSER && root {
            put("overlay", overlay());
        }
        put(name, json!(unshare(flag).is_ok()));
    }
    if !root {
        put("overlay", overlay());
    }
    put("seccomp", json!(seccomp_has("kill_process")));
    put("seccomp notification", json!(seccomp_has("user_notif")));
    for module in ["landlock", "apparmor", "selinux"] {
        let on = modules.as_deref().map(|list| list.trim().split(',').any(|m| m == module));
        put(module, on.map_or_else(|| json!("unknown"), |on| json!(on)));
    }
    works
}

fn overlay() -> Value {
    json!(fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).is_ok())
}

/// Whether the kernel's filters know an action (seccomp(2), /proc interfaces).
fn seccomp_has(action: &str) -> bool {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    actions.split_ascii_whitespace().any(|a| a == action)
}

/// The security modules that are on, by commas; they stand in securityfs, which need not be mounted.
fn security_modules() -> Option<String> {
    let mounted = fs::read_to_string("/sys/kernel/security/lsm");
    mounted.ok().or_else(|| {
        let fs = fsopen("securityfs", FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
        fsconfig_create(&fs).ok()?;
        let root = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY).ok()?;
        let lsm = rustix::fs::openat(root, "lsm", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(lsm).read_to_string(&mut text).ok()?;
        Some(text)
    })
}
