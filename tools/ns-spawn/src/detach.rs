//! A container that stays: its process is started by a process that becomes its supervisor.

use crate::{NsSpawn, begun::Begun, options, state};
use ctr_core::{
    Cannot, Code, Document, Done, Error, Lock, Process, Result, Rootfs, State, Supervise, Value, container, events,
    json, paths, steps, trace,
};
use ctr_runtime::{
    run::{self, Options, Streams},
    spec,
};
use jiff::Timestamp;
use oci_spec::runtime::Spec;
use rustix::{
    fs::{Mode, OFlags},
    io::FdFlags,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
    pipe::{PipeFlags, pipe_with},
};
use std::{
    convert::Infallible,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::Command,
};

/// Completes the spec and starts it; with `--create` everything but the start.
pub fn detach(args: &mut NsSpawn, doc: &mut Document, rootfs: &Rootfs) -> Result<Done> {
    let mut begun = Begun::new(args, doc)?;
    let done = begun.complete(args, doc, rootfs).and_then(|spec| {
        if args.create {
            return doc.set("state", &State { status: "created".to_owned(), ..State::default() });
        }
        let _starts = begun.publish(doc)?;
        start(doc, &begun.id, &spec, rootfs, begun.held.take())
    });
    if let Err(e) = done {
        begun.take_back(doc, &e);
        return Err(e);
    }
    if !args.create {
        return Ok(Done::Saved);
    }
    // One that does not run holds no port.
    ctr_net::free_ports(&begun.id).unwrap_or_else(|e| trace::warn(&e.to_string()));
    Ok(Done::Print)
}

/// `--repair`: a container whose document says that it runs, runs again; one that ended by itself stays ended.
pub fn repair(doc: &mut Document) -> Result<()> {
    let id = container::checked_id(doc.str("id").unwrap_or_default())?.to_owned();
    let wanted = doc.section::<State>("state")?.filter(State::is_live);
    let Some(wanted) =
        wanted.filter(|_| !container::live_state(&id).is_ok_and(|now| now.is_some_and(|s| s.pid.is_some())))
    else {
        return Ok(());
    };
    // A rename may have it for a moment.
    let held = container::hold_ended(&id)?;
    // Only now can nobody rename, remove or stop it any more; the document may be older than such a change.
    let record = container::whole(&id)?;
    for key in ["name", "labels"] {
        if let Some(value) = record.get(key) {
            doc.set(key, value)?;
        }
    }
    if container::is_halted(&id) {
        return Ok(());
    }
    let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
    let again = |doc: &mut Document| {
        spec::rejoin(doc.object("spec")?)?;
        let spec = spec::read(doc.get("spec").unwrap_or(&Value::Null))?;
        start(doc, &id, &spec, &rootfs, held)
    };
    again(doc).inspect_err(|e| {
        let exit_code = Some(if matches!(e.exit, 1 | 2) { 125 } else { e.exit });
        let finished_at = Some(Timestamp::now().to_string());
        let failed = State {
            status: "stopped".to_owned(),
            exit_code,
            error: Some(e.message.clone()),
            finished_at,
            restart_count: wanted.restart_count,
            restart_delay: wanted.restart_delay,
            ..State::default()
        };
        let noted = container::save_exit(&id, &failed, true).and_then(|()| container::forget_state(&id));
        noted.unwrap_or_else(|e| trace::warn(&e.to_string()));
    })
}

/// Starts the process below a supervisor; the document gets the state it then has.
fn start(doc: &mut Document, id: &str, spec: &Spec, rootfs: &Rootfs, held: Option<Lock>) -> Result<()> {
    let options = Options { rootfs: PathBuf::from(&rootfs.path), relayed: false, ..options(spec, id) };
    if trace::dry_run() {
        return run::start(spec, options, &mut |_| Ok(())).map(drop);
    }
    let before = container::last_exit(id)?;
    let what = || json!({"supervisor": "ctr-supervise"});
    trace::act("detach", what, || {
        run::detached(|| match become_supervisor(doc, id, spec, options, held) {
            Err(e) => e,
            Ok(never) => match never {},
        })
    })?;
    // It may have ended by now, and with `--rm` be gone.
    let ended =
        container::last_exit(id)?.filter(|exit| before.as_ref().is_none_or(|b| b.started_at != exit.started_at));
    let state = match container::live_state(id)?.or(ended) {
        Some(state) => state,
        None if !container::dir(id).exists() => State { status: "stopped".to_owned(), ..State::default() },
        None => return Err(Error::new(Code::Internal, "the supervisor was killed as the container was started")),
    };
    doc.set("state", &state)
}

/// What the supervisor gets: descriptors by number.
struct Handover {
    words: Vec<String>,
    kept: Vec<OwnedFd>,
}

