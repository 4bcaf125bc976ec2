//! The commands about images.

use crate::{
    Plan, disk,
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
    list("filter", "KEY=VALUE", "Only these: reference=, label=, dangling=, before=, since=, until=")
        .short('f')
        .to("img-ls"),
    switch("digests", "With a column of digests"),
    switch("no-trunc", "Do not cut ids"),
    switch("quiet", "Only ids").short('q'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each image, or `json`"),
    switch("tree", "With the layers of each, and who else has them"),
];

/// `ctr save`
pub const SAVE: &[Flag] = &[
    value("output", "FILE", "Write to FILE instead of stdout").short('o').to("img-save"),
    value("format", "docker-archive|oci-archive", "The form of the archive").to("img-save"),
    value("platform", "OS/ARCH[/VARIANT]", "").not_yet("several platforms of an image"),
];

/// `ctr history`
pub const HISTORY: &[Flag] = &[
    switch("human", "Ages and sizes for people; --human=false for programs").short('H'),
    switch("no-trunc", "Cut nothing"),
    switch("quiet", "Only ids").short('q'),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each step, or `json`"),
    value("platform", "OS/ARCH[/VARIANT]", "").not_yet("several platforms of an image"),
];

/// `ctr image prune`
pub const PRUNE: &[Flag] = &[
    switch("all", "Every image that no container has, not only those without a name").short('a').to("img-prune"),
    switch("force", "Do not ask").short('f').to("img-prune"),
    list("filter", "KEY=VALUE", "Only these: until=, label=, label!=").to("img-prune"),
];

/// `ctr image diff`
pub const DIFF: &[Flag] = &[switch("json", "JSON lines").to("img-diff")];

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

/// An image and a line for each of its layers: each is printed when it is known whether another follows.
const TREE: &str = "{{.Repository}}:{{.Tag}}  {{short .ID}}  {{size .Size}}{{$layer := \"\"}}{{range .Layers}}\
    {{if $layer}}\\n├─ {{$layer}}{{end}}\
    {{$also := \"\"}}{{if .SharedBy}}{{$also = join .SharedBy \", \" | printf \"  also in %s\"}}{{end}}\
    {{$layer = printf \"%s  %s%s\" (short .DiffID) (size .Size) $also}}{{end}}{{if $layer}}\\n└─ {{$layer}}{{end}}";

/// docker's table of images.
pub fn images(given: &Given) -> Result<Plan> {
    if given.operands.len() > 1 {
        return Err(usage("images takes one repository").hint("ctr images [OPTIONS] [REPOSITORY[:TAG]]"));
    }
    if given.on("tree") {
        return tree(given);
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

/// Images with their layers.
fn tree(given: &Given) -> Result<Plan> {
    let format = match given.last("format") {
        Some("json") => "json".to_owned(),
        Some(_) => return Err(usage("images: --tree has a form of its own, or --format json")),
        None if given.on("quiet") => return Err(usage("images: --tree and --quiet are one too many")),
        None if given.on("digests") => return Err(usage("images: --tree has no column of digests")),
        None if given.on("no-trunc") => TREE.replace("short ", ""),
        None => TREE.to_owned(),
    };
    let list = Stage::new("img-ls").words(["--layers"]).words(given.for_tool("img-ls")).operands(&given.operands);
    Ok(Plan::of(printed(&list, &Stage::new("ctr-fmt").operands([format]))))
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

/// An archive of images.
pub fn save(given: &Given) -> Result<Plan> {
    if given.operands.is_empty() {
        return Err(usage("save needs an image"));
    }
    let save = Stage::new("img-save").words(given.for_tool("img-save")).operands(&given.operands);
    Ok(Plan::of(save.to_string()))
}

/// docker's table of an image's steps.
pub fn history(given: &Given) -> Result<Plan> {
    let [image] = given.operands.as_slice() else { return Err(usage("history needs one image")) };
    let read = Stage::new("img-history").operands([image]);
    let exact = given.last("human") == Some("false");
    let format = match given.last("format") {
        Some(format) => format,
        None if given.on("quiet") => "{{.ID}}",
        None if exact => "table {{.ID}}\\t{{.CreatedAt}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}",
        None => "table",
    };
    let print = Stage::new("ctr-fmt")
        .words(["--view", "history"])
        .words_if(exact, ["--exact"])
        .words_if(given.on("no-trunc"), ["--no-trunc"])
        .operands([format]);
    Ok(Plan::of(printed(&read, &print)))
}

/// What docker prints of images that were pruned.
pub const PRUNED: &str = "{{if .ImagesDeleted}}Deleted Images:\\n{{range .ImagesDeleted}}\
    {{range $done, $what := .}}{{lower $done}}: {{println $what}}{{end}}{{end}}\\n{{end}}";

/// Removes every image that no container has.
pub fn prune(given: &Given) -> Result<Plan> {
    if let Some(word) = given.operands.first() {
        return Err(usage(format!("prune takes no operand, not {word:?}")));
    }
    let remove = Stage::new("img-prune").words(given.for_tool("img-prune"));
    Ok(disk::pruned(&remove, &format!("{PRUNED}{}", disk::RECLAIMED)))
}

/// Both are unpacked first, for it is files that are compared.
pub fn diff(given: &Given) -> Result<Plan> {
    let [from, to] = given.operands.as_slice() else { return Err(usage("image diff needs two images")) };
    let unpack = |image: &String| {
        let document = Stage::new("img-pull").words(["--pull", "never"]).operands([image]);
        format!("{} >/dev/null", pipe(&[document, Stage::new("img-unpack")]))
    };
    let diff = Stage::new("img-diff").words(given.for_tool("img-diff")).operands([from, to]);
    Ok(Plan::of(format!("{} && {} && {diff}", unpack(from), unpack(to))))
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
