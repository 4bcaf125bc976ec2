//! The namespaces of the container: made by the clone, made later, or joined by path; id maps and clocks.

use ctr_core::{Cannot, Code, Error, Process, Result, container, json, trace};
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType as Type, LinuxTimeOffset};
use rustix::{
    fs::{Mode, OFlags},
    thread::{LinkNameSpaceType, ThreadNameSpaceType},
};
use std::{
    collections::HashMap,
    fmt::Write,
    fs,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

/// What the spec asks for.
pub struct Namespaces {
    /// `CLONE_NEW*` of the clone.
    pub new: u64,
    /// `CLONE_NEW*` that the new process makes itself: its cgroup namespace once it is in its group, for that is
    /// what the namespace begins at; its time namespace, whose clocks are set before the first process enters by
    /// execve(2).
    pub late: u64,
    joined: Vec<Joined>,
    beside: Option<Beside>,
}

/// All namespaces of a process, entered together.
struct Beside {
    pidfd: OwnedFd,
    pid: i32,
    kinds: u64,
}

struct Joined {
    kind: Type,
    path: PathBuf,
    fd: OwnedFd,
}

impl Namespaces {
    /// Reads the list of the spec and opens what is joined.
    ///
    /// # Errors
    /// `invalid` without a mount namespace (the mounts would be the host's) or with a kind listed twice.
    pub fn of(linux: &Linux) -> Result<Self> {
        let (mut new, mut late, mut joined, mut seen) = (0, 0, Vec::new(), 0);
        for namespace in linux.namespaces().iter().flatten() {
            let kind = namespace.typ();
            let flag = kind as u64;
            if seen & flag != 0 {
                return Err(Error::new(Code::Invalid, format!("spec lists the {kind} namespace twice")));
            }
            seen |= flag;
            match namespace.path().as_ref().filter(|p| !p.as_os_str().is_empty()) {
                Some(path) => {
                    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                        .cannot(|| format!("open {kind} namespace {}", path.display()))?;
                    joined.push(Joined { kind, path: path.clone(), fd });
                }
                None if matches!(kind, Type::Cgroup | Type::Time) => late |= flag,
                None => new |= flag,
            }
        }
        if seen & Type::Mount as u64 == 0 {
            return Err(Error::new(Code::Invalid, "spec has no mount namespace: the host's mounts would change"));
        }
        // A user namespace first, for it gives the right to enter the others; the mounts last, for with them go the paths.
        joined.sort_by_key(|j| match j.kind {
            Type::User => 0,
            Type::Mount => 2,
            _ => 1,
        });
        Ok(Self { new, late, joined, beside: None })
    }

    /// Those that `process` is in of the kinds that the spec lists; what it does not list is the host's in there too.
    ///
    /// By its descriptor (setns(2)): what a name in /proc leads to may be another process by then.
    ///
    /// # Errors
    /// `not-found` where the process is gone.
    pub fn beside(linux: &Linux, process: Process) -> Result<Self> {
        let handle = container::Handle::of(process)?
            .ok_or_else(|| Error::new(Code::NotFound, format!("process {} is gone", process.pid)))?;
        let pidfd = handle.fd().try_clone_to_owned().cannot(|| "duplicate a descriptor")?;
        let listed = linux.namespaces().iter().flatten().fold(0, |kinds, n| kinds | n.typ() as u64);
        let kinds = listed & !own_kinds(process.pid);
        Ok(Self { new: 0, late: 0, joined: Vec::new(), beside: Some(Beside { pidfd, pid: process.pid, kinds }) })
    }

    /// Whether the container has a namespace of its own or joins one: it is not the caller's.
    pub fn has(&self, kind: Type) -> bool {
        self.is_new(kind) || self.joins(kind)
    }

    /// Whether the container has a namespace of its own, whoever makes it.
    pub fn is_new(&self, kind: Type) -> bool {
        (self.new | self.late) & kind as u64 != 0
    }

    /// Whether the clone makes this one.
    pub fn makes(&self, kind: Type) -> bool {
        self.new & kind as u64 != 0
    }

    /// Whether one of this kind is joined.
    pub fn joins(&self, kind: Type) -> bool {
        let beside = self.beside.as_ref().is_some_and(|b| b.kinds & kind as u64 != 0);
        beside || self.joined.iter().any(|j| j.kind == kind)
    }

    /// Whether joining has to be done before the clone, by a process between: a pid namespace takes in only the
    /// children of who joins it, new namespaces belong to the user namespace joined, and from within a new user
    /// namespace those of others cannot be entered.
    pub fn join_before_clone(&self) -> bool {
        self.beside.is_some()
            || self.joins(Type::User)
            || self.joins(Type::Pid)
            || (self.makes(Type::User) && !self.joined.is_empty())
    }

    /// Enters those that are joined by path.
    pub fn join(&self) -> Result<()> {
        if let Some(Beside { pidfd, pid, kinds }) = &self.beside {
            let kinds = ThreadNameSpaceType::from_bits_retain(*kinds as u32);
            trace::act(
                "setns",
                || json!({"process": pid, "types": format!("{kinds:?}")}),
                || {
                    rustix::thread::move_into_thread_name_spaces(pidfd.as_fd(), kinds)
                        .cannot(|| format!("join the namespaces of process {pid}"))
                },
            )?;
        }
        for Joined { kind, path, fd } in &self.joined {
            trace::act(
                "setns",
                || json!({"type": kind, "path": path}),
                || {
                    rustix::thread::move_into_link_name_space(fd.as_fd(), Some(link_type(*kind)))
                        .cannot(|| format!("join {kind} namespace {}", path.display()))
                },
            )?;
        }
        Ok(())
    }

    /// The names of the new ones, for `--trace`.
    pub fn names(&self) -> Vec<String> {
        const ALL: [Type; 8] =
            [Type::Mount, Type::Cgroup, Type::Uts, Type::Ipc, Type::User, Type::Pid, Type::Network, Type::Time];
        ALL.iter().filter(|t| (self.new | self.late) & **t as u64 != 0).map(ToString::to_string).collect()
    }
}

/// The kinds of namespaces that process `pid` shares with this one: there is nothing to enter, and entering one's own
/// user namespace is refused (setns(2)).
fn own_kinds(pid: i32) -> u64 {
    const FILES: [(&str, Type); 8] = [
        ("mnt", Type::Mount),
        ("cgroup", Type::Cgroup),
        ("uts", Type::Uts),
        ("ipc", Type::Ipc),
        ("user", Type::User),
        ("pid", Type::Pid),
        ("net", Type::Network),
        ("time", Type::Time),
    ];
    let inode = |pid: &str, file: &str| rustix::fs::stat(format!("/proc/{pid}/ns/{file}")).map(|s| s.st_ino).ok();
    let shared = |file: &str| inode("self", file) == inode(&pid.to_string(), file);
    FILES.iter().filter(|(file, _)| shared(file)).fold(0, |kinds, (_, kind)| kinds | *kind as u64)
}

fn link_type(kind: Type) -> LinkNameSpaceType {
    match kind {
        Type::Mount => LinkNameSpaceType::Mount,
        Type::Cgroup => LinkNameSpaceType::ControlGroup,
        Type::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        Type::Ipc => LinkNameSpaceType::InterProcessCommunication,
        Type::User => LinkNameSpaceType::User,
        Type::Pid => LinkNameSpaceType::ProcessID,
        Type::Network => LinkNameSpaceType::Network,
        Type::Time => LinkNameSpaceType::Time,
    }
}

/// Writes the id maps of process `pid` (user_namespaces(7)); each map takes one write.
pub fn write_id_maps(pid: i32, linux: &Linux) -> Result<()> {
    for (file, maps) in [("uid_map", linux.uid_mappings()), ("gid_map", linux.gid_mappings())] {
        let text = map_text(maps.as_deref().unwrap_or_default());
        trace::act(
            "idmap",
            || json!({"file": file, "map": text}),
            || fs::write(format!("/proc/{pid}/{file}"), &text).cannot(|| format!("write {file} of the container")),
        )?;
    }
    Ok(())
}

/// The lines of `uid_map` and `gid_map`.
pub fn map_text(maps: &[LinuxIdMapping]) -> String {
    maps.iter().fold(String::new(), |mut text, map| {
        let _ = writeln!(text, "{} {} {}", map.container_id(), map.host_id(), map.size());
        text
    })
}

/// Whether id 0 of the container is mapped, so that there is a root to become.
pub fn maps_root(maps: Option<&[LinuxIdMapping]>) -> bool {
    maps.unwrap_or_default().iter().any(|m| m.container_id() == 0 && m.size() > 0)
}

/// The lines of `timens_offsets` (time_namespaces(7)).
pub fn clock_offsets(offsets: &HashMap<String, LinuxTimeOffset>) -> String {
    offsets.iter().fold(String::new(), |mut text, (clock, offset)| {
        let _ = writeln!(text, "{clock} {} {}", offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
        text
    })
}
