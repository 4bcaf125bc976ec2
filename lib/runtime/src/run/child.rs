//! The new process, from the clone to execve(2): the order of all steps is here, each step in its own file.

use super::{
    bind, cgroup,
    channel::Channel,
    console::{self, Console},
    creds, devices, guard, init, limits, masks, mounts,
    namespaces::{clock_offsets, maps_root},
    plan::Plan,
    procfs::{Proc, sysctl_path},
    root, signals, stdio,
    target::{Kind, Root},
};
use crate::sys;
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::fs::{Mode, OFlags};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// What the steps inside the root leave for the last ones.
#[derive(Default)]
struct Made {
    console: Option<Console>,
    null: Option<OwnedFd>,
    cwd: Option<OwnedFd>,
}

/// Builds the container around this process and becomes its command.
pub fn start(plan: &Plan<'_>, channel: &Channel) -> ! {
    let error = match build(plan, channel) {
        Ok(()) => become_command(plan, channel),
        Err(e) => e,
    };
    channel.fail(&error);
    sys::exit(125);
}

/// The steps as lines of `--dry-run`, none of them done: `trace::act` sees to that.
pub fn describe(plan: &Plan<'_>) -> Result<()> {
    cgroup::enter(&plan.groups, &plan.doors)?;
    plan.namespaces.join()?;
    enter(plan, false)?;
    inside(plan)?;
    trace::act("exec", || plan.describe(), || Ok(()))
}

fn build(plan: &Plan<'_>, channel: &Channel) -> Result<()> {
    rustix::process::setsid().cannot(|| "begin a session")?;
    if !plan.namespaces.join_before_clone() {
        plan.namespaces.join()?;
    }
    cgroup::enter(&plan.groups, &plan.doors)?;
    if plan.waits_at_first() {
        channel.wait()?;
    }
    let maps = plan.linux.uid_mappings().as_deref();
    let become_root = plan.namespaces.joins(Type::User) || (plan.namespaces.makes(Type::User) && maps_root(maps));
    rustix::process::umask(Mode::empty());
    enter(plan, become_root)?;
    let made = inside(plan)?;

    if let Some(console) = &made.console {
        channel.send_terminal(&console.master)?;
    }
    // Once stderr is the container's, no line of --trace may follow: what is left is said here.
    trace::act("exec", || plan.describe(), || Ok(()))?;
    if let Some(cwd) = &made.cwd {
        enter_cwd(cwd)?;
    }
    match &made.console {
        Some(console) => stdio::connect_terminal(&console.terminal)?,
        None => plan.stdio.connect(made.null.as_ref(), plan.process.user().uid())?,
    }
    drop(made);
    sys::close_all_but([channel.as_fd(), plan.program.as_fd()]).cannot(|| "close descriptors")?;
    plan.creds.become_user()?;
    rustix::process::umask(Mode::from_raw_mode(plan.process.user().umask().unwrap_or(0o022) & 0o777));
    // Not before: a change of ids takes it back (prctl(2)). A parent that was killed before it took hold is
    // noticed by the wait that follows.
    rustix::process::set_parent_process_death_signal(plan.options.at_parents_death)
        .cannot(|| "tie the process to the tool")?;
    channel.wait()?;
    signals::reset()
}

/// The very last steps: what may still be done is the filter's to say.
fn become_command(plan: &Plan<'_>, channel: &Channel) -> Error {
    if let Err(e) = sys::pass_as_3(channel.fd()).cannot(|| "pass a descriptor on") {
        return e;
    }
    if let Err(e) = plan.creds.confine() {
        return e;
    }
    init::exec(&plan.program, plan.options.init, &plan.command)
}

/// The namespaces that are not the clone's to make, and what is set in each.
fn enter(plan: &Plan<'_>, become_root: bool) -> Result<()> {
    let late = plan.namespaces.late;
    if late != 0 {
        trace::act("unshare", || json!({"flags": late}), || sys::unshare(late).cannot(|| "make a namespace"))?;
    }
    // As long as this is the host's root: what it has in /proc is that one's, for it hides (proc_pid(5)).
    write_proc(&own_files(plan))?;
    if become_root {
        creds::become_root()?;
    }
    if plan.options.net_up && plan.namespaces.makes(Type::Network) {
        trace::act("link", || json!({"up": "lo"}), || sys::loopback_up().cannot(|| "bring loopback up"))?;
    }
    if let Some(name) = plan.spec.hostname() {
        let set = || rustix::system::sethostname(name.as_bytes()).cannot(|| format!("set hostname {name}"));
        trace::act("hostname", || json!({"name": name}), set)?;
    }
    if let Some(name) = plan.spec.domainname() {
        let set = || rustix::system::setdomainname(name.as_bytes()).cannot(|| format!("set domain name {name}"));
        trace::act("domainname", || json!({"name": name}), set)?;
    }
    let parameters = plan.linux.sysctl().iter().flatten();
    write_proc(&parameters.map(|(key, value)| (sysctl_path(key), value.clone())).collect::<Vec<_>>())
}

