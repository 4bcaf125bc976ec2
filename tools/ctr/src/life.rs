//! The commands about the life of containers.

use crate::{
    Plan, disk,
    flags::{Flag, Given, list, switch, usage, value},
    pipe::{Stage, printed, printed_live},
};
use ctr_core::Result;

/// `ctr ps`
pub const PS: &[Flag] = &[
    switch("all", "Also those that do not run").short('a').to("ctr-ls"),
    list("filter", "KEY=VALUE", "Only these: name=, status=, label=, ancestor=, …").short('f').to("ctr-ls"),
    value("last", "N", "The N made last, whether they run or not").short('n').to("ctr-ls"),
    switch("latest", "The one made last").short('l').to("ctr-ls"),
    switch("size", "With the size of the writable layer").short('s').to("ctr-ls"),
    switch("no-trunc", "Cut nothing"),
    switch("quiet", "Only ids").short('q'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each container, or `json`"),
];

/// `ctr start`
pub const START: &[Flag] = &[
    switch("attach", "Show what it writes, and exit with its status").short('a'),
    switch("interactive", "Give it this stdin too").short('i'),
    value("detach-keys", "KEYS", "The keys that leave it running").to("ctr-attach"),
    switch("all-restart", "Those whose restart policy wants them running after a reboot"),
    value("checkpoint", "", "").not_yet("checkpoints"),
];

/// `ctr stop` and `ctr restart`
pub const STOP: &[Flag] = &[
    value("signal", "SIGNAL", "Ask with this signal instead of the container's own").short('s').to("ctr-stop"),
    value("timeout", "SECONDS", "How long to wait before it is killed; -1 for ever [default: 10]")
        .short('t')
        .alias("time")
        .to("ctr-stop"),
];

/// `ctr kill`
pub const KILL: &[Flag] = &[value("signal", "SIGNAL", "Send this one [default: KILL]").short('s').to("ctr-kill")];

/// No flags.
pub const NONE: &[Flag] = &[];

/// `ctr wait`
pub const WAIT: &[Flag] = &[
    value(
        "condition",
        "WHAT",
        "not-running, next-exit, exited, running, healthy, unhealthy, removed, port:N, log:RE [default: not-running]",
    )
    .to("ctr-wait"),
    value("timeout", "TIME", "Give up after this time").to("ctr-wait"),
];

/// `ctr attach`
pub const ATTACH: &[Flag] = &[
    switch("no-stdin", "Do not pass stdin on").to("ctr-attach"),
    value("detach-keys", "KEYS", "The keys that leave it running [default: ctrl-p,ctrl-q]").to("ctr-attach"),
    value("sig-proxy", "BOOL", "Whether signals are passed on [default: true]").to("ctr-attach"),
];

/// `ctr exec`
pub const EXEC: &[Flag] = &[
    switch("interactive", "Give the command this stdin").short('i').to("ns-enter"),
    switch("tty", "Give the command a terminal").short('t').to("ns-enter"),
    switch("detach", "Leave the command running").short('d').to("ns-enter"),
    list("env", "KEY[=VALUE]", "Set a variable; without a value take this shell's").short('e').to("ns-enter"),
    list("env-file", "FILE", "Set the variables of a file").to("ns-enter"),
    value("user", "USER[:GROUP]", "Run as this user, by name or number").short('u').to("ns-enter"),
    value("workdir", "DIR", "Start in this directory").short('w').to("ns-enter"),
    switch("privileged", "Give the command every capability").to("ns-enter"),
    value("detach-keys", "", "").not_yet("leaving a command running"),
];

/// `ctr logs`
pub const LOGS: &[Flag] = &[
    switch("follow", "Go on with what is written later").short('f').to("ctr-logs"),
    value("tail", "N|all", "Only the last N lines").short('n').to("ctr-logs"),
    value("since", "TIME", "Only what was written after this time: 2026-11-25T10:00:00, or 10m ago").to("ctr-logs"),
    value("until", "TIME", "Only what was written before this time").to("ctr-logs"),
    switch("timestamps", "With the time of each line").short('t').to("ctr-logs"),
    value("stream", "stdout|stderr", "Only this stream").to("ctr-logs"),
    switch("details", "").not_yet("details of logs"),
];

/// `ctr stats`
pub const STATS: &[Flag] = &[
    switch("all", "Also those that do not run, without figures").short('a'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each container, or `json`"),
    switch("no-stream", "Once, not again each second"),
    switch("no-trunc", "Cut nothing"),
];

/// `ctr cp`
pub const CP: &[Flag] = &[
    switch("archive", "Keep owners").short('a').to("ctr-cp"),
    switch("follow-link", "Follow a symbolic link that is the source").short('L').to("ctr-cp"),
    switch("quiet", "Say nothing of the progress").short('q').to("ctr-cp"),
];

/// `ctr export`
pub const EXPORT: &[Flag] = &[value("output", "FILE", "Write to FILE instead of stdout").short('o').to("ctr-export")];

/// `ctr events`
pub const EVENTS: &[Flag] = &[
    value("since", "TIME", "From this time on, not only new ones").to("ctr-events"),
    value("until", "TIME", "Up to this time, then end").to("ctr-events"),
    list("filter", "KEY=VALUE", "Only these: container=, event=, label=, …").short('f').to("ctr-events"),
    value("format", "FORMAT", "A TEMPLATE for each, or `json`"),
];

/// `ctr container prune`
pub const PRUNE: &[Flag] = &[
    switch("force", "Do not ask").short('f').to("ctr-prune"),
    list("filter", "KEY=VALUE", "Only these: until=, label=, label!=").to("ctr-prune"),
];

/// docker's table of containers.
pub fn ps(given: &Given) -> Result<Plan> {
    if let Some(word) = given.operands.first() {
        return Err(usage(format!("ps takes no operand, not {word:?}")));
    }
    let format = match given.last("format") {
        Some(format) => format,
        None if given.on("quiet") => "{{.ID}}",
        None if given.on("size") => {
            "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}\\t{{.Size}}"
        }
        None => "table",
    };
    let list = Stage::new("ctr-ls").words(given.for_tool("ctr-ls"));
    let print = Stage::new("ctr-fmt")
        .words(["--view", "container"])
        .words_if(given.on("no-trunc"), ["--no-trunc"])
        .operands([format]);
    Ok(Plan::of(printed(&list, &print)))
}

/// Starts, and with `--attach` shows what is written from the first byte on.
pub fn start(given: &Given) -> Result<Plan> {
    if given.on("all-restart") {
        return Ok(Plan::of(Stage::new("ctr-start").words(["--boot"]).to_string()));
    }
    let operands = some(given, "start")?;
    let attach = given.on("attach") || given.on("interactive");
    if !attach {
        return Ok(Plan::of(Stage::new("ctr-start").operands(operands).to_string()));
    }
    let [container] = operands else { return Err(usage("start attaches to one container")) };
    let begin = Stage::new("ctr-start").words(["--hold"]).operands([container]);
    let attach = Stage::new("ctr-attach")
        .words_if(!given.on("interactive"), ["--no-stdin"])
        .words(given.for_tool("ctr-attach"))
        .operands([container]);
    Ok(Plan::of(format!("{begin} >/dev/null && {attach}")))
}

/// Asks to end, waits, kills.
pub fn stop(given: &Given) -> Result<Plan> {
    one_stage(given, "ctr-stop", "stop")
}

/// Ends and starts.
pub fn restart(given: &Given) -> Result<Plan> {
    let operands = some(given, "restart")?;
    let one = |container: &String| {
        let stop = Stage::new("ctr-stop").words(given.for_tool("ctr-stop")).operands([container]);
        format!("{stop} >/dev/null && {}", Stage::new("ctr-start").operands([container]))
    };
    if let [container] = operands {
        return Ok(Plan::of(one(container)));
    }
    // One that fails does not keep the others from being started again.
    let all: Vec<_> = operands.iter().map(|container| format!("{{ {} || s=$?; }}", one(container))).collect();
    Ok(Plan::of(format!("s=0; {}; (exit $s)", all.join("; "))))
}

/// Sends a signal.
pub fn kill(given: &Given) -> Result<Plan> {
    one_stage(given, "ctr-kill", "kill")
}

/// Freezes.
pub fn pause(given: &Given) -> Result<Plan> {
    one_stage(given, "ctr-pause", "pause")
}

/// Thaws.
pub fn unpause(given: &Given) -> Result<Plan> {
    let operands = some(given, "unpause")?;
    Ok(Plan::of(Stage::new("ctr-pause").words(["--undo"]).operands(operands).to_string()))
}

/// Waits for a condition.
pub fn wait(given: &Given) -> Result<Plan> {
    one_stage(given, "ctr-wait", "wait")
}

/// Connects to the streams.
pub fn attach(given: &Given) -> Result<Plan> {
    one(given, "attach")?;
    one_stage(given, "ctr-attach", "attach")
}

/// Runs a command in a container.
pub fn exec(given: &Given) -> Result<Plan> {
    if given.operands.len() < 2 {
        return Err(usage("exec needs a container and a command").hint("ctr exec [OPTIONS] CONTAINER COMMAND [ARG…]"));
    }
    let stage = Stage::new("ns-enter").words(given.for_tool("ns-enter")).operands(&given.operands);
    Ok(Plan { line: stage.to_string(), terminal: given.on("interactive") && given.on("tty") })
}

/// Prints the log.
pub fn logs(given: &Given) -> Result<Plan> {
    one(given, "logs")?;
    one_stage(given, "ctr-logs", "logs")
}

/// Lists processes; what follows the container are the words of ps(1).
pub fn top(given: &Given) -> Result<Plan> {
    some(given, "top")?;
    let (container, words) = given.operands.split_at(1);
    Ok(Plan::of(Stage::new("ctr-top").operands(container).words(words).to_string()))
}

/// What containers use: those that are named, else every one that runs, as long as they do.
///
/// A percentage is over a time: half a second before what is shown once, a fifth before the first of many.
pub fn stats(given: &Given) -> Result<Plan> {
    let once = given.on("no-stream");
    let (every, named) = (given.operands.is_empty() || given.on("all"), !given.operands.is_empty());
    if every && named {
        return Err(usage("stats takes containers or --all, not both"));
    }
    let read = Stage::new("cg-stat")
        .words_if(every, [if given.on("all") { "--all" } else { "--running" }])
        .words(if once { vec!["--prime", "500ms"] } else { vec!["--list", "--prime", "200ms", "--interval", "1s"] })
        .operands(&given.operands);
    let print = Stage::new("ctr-fmt")
        .words(["--view", "stats"])
        .words_if(!once, ["--live"])
        .words_if(given.on("no-trunc"), ["--no-trunc"])
        .operands([given.last("format").unwrap_or("table")]);
    Ok(Plan::of(if once { printed(&read, &print) } else { printed_live(&read, &print) }))
}

/// Copies files.
pub fn cp(given: &Given) -> Result<Plan> {
    if given.operands.len() != 2 {
        return Err(usage("cp needs a source and a destination").hint("CONTAINER:PATH is a path in a container"));
    }
    one_stage(given, "ctr-cp", "cp")
}

/// Lists what a container changed of its image.
pub fn diff(given: &Given) -> Result<Plan> {
    one(given, "diff")?;
    one_stage(given, "ctr-diff", "diff")
}

/// Writes a container's root as a tar.
pub fn export(given: &Given) -> Result<Plan> {
    one(given, "export")?;
    one_stage(given, "ctr-export", "export")
}

/// Gives a container another name.
pub fn rename(given: &Given) -> Result<Plan> {
    if given.operands.len() != 2 {
        return Err(usage("rename needs a container and its new name"));
    }
    one_stage(given, "ctr-rename", "rename")
}

/// Prints what happens to containers.
pub fn events(given: &Given) -> Result<Plan> {
    if let Some(word) = given.operands.first() {
        return Err(usage(format!("events takes no operand, not {word:?}")));
    }
    let read = Stage::new("ctr-events").words(given.for_tool("ctr-events"));
    Ok(Plan::of(printed(&read, &Stage::new("ctr-fmt").words(["--view", "event"]).operands(given.last("format")))))
}

/// Removes every container that does not run.
pub fn prune(given: &Given) -> Result<Plan> {
    if let Some(word) = given.operands.first() {
        return Err(usage(format!("prune takes no operand, not {word:?}")));
    }
    let remove = Stage::new("ctr-prune").words(given.for_tool("ctr-prune"));
    Ok(disk::pruned(&remove, &(disk::deleted("Containers") + disk::RECLAIMED)))
}

fn one_stage(given: &Given, tool: &str, verb: &str) -> Result<Plan> {
    let operands = some(given, verb)?;
    Ok(Plan::of(Stage::new(tool).words(given.for_tool(tool)).operands(operands).to_string()))
}

fn some<'a>(given: &'a Given, verb: &str) -> Result<&'a [String]> {
    if given.operands.is_empty() {
        return Err(usage(format!("{verb} needs a container")));
    }
    Ok(&given.operands)
}

fn one(given: &Given, verb: &str) -> Result<()> {
    if given.operands.len() == 1 { Ok(()) } else { Err(usage(format!("{verb} needs one container"))) }
}
