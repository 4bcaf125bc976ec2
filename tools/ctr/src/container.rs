//! The commands about containers that exist.

use crate::{
    Plan,
    flags::{Flag, Given, list, switch, usage, value},
    image, network,
    pipe::{Stage, pipe, printed},
    quote::quote,
    volume,
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
    value("type", "container|image|network|volume", "Only things of this kind"),
    switch("document", "The container's document as the tools of the pipe know it"),
    switch("size", "With the sizes of containers").short('s').to("ctr-inspect"),
];

/// `ctr commit`
pub const COMMIT: &[Flag] = &[
    value("author", "TEXT", "Who made the image").short('a').to("ctr-commit"),
    list("change", "INSTRUCTION", "Apply a Dockerfile instruction to the image's config").short('c').to("ctr-commit"),
    value("message", "TEXT", "The comment in the image's history").short('m').to("ctr-commit"),
    switch("pause", "Pause the container meanwhile, as it is done unless it is false").short('p'),
];

/// Makes an image of a container, and prints its id.
pub fn commit(given: &Given) -> Result<Plan> {
    let (container, name) = match given.operands.as_slice() {
        [container] => (container.as_str(), ""),
        [container, name] => (container.as_str(), name.as_str()),
        _ => return Err(usage("commit needs a container, then a name for the image")),
    };
    let make = Stage::new("ctr-commit")
        .words(given.for_tool("ctr-commit"))
        .words_if(given.last("pause") == Some("false"), ["--pause=false"])
        .operands([container, name]);
    Ok(Plan::of(pipe(&[make, Stage::new("ctr-fmt").words(["{{.image.id}}"])])))
}

/// Undoes the steps that each container's record names.
pub fn rm(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("rm needs a container"));
    }
    Ok(Plan::of(pipe(&[Stage::new("ctr-rm").words(given.for_tool("ctr-rm")).operands(&given.operands)])))
}

/// For each name its container, else its image, its network, its volume: as docker looks it up.
pub fn inspect(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("inspect needs a container, an image, a network or a volume"));
    }
    match given.last("type") {
        None | Some("") => {}
        Some("image") => return image::inspect(given),
        Some("container") => return inspect_containers(given),
        Some("network") => return network::inspect(given),
        Some("volume") => return volume::inspect(given),
        Some(other) => {
            return Err(usage(format!("--type is container, image, network or volume, not {other:?}")));
        }
    }
    let if_any = |stage: Stage, name: &String| stage.words(["--if-any"]).operands([name]).to_string();
    let each: Vec<_> = given
        .operands
        .iter()
        .map(|name| {
            let kinds = [
                read(given),
                Stage::new("img-inspect"),
                Stage::new("ctr-network").words(["inspect"]),
                Stage::new("ctr-volume").words(["inspect"]),
            ];
            // Another is asked where nothing was found, and not where that could not be told.
            let found = kinds.map(|stage| if_any(stage, name)).join("; } || { [ $? = 3 ] && ");
            let none = quote(&format!("ctr: no container, image, network or volume {name}"));
            format!("{{ {found}; }} || {{ [ $? = 3 ] && printf '%s\\n' {none} >&2; echo 1; }};")
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
