//! A bundle made by the test: busybox and nothing else in its root, a config.json that the test may change.

use ctr_tests::*;
use std::{fs, os::unix::fs::symlink, path::PathBuf};

const APPLETS: &[&str] = &[
    "cat",
    "chmod",
    "cut",
    "date",
    "dd",
    "echo",
    "grep",
    "head",
    "hostname",
    "id",
    "ip",
    "kill",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "ps",
    "pwd",
    "readlink",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "stty",
    "touch",
    "true",
    "tty",
    "umask",
    "uptime",
    "wc",
    "yes",
];

pub struct Bundle<'a> {
    host: &'a Host,
    pub dir: PathBuf,
    pub spec: Value,
}

impl<'a> Bundle<'a> {
    pub fn new(host: &'a Host) -> Self {
        let dir = host.dir().join(format!("bundle{}", fs::read_dir(host.dir()).unwrap().count()));
        let root = dir.join("rootfs");
        for sub in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
            fs::create_dir_all(root.join(sub)).unwrap();
        }
        // By another process: a descriptor open for writing that a thread beside this one inherits to what it
        // starts makes the file busy for execve(2).
        host.sh(&format!("cp $(command -v busybox) {}/bin/busybox", root.display())).ok();
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let mut bundle = Self { host, dir, spec: spec() };
        // By this the host finds the processes of its containers.
        bundle.add("/process/env", json!(format!("TEST={}", host.dir().display())));
        bundle
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// Adds to a list of the spec, `/linux/maskedPaths`.
    pub fn add(&mut self, list: &str, value: Value) -> &mut Self {
        self.spec.pointer_mut(list).unwrap().as_array_mut().unwrap().push(value);
        self
    }

    /// Sets a value of the spec.
    pub fn set(&mut self, at: &str, value: Value) -> &mut Self {
        let (parent, key) = at.rsplit_once('/').unwrap();
        self.spec.pointer_mut(parent).unwrap()[key] = value;
        self
    }

    /// Leaves out the mount on `destination`.
    pub fn without_mount(&mut self, destination: &str) -> &mut Self {
        self.spec["mounts"].as_array_mut().unwrap().retain(|m| m["destination"] != destination);
        self
    }

    /// The namespace of `kind` is joined at `path`, or is the caller's if that is empty.
    pub fn namespace(&mut self, kind: &str, path: &str) -> &mut Self {
        let list = self.spec["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|n| n["type"] != kind);
        if !path.is_empty() {
            list.push(json!({"type": kind, "path": path}));
        }
        self
    }

    /// `ns-spawn -b`, not started yet, with `args` as the process's.
    pub fn cmd(&mut self, args: &[&str]) -> Cmd {
        self.set("/process/args", json!(args));
        fs::write(self.dir.join("config.json"), self.spec.to_string()).unwrap();
        self.host.cmd("ns-spawn", &["-b", self.dir.to_str().unwrap()]).limit(20)
    }

    #[track_caller]
    pub fn run(&mut self, args: &[&str]) -> Ran {
        self.cmd(args).run()
    }

    #[track_caller]
    pub fn sh(&mut self, script: &str) -> Ran {
        self.run(&["sh", "-c", script])
    }

    /// Joins the root and everything in it to a user namespace that begins at id 100000.
    pub fn with_user_namespace(&mut self) -> &mut Self {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        self.add("/linux/namespaces", json!({"type": "user"}));
        self.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
        self.host.sh(&format!("chown -R -h 100000:100000 {}", self.root().display())).ok();
        self
    }
}

fn spec() -> Value {
    let caps = json!([
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
        "CAP_AUDIT_WRITE"
    ]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": [], "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/",
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps}
        },
        "root": {"path": "rootfs"},
        "hostname": "test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]}
        ],
        "linux": {
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/acpi", "/sys/firmware", "/proc/absent"],
            "readonlyPaths": ["/proc/sys", "/proc/bus", "/proc/irq"]
        }
    })
}