impl Handover {
    fn pass(&mut self, name: &str, fd: OwnedFd) {
        self.words.extend([format!("--{name}"), fd.as_raw_fd().to_string()]);
        self.kept.push(fd);
    }
}

/// In the new process: starts the container's, and becomes its supervisor, whose child it then is.
fn become_supervisor(
    doc: &mut Document,
    id: &str,
    spec: &Spec,
    mut options: Options,
    held: Option<Lock>,
) -> Result<Infallible> {
    let mut supervise: Supervise = doc.section("supervise")?.unwrap_or_default();
    let hold = std::mem::take(&mut supervise.hold);
    doc.set("supervise", &supervise)?;
    let mut handover = Handover { words: vec![id.to_owned()], kept: Vec::new() };
    let null =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).cannot(|| "open /dev/null")?;
    // A pipe or terminal of the caller's is not kept open by who stays.
    rustix::stdio::dup2_stdin(&null).cannot(|| "close stdin")?;
    rustix::stdio::dup2_stdout(&null).cannot(|| "close stdout")?;
    // Nor a file system, by the directory that the caller is in.
    rustix::process::chdir("/").cannot(|| "leave the working directory")?;
    if !options.tty {
        options.streams = Some(pipes(&mut handover, supervise.stdin)?);
    }
    handover.pass("listen", listen(id)?);
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let supervisor = container::process_start(own).map(|pid_start| Process { pid: own, pid_start });
    let running = run::start(spec, options, &mut |pid| state::running(doc, id, pid, supervisor).map(drop))?
        .ok_or_else(|| Error::new(Code::Internal, "nothing was started"))?;
    events::emit("start", doc, &json!({}));
    let (pidfd, terminal) = running.release()?;
    handover.pass("process", pidfd);
    if let Some(terminal) = terminal {
        handover.pass("terminal", terminal);
    }
    if let Some(held) = &held {
        handover.pass("lock", held.as_fd().try_clone_to_owned().cannot(|| "pass the lock on")?);
    }
    let limits = supervise.log;
    handover.words.extend([format!("--max-size={}", limits.max_size), format!("--max-file={}", limits.max_file)]);
    if hold {
        handover.words.push("--hold".to_owned());
    }
    if let Some(group) = spec.linux().as_ref().and_then(run::control_group) {
        handover.words.push(format!("--group={}", group.display()));
    }
    if let Some(check) = &supervise.health {
        let check = serde_json::to_string(check).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        handover.words.push(format!("--health={check}"));
    }
    // What the caller had open, and what is not handed over, ends here.
    ctr_runtime::cloexec_from_3().cannot(|| "mark descriptors close-on-exec")?;
    for fd in &handover.kept {
        rustix::io::fcntl_setfd(fd, FdFlags::empty()).cannot(|| "pass a descriptor on")?;
    }
    let program = steps::sibling("ctr-supervise");
    let mut command = Command::new(&program);
    command.args(&handover.words);
    let stderr = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).cannot(|| "keep stderr")?;
    rustix::stdio::dup2_stderr(&null).cannot(|| "close stderr")?;
    let error = command.exec();
    let _ = rustix::stdio::dup2_stderr(&stderr);
    // The container's process dies with this one.
    Err(error).cannot(|| format!("run {}", program.display()))
}

/// The container's ends of its streams; the supervisor's are handed over.
fn pipes(handover: &mut Handover, stdin: bool) -> Result<Streams> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).cannot(|| "make a pipe");
    let (out, stdout) = pipe()?;
    let (err, stderr) = pipe()?;
    handover.pass("out", out);
    handover.pass("err", err);
    let stdin = if stdin {
        let (theirs, ours) = pipe()?;
        handover.pass("in", ours);
        Some(theirs)
    } else {
        None
    };
    Ok(Streams { stdin, stdout: Some(stdout), stderr: Some(stderr) })
}

/// The socket that serves attach, in the run directory; packets, so that a message is one.
fn listen(id: &str) -> Result<OwnedFd> {
    let dir = paths::run_dir(id);
    let what = || format!("listen in {}", dir.display());
    let fd = rustix::fs::open(&dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).cannot(what)?;
    ctr_core::files::remove_file(&container::attach_socket(id))?;
    // By descriptor: the path may be longer than the 108 bytes that an address has (unix(7)).
    let name = container::attach_socket(id).file_name().unwrap_or_default().to_owned();
    let address =
        SocketAddrUnix::new(PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())).join(name)).cannot(what)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .cannot(what)?;
    rustix::net::bind(&socket, &address).cannot(what)?;
    rustix::net::listen(&socket, 16).cannot(what)?;
    Ok(socket)
}
