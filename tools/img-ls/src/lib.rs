//! Lists the images of the store, one JSON line each, newest first, with docker's field names.

mod filter;

use clap::Args;
use ctr_core::{Code, Error, Image, Result, Value, container, ident, json, print_line, trace};
use ctr_store::{Entry, Reference, Store};
use filter::Filter;

/// The tool's name.
pub const NAME: &str = "img-ls";
/// The first line of its help.
pub const ABOUT: &str = "List images as JSON lines";

/// The arguments of img-ls(1).
#[derive(Args, Debug)]
pub struct ImgLs {
    /// Only images whose reference matches: REPOSITORY[:TAG], with * and ?
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// Only images that match: reference=PATTERN, dangling=BOOL, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
    /// With the layers of each image, and what other images have them
    #[arg(long)]
    layers: bool,
}

/// One image with what the filters ask about.
pub(crate) struct Listed {
    reference: Option<Reference>,
    image: Image,
    created: Option<jiff::Timestamp>,
    source: Option<String>,
}

/// Prints the images that read.
///
/// # Errors
/// Once they are printed, the last of those that do not; the earlier ones are printed on stderr.
pub fn run(args: ImgLs) -> Result<()> {
    let store = Store::open()?;
    let (mut images, mut torn) = (Vec::new(), None::<Error>);
    for entry in store.entries()? {
        match listed(&store, &entry) {
            Ok(image) => images.push(image),
            Err(e) => {
                let name = entry.reference().or(entry.id()).unwrap_or("<none>").to_owned();
                let e = Error { message: format!("image {name}: {}", e.message), ..e };
                torn.replace(e).iter().for_each(|earlier| trace::warn(&earlier.to_string()));
            }
        }
    }
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    let mut filters = Vec::new();
    for text in &args.filters {
        filters.push(Filter::parse(text, &store, &images)?);
    }
    if let Some(pattern) = &args.pattern {
        filters.push(Filter::Reference(pattern.clone()));
    }
    let users = users()?;
    for image in images.iter().filter(|image| filter::all(&filters, image)) {
        let mut line = line(image, &users);
        if args.layers {
            line["Layers"] = layers(image, &images);
        }
        print_line(&line)?;
    }
    torn.map_or(Ok(()), Err)
}

fn listed(store: &Store, entry: &Entry) -> Result<Listed> {
    let reference = entry.reference().map(Reference::parse).transpose()?;
    let image = store.image_of(reference.as_ref(), &entry.plain_descriptor())?;
    let created = image.config.get("created").and_then(Value::as_str).and_then(|t| t.parse().ok());
    Ok(Listed { reference, image, created, source: entry.source().map(str::to_owned) })
}

/// The manifest digests that containers use, one entry a container.
fn users() -> Result<Vec<Value>> {
    let mut digests = Vec::new();
    for id in container::ids()? {
        // A container that was removed meanwhile uses nothing.
        match container::load(&id) {
            Ok(doc) => digests.extend(doc.get("image").map(|image| image["manifest"]["digest"].clone())),
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => trace::warn(&e.to_string()),
        }
    }
    Ok(digests)
}

/// `Size` is that of the layers as they are stored, bytes.
fn line(listed: &Listed, users: &[Value]) -> Value {
    let (image, reference) = (&listed.image, listed.reference.as_ref());
    json!({
        "Repository": reference.map_or_else(|| "<none>".to_owned(), Reference::familiar_name),
        "Tag": reference.and_then(|r| r.tag.as_deref()).unwrap_or("<none>"),
        "Digest": listed.source,
        "ID": image.id,
        "CreatedAt": image.config.get("created"),
        "Size": image.layers.iter().map(|l| l.size).sum::<u64>(),
        "Labels": image.config["config"].get("Labels").filter(|l| l.is_object()).cloned().unwrap_or_else(|| json!({})),
        "Containers": users.iter().filter(|digest| **digest == image.manifest["digest"]).count(),
        "Platform": format!("{}/{}", text(image, "os"), text(image, "architecture")),
    })
}

/// The layers of an image, lowest first, each with the other images that have it, by their names, or by twelve digits of
/// their id.
fn layers(listed: &Listed, images: &[Listed]) -> Value {
    let own = &listed.image;
    let others = || images.iter().filter(|other| other.image.manifest["digest"] != own.manifest["digest"]);
    let short = |id: &str| ident::short(id.split_once(':').map_or(id, |(_, digits)| digits)).to_owned();
    let name = |other: &Listed| match &other.reference {
        Some(r) => format!("{}:{}", r.familiar_name(), r.tag.as_deref().unwrap_or("<none>")),
        None => short(other.image.id.as_deref().unwrap_or_default()),
    };
    let layers = own.layers.iter().map(|layer| {
        let shares = |other: &&Listed| other.image.layers.iter().any(|l| l.diff_id == layer.diff_id);
        json!({
            "Digest": layer.digest,
            "DiffID": layer.diff_id,
            "Size": layer.size,
            "Unpacked": layer.path.is_some(),
            "SharedBy": others().filter(shares).map(name).collect::<Vec<_>>(),
        })
    });
    Value::Array(layers.collect())
}

fn text<'a>(image: &'a Image, key: &str) -> &'a str {
    image.config.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn usage(filter: &str, why: &str) -> Error {
    Error::new(Code::Usage, format!("filter {filter:?}: {why}"))
}
