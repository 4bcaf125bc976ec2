//! `ctr run`: flags and words are dealt out to the tools of the pipe.

mod flags;

use crate::{
    Plan,
    flags::{Given, usage},
    pipe::{Stage, pipe},
};
use ctr_core::{Result, trace};
pub use flags::{FLAGS, LATER};

/// The pipe from a registry to a running process.
///
/// A command that wants this stdin (`-i` without `-t`) gets it untouched: the pipe's own document then comes to
/// ns-spawn by descriptor 3, and 4 keeps the stdin that the first stage would otherwise take
/// (`ctr-document(5)`, rule 10). One that is detached gets none of the caller's streams.
///
/// # Errors
/// `usage` without an image.
pub fn run(given: &Given) -> Result<Plan> {
    if given.on("detach") {
        return detached(given);
    }
    if given.last("wait").is_some() {
        return Err(usage("--wait is for a container that is detached").hint("give --detach"));
    }
    let (interactive, tty) = (given.on("interactive"), given.on("tty"));
    let own_stdin = interactive && !tty;
    let spawn = Stage::new("ns-spawn").words_if(own_stdin, ["-f", "/dev/fd/3"]);
    let line = pipe(&stages(given, spawn)?);
    let line = if own_stdin { format!("{{ {line} 3<&0 0<&4; }} 4<&0") } else { line };
    Ok(Plan { line, terminal: interactive && tty })
}

/// The same, up to a container that was not started.
pub fn create(given: &Given) -> Result<Plan> {
    if given.on("detach") || given.last("wait").is_some() {
        return Err(usage("create starts nothing: -d and --wait are for run"));
    }
    Ok(Plan::of(pipe(&stages(given, Stage::new("ns-spawn").words(["--create", "-q"]))?)))
}

fn detached(given: &Given) -> Result<Plan> {
    let line = pipe(&stages(given, Stage::new("ns-spawn").words(["-dq"]))?);
    let Some(wait) = given.last("wait") else { return Ok(Plan::of(line)) };
    let (condition, time) = wait.split_once(':').map_or((wait, None), |(what, time)| (what, Some(time)));
    if !["healthy", "running"].contains(&condition) {
        return Err(usage(format!("--wait is healthy or running, with a time as healthy:60s, not {wait:?}")));
    }
    let wait =
        Stage::new("ctr-wait").words(["--condition", condition]).words(time.iter().flat_map(|t| ["--timeout", t]));
    Ok(Plan::of(format!("id=$({line}) && echo \"$id\" && {wait} \"$id\" >/dev/null")))
}

/// The stages up to `spawn`, which is completed here.
fn stages(given: &Given, spawn: Stage) -> Result<Vec<Stage>> {
    let [image, command @ ..] = given.operands.as_slice() else {
        return Err(usage("an image is missing").hint("ctr run [OPTIONS] IMAGE [COMMAND] [ARG…]"));
    };
    let (attach, own) = network(given)?;
    let pull = given.last("pull").unwrap_or("missing");
    if !["always", "missing", "never"].contains(&pull) {
        return Err(usage(format!("--pull is always, missing or never, not {pull:?}")));
    }
    let rm = given.on("rm");
    let created = spawn.has("--create");
    let fetch =
        Stage::new("img-pull").words(["--stream", "--pull", pull]).words(given.for_tool("img-pull")).operands([image]);
    // A container that is not started would be gc's at once.
    let mount = Stage::new("overlay-mount").words([if rm && !created { "--volatile" } else { "--provisional" }]);
    let mount = mount.words(given.for_tool("overlay-mount"));
    let terminal = match (given.on("interactive"), given.on("tty")) {
        (true, true) => Some("-it"),
        (true, false) => Some("-i"),
        (false, true) => Some("-t"),
        (false, false) => None,
    };
    let files = given.for_tool("vol-mount");
    let spawn = spawn
        .words(terminal)
        .words([if rm { "--rm" } else { "--rm=failed" }])
        .words(own)
        .words(given.for_tool("ns-spawn"))
        .words_if(!command.is_empty(), ["--"])
        .words(command);
    let mut stages = vec![fetch, Stage::new("img-unpack"), mount];
    if !files.is_empty() {
        stages.push(Stage::new("vol-mount").words(files));
    }
    stages.extend(attach);
    stages.extend(limit(given)?);
    stages.push(spawn);
    Ok(stages)
}

/// The stage that makes the container's control groups.
fn limit(given: &Given) -> Result<Option<Stage>> {
    let words = given.for_tool("cg-limit");
    match given.last("cgroups").unwrap_or("enabled") {
        // What it may open is set there, what else it may do by ns-spawn.
        "enabled" => Ok(Some(Stage::new("cg-limit").words_if(given.on("privileged"), ["--privileged"]).words(words))),
        "disabled" if words.is_empty() => Ok(None),
        "disabled" => Err(usage("limits and devices are set by control groups: give them or --cgroups disabled")),
        other => Err(usage(format!("--cgroups is enabled or disabled, not {other:?}"))),
    }
}

/// The stage that attaches the container to networks; or, for what ns-spawn makes or joins itself, the words for it.
fn network(given: &Given) -> Result<(Option<Stage>, Vec<String>)> {
    let mut words = given.for_tool("net-attach");
    let networks = given.all("network");
    if let Some(network) = networks.iter().find(|network| is_there(network)) {
        if networks.len() > 1 {
            return Err(usage(format!("network {network} stands alone: there cannot be another beside it")));
        }
        // There is nothing that could be published; docker says nothing either.
        words.retain(|word| word != "-P");
        if *network == "host" && given.last("publish").is_some() {
            // docker's words.
            trace::warn("Published ports are discarded when using host network mode");
            words = without_ports(words);
        }
        if let Some(flag) = words.first() {
            return Err(usage(format!("{flag} needs a network, not {network}")));
        }
        return Ok((None, vec!["--network".to_owned(), (*network).to_owned()]));
    }
    let named = networks.into_iter().flat_map(|network| ["--network", network]);
    Ok((Some(Stage::new("net-attach").words(named).words(words)), Vec::new()))
}

/// The words but for `-p PORT` and `--publish=PORT`.
fn without_ports(words: Vec<String>) -> Vec<String> {
    let mut words = words.into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if word == "-p" {
            words.next();
        } else if !word.starts_with("--publish=") {
            kept.push(word);
        }
    }
    kept
}

/// Whether a network is one that ns-spawn makes or joins.
fn is_there(network: &str) -> bool {
    matches!(network, "none" | "host") || network.starts_with("container:") || network.starts_with("ns:")
}
