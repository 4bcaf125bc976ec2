//! The commands about images.

use crate::{
    Plan,
    flags::{Flag, Given, list, switch, usage, value},
    pipe::{Stage, pipe, printed},
};
use ctr_core::Result;

/// `ctr pull`
pub const PULL: &[Flag] = &[
    switch("quiet", "Show no progress").short('q').to("img-pull"),
    value("platform", "OS/ARCH[/VARIANT]", "The platform of an image that has several").to("img-pull"),
    switch("all-tags", "Every tag of the repository").short('a').not_yet("every tag of a repository"),
];

/// `ctr images`
pub const IMAGES: &[Flag] = &[
    // img-ls leaves none out.
    switch("all", "Every image, as without it: there are no hidden ones").short('a'),
    list("filter", "KEY=VALUE", "Only these: reference=, label=, dangling=, before=, since=").short('f').to("img-ls"),
    switch("digests", "With a column of digests"),
    switch("no-trunc", "Do not cut ids"),
    switch("quiet", "Only ids").short('q'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each image, or `json`"),
    switch("tree", "Show the platforms of an image").not_yet("platforms of an image"),
];

/// `ctr rmi`
pub const RMI: &[Flag] = &[
    switch("force", "Also an id with several names, and an image that a container uses").short('f').to("img-rm"),
    switch("no-prune", "Keep the untagged parents").not_yet("images without a name that stay"),
];

/// `ctr load`
pub const LOAD: &[Flag] = &[
    value("input", "FILE", "Read FILE instead of stdin").short('i'),
    // There is none to begin with.
    switch("quiet", "Show no progress").short('q'),
    value("platform", "OS/ARCH[/VARIANT]", "The platform of an image that has several").to("img-load"),
];

/// `ctr import`
pub const IMPORT: &[Flag] = &[
    list("change", "INSTRUCTION", "Apply a Dockerfile instruction to the image's config").short('c').to("img-import"),
    value("message", "TEXT", "The comment in the image's history").short('m').to("img-import"),
    value("platform", "OS/ARCH[/VARIANT]", "The platform that the files are for").to("img-import"),
];

/// `ctr image inspect`
pub const INSPECT: &[Flag] = &[value("format", "FORMAT", "A TEMPLATE for each image, or `json`").short('f')];

/// No flags.
pub const TAG: &[Flag] = &[];

/// Fetches and unpacks, so that a container starts at once.
pub fn pull(given: &Given) -> Result<Plan> {
    let [image] = given.operands.as_slice() else { return Err(usage("pull needs one image")) };
    let fetch = Stage::new("img-pull").words(["--stream"]).words(given.for_tool("img-pull")).operands([image]);
    Ok(unpacked(fetch, "{{.image.ref}}"))
}

/// docker's table of images.
pub fn images(given: &Given) -> Result<Plan> {
    if given.operands.len() > 1 {
        return Err(usage("images takes one repository").hint("ctr images [OPTIONS] [REPOSITORY[:TAG]]"));
    }
    let format = match given.last("format") {
        Some(format) => format,
        None if given.on("quiet") => "{{.ID}}",
        None if given.on("digests") => {
            "table {{.Repository}}\\t{{.Tag}}\\t{{.Digest}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}"
        }
        None => "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}",
    };
    let list = Stage::new("img-ls").words(given.for_tool("img-ls")).operands(&given.operands);
    let print = Stage::new("ctr-fmt")
        .words(["--view", "image"])
        .words_if(given.on("no-trunc"), ["--no-trunc"])
        .operands([format]);
    Ok(Plan::of(printed(&list, &print)))
}

/// Takes names away, and what no name holds any more.
pub fn rmi(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("rmi needs an image"));
    }
    let remove = Stage::new("img-rm").words(given.for_tool("img-rm")).operands(&given.operands);
    let print = Stage::new("ctr-fmt").words(["{{range $done, $what := .}}{{$done}}: {{$what}}{{end}}"]);
    Ok(Plan::of(printed(&remove, &print)))
}

/// Gives an image another name.
pub fn tag(given: &Given) -> Result<Plan> {
    if given.operands.len() != 2 {
        return Err(usage("tag needs an image and its new name"));
    }
    Ok(Plan::of(pipe(&[Stage::new("img-tag").operands(&given.operands)])))
}

/// An archive, from a file or stdin.
pub fn load(given: &Given) -> Result<Plan> {
    if !given.operands.is_empty() {
        return Err(usage("load takes no operand").hint("the archive comes by -i FILE or stdin"));
    }
    let read = Stage::new("img-load")
        .words(given.for_tool("img-load"))
        .words(given.last("input").map(|file| ["-i", file]).into_iter().flatten());
    Ok(unpacked(read, "{{range $i, $name := .loaded}}{{if $i}}\\n{{end}}Loaded image: {{$name}}{{end}}"))
}

/// A tar of a root file system becomes an image.
pub fn import(given: &Given) -> Result<Plan> {
    let (source, reference) = match given.operands.as_slice() {
        [source] => (source, None),
        [source, reference] => (source, Some(reference)),
        _ => return Err(usage("import needs a file, or - for stdin, then a name for the image")),
    };
    if ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme)) {
        return Err(ctr_core::Error::new(ctr_core::Code::Unsupported, "import: not there yet (fetching from a URL)")
            .hint("curl URL | ctr import - NAME"));
    }
    let make =
        Stage::new("img-import").words(given.for_tool("img-import")).operands([source].into_iter().chain(reference));
    Ok(unpacked(make, "{{.image.id}}"))
}

/// The images' records in docker's shape.
pub fn inspect(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("image inspect needs an image"));
    }
    let read = Stage::new("img-inspect").operands(&given.operands);
    Ok(Plan::of(printed(&read, &Stage::new("ctr-fmt").operands(given.last("format")))))
}

/// What `begin` gives is unpacked, and a line about it printed.
fn unpacked(begin: Stage, line: &str) -> Plan {
    Plan::of(pipe(&[begin, Stage::new("img-unpack"), Stage::new("ctr-fmt").words([line])]))
}
