//! The commands about the disk.

use crate::{
    Plan,
    flags::{Flag, Given, list, switch, usage, value},
    image,
    pipe::{Stage, printed},
};
use ctr_core::Result;

/// `ctr system df`
pub const DF: &[Flag] = &[
    switch("verbose", "A table for each kind of thing").short('v'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each kind, or `json`"),
];

/// `ctr system prune`
pub const PRUNE: &[Flag] = &[
    switch("all", "Every image that no container has, not only those without a name").short('a').to("ctr-prune"),
    switch("force", "Do not ask").short('f').to("ctr-prune"),
    switch("volumes", "Also volumes without a name").to("ctr-prune"),
    list("filter", "KEY=VALUE", "Only these: until=, label=, label!=").to("ctr-prune"),
];

/// `ctr fsck`
pub const FSCK: &[Flag] = &[
    switch("repair", "Remove what is torn or orphaned, fetch again what is missing").to("ctr-fsck"),
    switch("drop", "With --repair: take the names of images that cannot be fetched now").to("ctr-fsck"),
    switch("quick", "Do not read the bytes of blobs and the trees of layers").to("ctr-fsck"),
    value("format", "FORMAT", "A TEMPLATE for each thing that is wrong, or `json` for the lines of ctr-fsck"),
];

/// A line for what is wrong, and the last one for what was looked at.
const FOUND: &str = "{{with .checked}}{{.images}} image{{if ne .images 1}}s{{end}}, \
    {{.blobs}} blob{{if ne .blobs 1}}s{{end}} ({{size .bytes}}), {{.layers}} layer{{if ne .layers 1}}s{{end}}, \
    {{.containers}} container{{if ne .containers 1}}s{{end}}: {{end}}{{if .checked}}\
    {{if .found}}{{.found}} wrong, {{.left}} left{{else}}clean{{end}}\
    {{else}}{{.state}} {{.kind}} {{.name}}: {{.reason}}{{if .of}} (of {{join .of \", \"}}){{end}}\
    {{if .repair}}: {{.repair}}{{end}}{{end}}";

/// The kinds of `system df -v`, each with its title and its table: docker's of what docker has.
const EACH: &[(&str, &str, &str)] = &[
    (
        "image",
        "Images space usage:",
        "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.Containers}}",
    ),
    ("layer", "Layers space usage:", "table {{short .DiffID}}\\t{{size .Size}}\\t{{.Images}}\\t{{.Containers}}"),
    (
        "container",
        "Containers space usage:",
        "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Names}}",
    ),
    ("volume", "Local Volumes space usage:", "table {{.Name}}\\t{{.Links}}\\t{{.Size}}"),
    ("leftover", "Leftovers space usage:", "table {{.Path}}\\t{{size .Size}}"),
];

/// docker's table; with -v one for each kind.
pub fn df(given: &Given) -> Result<Plan> {
    none(given, "system df")?;
    if !given.on("verbose") {
        let print =
            Stage::new("ctr-fmt").words(["--view", "usage"]).operands([given.last("format").unwrap_or("table")]);
        return Ok(Plan::of(printed(&Stage::new("ctr-df"), &print)));
    }
    if given.last("format").is_some() {
        return Err(usage("system df: -v has its own tables, and no --format").hint("ctr-df --each KIND prints JSON"));
    }
    let table = |(kind, title, format): &(&str, &str, &str)| {
        let is_dockers = matches!(*kind, "image" | "container" | "volume");
        let print = Stage::new("ctr-fmt").words_if(is_dockers, ["--view", kind]).operands([format]);
        format!("printf '%s\\n\\n' '{title}' && {}", printed(&Stage::new("ctr-df").words(["--each", kind]), &print))
    };
    Ok(Plan::of(EACH.iter().map(table).collect::<Vec<_>>().join(" && echo && ")))
}

/// Containers, networks, volumes where asked, images.
pub fn prune(given: &Given) -> Result<Plan> {
    none(given, "system prune")?;
    let deleted = ["Containers", "Networks", "Volumes"].map(deleted).concat();
    let remove = Stage::new("ctr-prune").words(["--system"]).words(given.for_tool("ctr-prune"));
    Ok(pruned(&remove, &format!("{deleted}{}{RECLAIMED}", image::PRUNED)))
}

/// What docker prints of the things of a kind, `Volumes`, that were pruned.
pub fn deleted(kind: &str) -> String {
    let key = format!("{kind}Deleted");
    format!("{{{{if .{key}}}}}Deleted {kind}:\\n{{{{range .{key}}}}}{{{{println .}}}}{{{{end}}}}\\n{{{{end}}}}")
}

/// What docker prints last of a prune.
pub const RECLAIMED: &str = "Total reclaimed space: {{size .SpaceReclaimed}}";

/// A tool that prunes, and what is printed of it.
pub fn pruned(remove: &Stage, lines: &str) -> Plan {
    Plan::of(printed(remove, &Stage::new("ctr-fmt").operands([lines])))
}

/// What is wrong, a line each.
pub fn fsck(given: &Given) -> Result<Plan> {
    none(given, "fsck")?;
    let format = given.last("format");
    // A template is made for one kind of line.
    let check = Stage::new("ctr-fsck")
        .words(given.for_tool("ctr-fsck"))
        .words_if(format.is_some_and(|format| format != "json"), ["--findings"]);
    Ok(Plan::of(printed(&check, &Stage::new("ctr-fmt").operands([format.unwrap_or(FOUND)]))))
}

fn none(given: &Given, verb: &str) -> Result<()> {
    match given.operands.first() {
        None => Ok(()),
        Some(word) => Err(usage(format!("{verb} takes no operand, not {word:?}"))),
    }
}
