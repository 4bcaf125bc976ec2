//! `--system`: what else nothing uses, each kind by its own tool.

use crate::CtrPrune;
use ctr_core::{Cannot, Code, Error, Failures, Value, json, steps};
use std::process::{Command, Stdio};

/// docker's words.
pub(crate) fn warning(args: &CtrPrune) -> String {
    let mut lines = vec!["This will remove:", "  - all stopped containers"];
    if args.filters.is_empty() {
        lines.push("  - all networks not used by at least one container");
        lines.extend(args.volumes.then_some("  - all anonymous volumes not used by at least one container"));
    }
    lines.push(if args.all {
        "  - all images without at least one container associated to them"
    } else {
        "  - all dangling images"
    });
    lines.join("\n") + "\n"
}

/// Goes on after a kind that fails. Networks and volumes know no filters, so with one they are left.
pub(crate) fn prune(args: &CtrPrune, done: &mut Value, failures: &mut Failures) {
    if args.filters.is_empty() {
        take(done, "NetworksDeleted", &run("ctr-network", &["prune", "-f"], failures));
        if args.volumes {
            take(done, "VolumesDeleted", &run("ctr-volume", &["prune", "-f"], failures));
        }
    }
    let mut words = vec!["-f"];
    words.extend(args.all.then_some("-a"));
    words.extend(args.filters.iter().flat_map(|filter| ["--filter", filter]));
    take(done, "ImagesDeleted", &run("img-prune", &words, failures));
    for tool in ["img-rm", "img-unpack"] {
        run(tool, &["--gc"], failures);
    }
}

/// Adds what a tool says that it removed, and the bytes that it freed.
fn take(done: &mut Value, key: &str, pruned: &Value) {
    let bytes = |value: &Value| value["SpaceReclaimed"].as_u64().unwrap_or_default();
    done["SpaceReclaimed"] = json!(bytes(done) + bytes(pruned));
    done[key] = pruned.get(key).cloned().unwrap_or_else(|| json!([]));
}

/// The last line that a tool prints, also where it fails: it has said of what.
fn run(tool: &str, args: &[&str], failures: &mut Failures) -> Value {
    let program = steps::sibling(tool);
    let what = || format!("run {}", program.display());
    let mut command = Command::new(&program);
    let output = command.args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).output().cannot(what);
    let Some(output) = failures.note(output) else { return Value::Null };
    failures.note(if output.status.success() { Ok(()) } else { Err(Error::new(Code::Io, format!("{tool} failed"))) });
    String::from_utf8_lossy(&output.stdout).lines().last().and_then(|line| line.parse().ok()).unwrap_or_default()
}