/// What the process sets of its own in /proc: its clocks, its score.
fn own_files(plan: &Plan<'_>) -> Vec<(String, String)> {
    let clocks = plan.linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()).map(clock_offsets);
    let score = plan.process.oom_score_adj().map(|score| score.to_string());
    let files = [("self/timens_offsets", clocks), ("self/oom_score_adj", score)];
    files.into_iter().filter_map(|(path, value)| Some((path.to_owned(), value?))).collect()
}

fn write_proc(files: &[(String, String)]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let proc = trace::act("mount", || json!({"type": "proc", "private": true}), || Proc::open().map(Some))?;
    for (path, value) in files {
        let what = || json!({"file": path, "value": value});
        trace::act("proc", what, || proc.as_ref().map_or(Ok(()), |proc| proc.write(path, value)))?;
    }
    Ok(())
}

/// All that needs the host's rights: the root, what is mounted in it, the limits.
fn inside(plan: &Plan<'_>) -> Result<Made> {
    let made = if plan.namespaces.makes(Type::Mount) {
        build_root(plan)?
    } else {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        make(plan, &Root::new(rustix::fs::open("/", flags, Mode::empty()).cannot(|| "open the root")?))?
    };
    let keyring = || match sys::new_session_keyring() {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => Ok(()), // a kernel without keys has none to hide
        other => other.cannot(|| "join a new session keyring"),
    };
    trace::act("keyring", || json!({"session": "new"}), keyring)?;
    limits::set(plan.process.rlimits().as_deref().unwrap_or_default())?;
    Ok(made)
}

/// The root with everything in it: first what is mounted and made, then what is covered, at last what is read-only.
fn build_root(plan: &Plan<'_>) -> Result<Made> {
    let (rootfs, linux) = (plan.options.rootfs.as_path(), plan.linux);
    let propagation = linux.rootfs_propagation().as_deref();
    let root = trace::act(
        "root",
        || json!({"path": rootfs, "propagation": propagation.unwrap_or("rslave")}),
        || root::enter(rootfs, propagation).map(Some),
    )?;
    let root = match root {
        Some(root) => root,
        None => Root::new(root::open(rootfs)?), // --dry-run: looked at, not entered
    };
    for (at, mount) in plan.spec.mounts().iter().flatten().enumerate() {
        mounts::mount(&root, mount, plan.trees.get(at).and_then(Option::as_ref), plan)?;
    }
    if !devices::are_given(plan.spec.mounts().as_deref().unwrap_or_default()) {
        devices::set_up(&root, linux.devices().as_deref().unwrap_or_default(), plan.namespaces.has(Type::User))?;
    }
    if guard::is_needed(linux, &plan.groups) {
        bind::refuse_propagation(plan.spec.mounts().iter().flatten())?;
        guard::set_up(&root, linux)?;
    }
    let made = make(plan, &root)?;
    masks::make_readonly(&root, linux.readonly_paths().as_deref().unwrap_or_default())?;
    masks::mask(&root, linux.masked_paths().as_deref().unwrap_or_default())?;
    if plan.spec.root().as_ref().is_some_and(|r| r.readonly().unwrap_or(false)) {
        trace::act("readonly", || json!({"paths": ["/"]}), || root::make_readonly(&root))?;
    }
    trace::act("pivot", || json!({"root": rootfs}), || root::pivot(&root))?;
    Ok(made)
}

/// What the process itself takes from the root: its terminal or null device, its working directory.
fn make(plan: &Plan<'_>, root: &Root) -> Result<Made> {
    let mut made = Made::default();
    if plan.options.tty {
        // Beside others /dev/console is theirs already.
        let bind = plan.options.beside.is_none();
        made.console = console::open(root, plan.process.user().uid(), plan.size, bind)?;
    } else if plan.stdio.needs_null() && !trace::dry_run() {
        let null = masks::dev_null(root)?;
        made.null = Some(plan.proc.reopen(&null, OFlags::RDWR).cannot(|| "open /dev/null of the container")?);
    }
    let cwd = plan.process.cwd();
    made.cwd = trace::act("cwd", || json!({"path": cwd}), || working_directory(plan, root, cwd).map(Some))?;
    Ok(made)
}

/// Made where it is not there, as docker does for a new container; a command that is run beside others makes nothing.
fn working_directory(plan: &Plan<'_>, root: &Root, path: &Path) -> Result<OwnedFd> {
    if plan.options.beside.is_none() {
        return root.make(path, Kind::Directory);
    }
    root.open(path, OFlags::PATH | OFlags::DIRECTORY).map_err(|e| {
        let what = format!("enter the working directory {}", path.display());
        Error::io(what, &e.into()).exit(127)
    })
}

/// Enters the working directory by the descriptor found inside the root; `/proc/self/fd/N` is none there.
///
/// # Errors
/// `invalid` if the kernel says that it is not below the root after all (CVE-2024-21626).
fn enter_cwd(cwd: &OwnedFd) -> Result<()> {
    rustix::process::fchdir(cwd).cannot(|| "enter the working directory")?;
    let path = rustix::process::getcwd(Vec::new()).cannot(|| "ask for the working directory")?;
    if path.to_bytes().first() == Some(&b'/') {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, "the working directory is outside of the root"))
}
