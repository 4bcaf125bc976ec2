//! `mounts`, and the paths of /proc and /sys that are hidden or read-only.

use super::{
    Flags,
    namespaces::{Mode, Namespaces},
    part,
};
use ctr_core::{Map, Result, Value, json, parse_size};
use std::path::Path;

/// Docker's size of /dev/shm.
const SHM_SIZE: u64 = 64 << 20;

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Puts docker's mounts before those that `spec` has. One of those at the same place replaces ours; one at
/// /dev replaces everything below it too.
pub fn complete(spec: &mut Map<String, Value>, flags: &Flags, namespaces: &Namespaces, complete: bool) -> Result<()> {
    let mounts = part::list(spec, "mounts")?;
    if !complete {
        let mut all = default(flags, namespaces)?;
        all.retain(|m| !is_mounted(mounts, destination(m)) && !is_below_own_dev(mounts, destination(m)));
        all.append(mounts);
        *mounts = all;
    } else if let Some(size) = &flags.shm_size {
        let shm = shm(parse_size(size)?);
        match mounts.iter_mut().find(|m| Path::new(destination(m)) == Path::new("/dev/shm")) {
            Some(mount) => *mount = shm,
            None => mounts.push(shm),
        }
    }
    if flags.privileged {
        for mount in mounts.iter_mut().filter(|m| matches!(m["type"].as_str(), Some("sysfs" | "cgroup"))) {
            if let Some(options) = mount["options"].as_array_mut() {
                options.retain(|o| o != "ro");
            }
        }
    }
    Ok(())
}

/// `linux.maskedPaths` and `linux.readonlyPaths`; `unconfined` takes both away.
pub fn protect(linux: &mut Map<String, Value>, unconfined: bool, complete: bool) {
    for (key, paths) in [("maskedPaths", &MASKED[..]), ("readonlyPaths", &READONLY[..])] {
        if unconfined {
            linux.shift_remove(key);
        } else if !complete && !linux.contains_key(key) {
            linux.insert(key.to_owned(), json!(paths));
        }
    }
}

/// Whether something is mounted at `place` by the list.
pub fn is_mounted(mounts: &[Value], place: &str) -> bool {
    mounts.iter().any(|m| Path::new(destination(m)) == Path::new(place))
}

fn destination(mount: &Value) -> &str {
    part::string(Some(mount), "destination").unwrap_or_default()
}

fn is_below_own_dev(mounts: &[Value], place: &str) -> bool {
    place.starts_with("/dev/") && is_mounted(mounts, "/dev")
}

fn default(flags: &Flags, namespaces: &Namespaces) -> Result<Vec<Value>> {
    let new = |kind| namespaces.of(kind) == &Mode::New;
    let strict = ["nosuid", "noexec", "nodev"];
    // A kernel file system may be mounted anew only by who owns the namespace that it shows
    // (mount_namespaces(7)): in a user namespace of its own a host's one is bound instead.
    let proc = if new("user") && !new("pid") {
        bind("/proc", &["rbind", "nosuid", "noexec", "nodev"])
    } else {
        mount("/proc", "proc", "proc", &strict)
    };
    let sys = if new("user") && !new("network") {
        bind("/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"])
    } else {
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"])
    };
    let mut mounts = vec![
        proc,
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        sys,
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid", "noexec", "nodev"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &strict),
    ];
    match flags.ipc.as_deref() {
        Some("none") => {}
        Some("host") => mounts.push(bind("/dev/shm", &["rbind", "nosuid", "noexec", "nodev"])),
        _ => mounts.push(shm(flags.shm_size.as_deref().map_or(Ok(SHM_SIZE), parse_size)?)),
    }
    Ok(mounts)
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    json!({"destination": destination, "type": kind, "source": source, "options": options})
}

fn bind(place: &str, options: &[&str]) -> Value {
    mount(place, "bind", place, options)
}

fn shm(size: u64) -> Value {
    let size = format!("size={size}");
    mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &size])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn completed(spec: Value, flags: &Flags) -> Value {
        let Value::Object(mut spec) = spec else { panic!() };
        let namespaces = Namespaces::new(&spec, false, flags).unwrap();
        complete(&mut spec, flags, &namespaces, false).unwrap();
        spec.remove("mounts").unwrap()
    }

    fn places(mounts: &Value) -> Vec<&str> {
        mounts.as_array().unwrap().iter().map(destination).collect()
    }

    #[test]
    fn dockers_mounts_then_the_documents() {
        let mounts = completed(json!({"mounts": [{"destination": "/data/", "type": "bind"}]}), &Flags::default());
        assert_eq!(
            places(&mounts),
            ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm", "/data/"]
        );
        assert_eq!(mounts[6]["options"][4], "size=67108864");
    }

    #[test]
    fn the_documents_replace_ours() {
        let shm = json!({"mounts": [{"destination": "/dev//shm/", "type": "bind", "source": "/mine"}]});
        let mounts = completed(shm, &Flags::default());
        assert_eq!(places(&mounts).len(), 7);
        assert_eq!(mounts[6]["source"], "/mine");
        let dev = json!({"mounts": [{"destination": "/dev", "type": "bind", "source": "/dev"}]});
        assert_eq!(places(&completed(dev, &Flags::default())), ["/proc", "/sys", "/sys/fs/cgroup", "/dev"]);
    }

    #[test]
    fn what_namespaces_ask_for() {
        let flags = |word: &str| Flags { ipc: Some(word.to_owned()), ..Flags::default() };
        assert!(!places(&completed(json!({}), &flags("none"))).contains(&"/dev/shm"));
        assert_eq!(completed(json!({}), &flags("host"))[6]["type"], "bind");
        let user = Flags {
            userns: Some("private".to_owned()),
            pid: Some("host".to_owned()),
            network: Some("host".to_owned()),
            ..Flags::default()
        };
        let mounts = completed(json!({}), &user);
        assert_eq!((mounts[0]["type"].as_str(), mounts[3]["type"].as_str()), (Some("bind"), Some("bind")));
        let privileged = completed(json!({}), &Flags { privileged: true, ..Flags::default() });
        assert_eq!(privileged[3]["options"], json!(["nosuid", "noexec", "nodev"]));
    }
}
