//! `--system`: what else nothing uses, each kind by its own tool.

use crate::CtrPrune;
use ctr_core::{Cannot, Code, Error, Failures, Result, Value, json, steps};
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
        let networks = failures.note(run("ctr-network", &["prune", "-f"]));
        done["NetworksDeleted"] = names(&networks.unwrap_or_default());
        if args.volumes {
            let volumes = failures.note(run("ctr-volume", &["prune", "-f"]));
            done["VolumesDeleted"] = names(&volumes.unwrap_or_default());
        }
    }
    let mut words = vec!["-f"];
    words.extend(args.all.then_some("-a"));
    words.extend(args.filters.iter().flat_map(|filter| ["--filter", filter]));
    let pruned = failures.note(run("img-prune", &words)).unwrap_or_default();
    let pruned: Value = pruned.parse().unwrap_or_default();
    done["ImagesDeleted"] = pruned.get("ImagesDeleted").cloned().unwrap_or_else(|| json!([]));
    for tool in ["img-rm", "img-unpack"] {
        failures.note(run(tool, &["--gc"]));
    }
    let bytes = |value: &Value| value["SpaceReclaimed"].as_u64().unwrap_or_default();
    done["SpaceReclaimed"] = json!(bytes(done) + bytes(&pruned));
}

fn names(lines: &str) -> Value {
    json!(lines.lines().collect::<Vec<_>>())
}

/// What a tool prints.
fn run(tool: &str, args: &[&str]) -> Result<String> {
    let program = steps::sibling(tool);
    let what = || format!("run {}", program.display());
    let mut command = Command::new(&program);
    let output = command.args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).output().cannot(what)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::new(Code::Io, format!("{tool} failed")))
}
