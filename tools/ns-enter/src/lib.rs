//! Runs a command beside a container's own: in its namespaces and control groups, with its confinement.

use clap::Args;
use ctr_core::{Code, Error, Process, Result, Rootfs, Value, container, events, files, ident, json, trace};
use ctr_runtime::{
    run::{self, Options, Streams},
    spec::{self, Flags},
};
use jiff::Timestamp;
use rustix::process::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The tool's name.
pub const NAME: &str = "ns-enter";
/// The first line of its help.
pub const ABOUT: &str = "Run a command in a running container";

/// The arguments of ns-enter(1).
#[derive(Args, Debug)]
pub struct NsEnter {
    /// Give the command this stdin
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Give the command a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// Leave the command running, without streams
    #[arg(short = 'd', long, conflicts_with = "interactive")]
    detach: bool,
    /// Set an environment variable; NAME alone takes the caller's value
    #[arg(short = 'e', long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from FILE, one a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Run as this user, by name or number
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Start in this directory of the container
    #[arg(short = 'w', long, value_name = "DIR")]
    workdir: Option<String>,
    /// Give every capability that the caller has
    #[arg(long)]
    privileged: bool,
    /// Print each thing done to the kernel as a JSON line on stderr
    #[arg(long)]
    trace: bool,
    /// Name, id or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<String>,
}

/// Runs it to its end and exits with its status.
///
/// # Errors
/// `not-found` for a container that is not there, `invalid` for one that does not run or is paused, with exit status 1;
/// those of the start with 125, 126 or 127 (`ctr-document(5)`).
pub fn run(args: NsEnter) -> Result<()> {
    trace::init(NAME, args.trace, false);
    let id = container::find(&args.container)?;
    let process = running(&args.container, &id)?;
    let doc = container::recorded(&id)?;
    let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
    let flags = Flags {
        tty: args.tty,
        env: args.env,
        env_file: args.env_file,
        user: args.user,
        workdir: args.workdir,
        privileged: args.privileged,
        command: args.command,
        ..Flags::default()
    };
    let Some(Value::Object(mut section)) = doc.get("spec").cloned() else {
        return Err(Error::new(Code::Invalid, format!("container {} has no spec", args.container)));
    };
    let image = doc.get("image").and_then(|i| i.get("config")).and_then(|c| c.get("config"));
    let image_env = image.and_then(|c| c.get("Env"));
    spec::beside(&mut section, &flags, Path::new(&rootfs.path), image_env).map_err(failed)?;
    let user = section["process"]["user"].clone();
    let spec = spec::read(&Value::Object(section))?;
    let options = Options {
        tty: flags.tty,
        interactive: args.interactive,
        relayed: !args.detach,
        // Its client gone, it gets what a shell's jobs get.
        at_parents_death: if args.detach { None } else { Some(Signal::HUP) },
        streams: args.detach.then(Streams::default),
        beside: Some(process),
        ..Options::new(&id, PathBuf::from("/"))
    };
    let token = ident::new_id();
    let mut list = |pid: i32| {
        events::emit("exec_start", &doc, &json!({"execID": token, "command": flags.command}));
        let entry = json!({
            "id": token, "pid": pid, "pidStart": container::process_start(pid), "args": flags.command,
            "tty": flags.tty, "user": user, "startedAt": Timestamp::now().to_string(),
        });
        let dir = container::execs_dir(&id);
        files::make_dir(&dir)?;
        sweep(&dir);
        files::replace(&dir.join(format!("{token}.json")), entry.to_string().as_bytes(), false)
    };
    if args.detach {
        // It has the kernel's first process as its parent from then on, and is listed until the container ends.
        return match run::start(&spec, options, &mut list)? {
            Some(running) => running.release().map(drop),
            None => Ok(()),
        };
    }
    let exit = run::run(&spec, options, &mut list);
    let _ = files::remove_file(&container::execs_dir(&id).join(format!("{token}.json")));
    let code = exit.as_ref().map_or_else(|e| e.exit, |exit| exit.code);
    events::emit("exec_die", &doc, &json!({"execID": token, "exitCode": code}));
    let exit = exit?;
    std::process::exit(exit.code.into())
}

/// Takes away what was left of commands that have ended without their clients.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let process = fs::read(entry.path()).ok().and_then(|text| serde_json::from_slice::<Process>(&text).ok());
        if process.is_some_and(|process| !container::is_running(process)) {
            let _ = files::remove_file(&entry.path());
        }
    }
}

/// The container's own process.
fn running(word: &str, id: &str) -> Result<Process> {
    let not = |what: &str| Error::new(Code::Invalid, format!("container {word} is {what}"));
    match container::live_state(id)? {
        Some(state) if state.status == "paused" => Err(not("paused").hint("ctr unpause")),
        Some(state) => match (state.pid, state.pid_start) {
            (Some(pid), Some(pid_start)) => Ok(Process { pid, pid_start }),
            _ => Err(not("restarting").hint("wait until it runs")),
        },
        None => Err(not("not running")),
    }
}

/// What is wrong with the words about the command is the tool's failure, as in `ns-spawn`.
fn failed(error: Error) -> Error {
    if matches!(error.exit, 1 | 2) { error.exit(125) } else { error }
}
