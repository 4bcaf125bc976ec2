//! `ctr run`: flags and words are dealt out to the tools of the pipe.

mod flags;

use crate::{
    Plan,
    flags::{Given, usage},
    pipe::{Stage, pipe},
};
use ctr_core::{Code, Error, Result};
pub use flags::{FLAGS, LATER};

/// The pipe from a registry to a running process.
///
/// A command that wants this stdin (`-i` without `-t`) gets it untouched: the pipe's own document then comes to
/// ns-spawn by descriptor 3, and 4 keeps the stdin that the first stage would otherwise take
/// (`ctr-document(5)`, rule 10).
///
/// # Errors
/// `usage` without an image, `unsupported` for networks that are not there yet.
pub fn run(given: &Given) -> Result<Plan> {
    let [image, command @ ..] = given.operands.as_slice() else {
        return Err(usage("run needs an image").hint("ctr run [OPTIONS] IMAGE [COMMAND] [ARG…]"));
    };
    if let Some(network) = given.last("network").filter(|n| !is_there(n)) {
        return Err(Error::new(Code::Unsupported, format!("--network {network}: not there yet ({})", flags::NETWORKS)));
    }
    let pull = given.last("pull").unwrap_or("missing");
    if !["always", "missing", "never"].contains(&pull) {
        return Err(usage(format!("--pull is always, missing or never, not {pull:?}")));
    }
    let (interactive, tty, rm) = (given.on("interactive"), given.on("tty"), given.on("rm"));
    let own_stdin = interactive && !tty;

    let fetch =
        Stage::new("img-pull").words(["--stream", "--pull", pull]).words(given.for_tool("img-pull")).operands([image]);
    let mount = Stage::new("overlay-mount").words_if(rm, ["--volatile"]).words(given.for_tool("overlay-mount"));
    let terminal = match (interactive, tty) {
        (true, true) => Some("-it"),
        (true, false) => Some("-i"),
        (false, true) => Some("-t"),
        (false, false) => None,
    };
    let spawn = Stage::new("ns-spawn")
        .words_if(own_stdin, ["-f", "/dev/fd/3"])
        .words(terminal)
        .words_if(rm, ["--rm"])
        .words(given.for_tool("ns-spawn"))
        .words_if(!command.is_empty(), ["--"])
        .words(command);

    let line = pipe(&[fetch, Stage::new("img-unpack"), mount, spawn]);
    let line = if own_stdin { format!("{{ {line} 3<&0 0<&4; }} 4<&0") } else { line };
    Ok(Plan { line, terminal: interactive && tty })
}

/// Whether a network is one that ns-spawn makes or joins.
fn is_there(network: &str) -> bool {
    matches!(network, "none" | "host") || network.starts_with("container:") || network.starts_with("ns:")
}
