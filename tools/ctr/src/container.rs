//! The commands about containers that exist.

use crate::{
    Plan,
    flags::{Flag, Given, switch, usage, value},
    image,
    pipe::{Stage, pipe, printed},
};
use ctr_core::Result;

/// `ctr rm`
pub const RM: &[Flag] = &[
    switch("force", "Also a running one: its command is killed").short('f').to("ctr-rm"),
    switch("volumes", "Also its volumes without a name").short('v').to("ctr-rm"),
    switch("link", "").short('l').not_yet("links"),
];

/// `ctr inspect`
pub const INSPECT: &[Flag] = &[
    value("format", "FORMAT", "A TEMPLATE for each, or `json`").short('f'),
    value("type", "container|image", "Only things of this kind"),
    switch("document", "The container's document as the tools of the pipe know it"),
    switch("size", "With the sizes of containers").short('s').to("ctr-inspect"),
];

/// Undoes the steps that each container's record names.
pub fn rm(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("rm needs a container"));
    }
    Ok(Plan::of(pipe(&[Stage::new("ctr-rm").words(given.for_tool("ctr-rm")).operands(&given.operands)])))
}

/// For each name its container, else its image: as docker looks it up.
pub fn inspect(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("inspect needs a container or an image"));
    }
    match given.last("type") {
        None | Some("") => {}
        Some("image") => return image::inspect(given),
        Some("container") => return inspect_containers(given),
        Some(other) => return Err(usage(format!("--type is container or image, not {other:?}"))),
    }
    let each: Vec<_> = given
        .operands
        .iter()
        .map(|name| {
            let container = read(given).words(["--if-any"]).operands([name]);
            format!("{container} || {} || echo $?;", Stage::new("img-inspect").operands([name]))
        })
        .collect();
    Ok(Plan::of(format!("{{ {} }} | {}", each.join(" "), print(given))))
}

/// `ctr container inspect`
pub fn inspect_containers(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("container inspect needs a container"));
    }
    let read = read(given).operands(&given.operands);
    Ok(Plan::of(printed(&read, &print(given))))
}

/// In docker's shape, unless the document itself is asked for.
fn read(given: &Given) -> Stage {
    Stage::new("ctr-inspect").words_if(!given.on("document"), ["--docker"]).words(given.for_tool("ctr-inspect"))
}

/// A document as a tool of the pipe reads it, a line each; else docker's list.
fn print(given: &Given) -> Stage {
    Stage::new("ctr-fmt").operands(given.last("format").or(given.on("document").then_some("json")))
}
