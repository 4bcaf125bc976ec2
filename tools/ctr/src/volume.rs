//! The commands about volumes.

use crate::{
    Plan, disk,
    flags::{Flag, Given, list, switch, usage, value},
    pipe::{Stage, printed},
};
use ctr_core::Result;

const TOOL: &str = "ctr-volume";
const MOUNTER: &str = "vol-mount";

/// `ctr volume create`
pub const CREATE: &[Flag] = &[
    value("driver", "local", "How it is made").short('d').to(TOOL),
    list(
        "opt",
        "KEY=VALUE",
        "type=TYPE, device=DEVICE, o=OPTIONS: what is mounted as its files; size=SIZE: how much it may hold",
    )
    .short('o')
    .to(TOOL),
    list("label", "KEY=VALUE", "Give it a label").to(TOOL),
    value("name", "NAME", "Its name, as an operand says it"),
];

/// `ctr volume ls`
pub const LS: &[Flag] = &[
    list("filter", "KEY=VALUE", "Only these: name=, driver=, label=, dangling=").short('f').to(TOOL),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each volume, or `json`"),
    switch("quiet", "Only names").short('q'),
];

/// `ctr volume inspect`
pub const INSPECT: &[Flag] = &[value("format", "FORMAT", "A TEMPLATE for each, or `json`").short('f')];

/// `ctr volume rm`
pub const RM: &[Flag] = &[switch("force", "Volumes that are not there are no failure").short('f').to(TOOL)];

/// `ctr volume prune`
pub const PRUNE: &[Flag] = &[
    switch("all", "Those with a name too").short('a').to(TOOL),
    list("filter", "KEY=VALUE", "Only these: label=, label!=; all=true is --all").to(TOOL),
    switch("force", "Do not ask").short('f').to(TOOL),
];

/// `ctr volume export`
pub const EXPORT: &[Flag] = &[value("output", "FILE", "Write to FILE instead of stdout").short('o').to(TOOL)];

/// `ctr volume import`
pub const IMPORT: &[Flag] = &[list("label", "KEY=VALUE", "Give it a label").to(TOOL)];

/// `ctr volume mount`
pub const MOUNT: &[Flag] = &[
    list("volume", "[SOURCE:]TARGET[:OPTIONS]", "Mount a volume, or a path of the host").short('v').to(MOUNTER),
    list("mount", "FIELD=VALUE,…", "The same in fields: type=bind|volume|tmpfs|image,source=…,target=…").to(MOUNTER),
    list("tmpfs", "TARGET[:OPTIONS]", "Mount memory").to(MOUNTER),
];

/// Makes one and prints its name.
pub fn create(given: &Given) -> Result<Plan> {
    match (given.operands.as_slice(), given.last("name")) {
        ([], name) => Ok(stage(given, "create", name)),
        ([name], None) => Ok(stage(given, "create", [name])),
        _ => Err(usage("volume create takes one name")),
    }
}

/// docker's table of volumes.
pub fn ls(given: &Given) -> Result<Plan> {
    given.none("volume ls")?;
    let format = match given.last("format") {
        Some(format) => format,
        None if given.on("quiet") => "{{.Name}}",
        None => "table",
    };
    let find = Stage::new(TOOL).words(["ls"]).words(given.for_tool(TOOL));
    Ok(Plan::of(printed(&find, &Stage::new("ctr-fmt").words(["--view", "volume"]).operands([format]))))
}

/// Everything about volumes, and who uses them.
pub fn inspect(given: &Given) -> Result<Plan> {
    let find = Stage::new(TOOL).words(["inspect"]).operands(given.some("volume inspect", "volume")?);
    Ok(Plan::of(printed(&find, &Stage::new("ctr-fmt").operands(given.last("format")))))
}

/// Removes them.
pub fn rm(given: &Given) -> Result<Plan> {
    Ok(stage(given, "rm", given.some("volume rm", "volume")?))
}

/// Removes those that nobody uses.
pub fn prune(given: &Given) -> Result<Plan> {
    given.none("volume prune")?;
    let remove = Stage::new(TOOL).words(["prune"]).words(given.for_tool(TOOL));
    Ok(disk::pruned(&remove, &(disk::deleted("Volumes") + disk::RECLAIMED)))
}

/// Its files as a tar.
pub fn export(given: &Given) -> Result<Plan> {
    match given.operands.as_slice() {
        [name] => Ok(stage(given, "export", [name])),
        _ => Err(usage("volume export needs one volume")),
    }
}

/// A volume of a tar.
pub fn import(given: &Given) -> Result<Plan> {
    match given.operands.as_slice() {
        [_] | [_, _] => Ok(stage(given, "import", &given.operands)),
        _ => Err(usage("volume import needs a volume, and a file unless it is stdin")),
    }
}

/// Mounts in a container that runs.
pub fn mount(given: &Given) -> Result<Plan> {
    live(given, "mount", "words as -v takes them, or -v, --mount, --tmpfs", None)
}

/// Takes that away again.
pub fn unmount(given: &Given) -> Result<Plan> {
    live(given, "unmount", "the places where they are mounted", Some("--undo"))
}

fn live(given: &Given, verb: &str, what: &str, flag: Option<&str>) -> Result<Plan> {
    let flags = given.for_tool(MOUNTER);
    match given.operands.as_slice() {
        [container, words @ ..] if !(words.is_empty() && flags.is_empty()) => {
            let stage = Stage::new(MOUNTER).words(["--into", container]).words(flag).words(flags);
            Ok(Plan::of(stage.operands(words).to_string()))
        }
        _ => Err(usage(format!("volume {verb} needs a container, and {what}"))),
    }
}

fn stage(given: &Given, verb: &str, operands: impl IntoIterator<Item = impl AsRef<str>>) -> Plan {
    Plan::of(Stage::new(TOOL).words([verb]).words(given.for_tool(TOOL)).operands(operands).to_string())
}
