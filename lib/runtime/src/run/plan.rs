//! Everything worked out before the clone: after it, in a half-built container, is a bad time to find a mistake.

use super::{
    Options, bind, cgroup, creds::Creds, exec::Command, init, namespaces::Namespaces, procfs::sysctl_allowed,
    stdio::Stdio, supported, tty,
};
use crate::reopen::HostProc;
use ctr_cgroup::Groups;
use ctr_core::{Code, Error, Result, Value, json};
use oci_spec::runtime::{Linux, LinuxNamespaceType as Type, Process, Spec};
use rustix::termios::Winsize;
use std::{fs::File, os::fd::OwnedFd};

/// What parent and child both go by.
pub struct Plan<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Its process.
    pub process: &'a Process,
    /// Its Linux part.
    pub linux: &'a Linux,
    /// What the spec does not say.
    pub options: &'a Options,
    /// New and joined namespaces.
    pub namespaces: Namespaces,
    /// Control groups.
    pub groups: Groups,
    /// The way into those of version 1.
    pub doors: Vec<File>,
    /// User, capabilities, filter.
    pub creds: Creds,
    /// What is executed in the end.
    pub command: Command,
    /// Our own program, by which the command is executed.
    pub program: OwnedFd,
    /// The host's procfs, by which files of the container are opened.
    pub proc: HostProc,
    /// The streams of the process, until it has them.
    pub stdio: Stdio,
    /// What only this process can copy of the host's mounts, one entry a mount of the spec.
    pub trees: Vec<Option<OwnedFd>>,
    /// The user's terminal.
    pub user_tty: Option<OwnedFd>,
    /// The size that the container's terminal begins with.
    pub size: Option<Winsize>,
}

impl<'a> Plan<'a> {
    /// Checks the spec as far as that is possible outside, and prepares what it needs.
    pub fn of(spec: &'a Spec, options: &'a Options, stdio: Stdio) -> Result<Self> {
        supported::check(spec)?;
        let missing = |part: &str| Error::new(Code::Invalid, format!("spec has no {part}"));
        let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
        let linux = spec.linux().as_ref().ok_or_else(|| missing("linux section"))?;
        if !options.rootfs.is_absolute() {
            return Err(Error::new(Code::Invalid, format!("root {} is not absolute", options.rootfs.display())));
        }
        if !process.cwd().is_absolute() {
            return Err(Error::new(
                Code::Invalid,
                format!("working directory {} is not absolute", process.cwd().display()),
            ));
        }
        let namespaces = match options.beside {
            None => Namespaces::of(linux)?,
            Some(process) => Namespaces::beside(linux, process)?,
        };
        check_names(spec, linux, &namespaces)?;
        let seccomp = linux.seccomp().as_ref().map(ctr_seccomp::compile).transpose()?;
        let creds = Creds::of(process, seccomp, namespaces.has(Type::User))?;
        let command =
            Command::new(process.args().as_deref().unwrap_or_default(), process.env().as_deref().unwrap_or_default())?;
        let user_tty = tty::find(options)?;
        let asked = process.console_size().map(|size| Winsize {
            ws_row: size.height() as u16,
            ws_col: size.width() as u16,
            ws_xpixel: 0,
            ws_ypixel: 0,
        });
        let groups = match options.beside {
            None => cgroup::find(linux)?,
            Some(process) => Groups::beside(process)?,
        };
        let trees = match options.beside {
            None => bind::prepare(spec.mounts().as_deref().unwrap_or_default(), linux)?,
            Some(_) => Vec::new(),
        };
        Ok(Self {
            spec,
            process,
            linux,
            options,
            doors: groups.doors()?,
            groups,
            program: init::program()?,
            proc: HostProc::open()?,
            size: user_tty.as_ref().and_then(tty::size).or(asked.filter(|s| s.ws_row > 0 && s.ws_col > 0)),
            namespaces,
            creds,
            command,
            stdio,
            trees,
            user_tty,
        })
    }

    /// What is executed as whom, for `--trace`.
    pub fn describe(&self) -> Value {
        let mut what = self.creds.describe();
        what["args"] = json!(self.process.args());
        what["cwd"] = json!(self.process.cwd());
        what
    }

    /// Whether processes may be left at the end: no PID namespace of the container's own ends with it and ends them.
    pub fn outlives_namespace(&self) -> bool {
        self.options.beside.is_none() && !self.namespaces.makes(Type::Pid)
    }

    /// Whether the child waits at its beginning until the parent has written id maps.
    pub fn waits_at_first(&self) -> bool {
        self.namespaces.makes(Type::User)
    }
}

/// Names and parameters that would be the host's where the container has no namespace for them.
fn check_names(spec: &Spec, linux: &Linux, namespaces: &Namespaces) -> Result<()> {
    let uts = namespaces.has(Type::Uts);
    if !uts && (spec.hostname().is_some() || spec.domainname().is_some()) {
        return Err(Error::new(Code::Invalid, "hostname is set, but the container has no uts namespace of its own"));
    }
    for key in linux.sysctl().iter().flatten().map(|(key, _)| key) {
        if !sysctl_allowed(key, namespaces.has(Type::Ipc), namespaces.has(Type::Network), uts) {
            return Err(Error::new(
                Code::Invalid,
                format!("sysctl {key} is not of a namespace of the container's own"),
            ));
        }
    }
    Ok(())
}
