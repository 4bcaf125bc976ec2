//! Shows images as docker's inspect does: a JSON list, one object an image.

use clap::Args;
use ctr_core::{Absent, Code, Error, Map, Result, Value, each, json, print_error, print_line};
use ctr_store::{Entry, Reference, Store};

/// The tool's name.
pub const NAME: &str = "img-inspect";
/// The first line of its help.
pub const ABOUT: &str = "Show images in detail";

/// The arguments of img-inspect(1).
#[derive(Args, Debug)]
pub struct ImgInspect {
    /// References or image ids
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Print the document's section `image` instead of docker's shape, one line an image
    #[arg(long)]
    document: bool,
    /// Say nothing of an image that is not there; the status tells
    #[arg(long, conflicts_with = "document")]
    if_any: bool,
}

/// Prints the images that are there, then fails for those that are not.
pub fn run(args: ImgInspect) -> Result<()> {
    let store = Store::open()?;
    let entries = store.entries()?;
    let mut absent = Absent::new(args.if_any, &[Code::NotFound]);
    let mut found = Vec::new();
    let result = each(&args.images, |word| {
        let Some(entry) = absent.pass(store.find(word))? else { return Ok(()) };
        found.push(if args.document { document(&store, &entry)? } else { inspect(&store, &entry, &entries)? });
        Ok(())
    });
    if args.document {
        found.iter().try_for_each(print_line)?;
        if let Some(e) = result.as_ref().err().filter(|_| found.is_empty()) {
            print_error(e);
        }
    } else if !args.if_any || !found.is_empty() {
        let text = serde_json::to_string_pretty(&found).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        print_line(&text)?;
    }
    absent.end(result)
}

fn document(store: &Store, entry: &Entry) -> Result<Value> {
    let reference = entry.reference().map(Reference::parse).transpose()?;
    let image = store.image_of(reference.as_ref(), &entry.plain_descriptor())?;
    Ok(json!({"ctr": ctr_core::DOCUMENT_VERSION, "image": image}))
}

/// Docker's shape (Engine API, ImageInspect). `Size` is that of the layers as they are stored.
fn inspect(store: &Store, entry: &Entry, entries: &[Entry]) -> Result<Value> {
    let image = store.image_of(None, &entry.plain_descriptor())?;
    let same = || entries.iter().filter(|e| e.digest() == entry.digest());
    let references: Vec<Reference> = same().filter_map(|e| Reference::parse(e.reference()?).ok()).collect();
    let tags: Vec<String> =
        references.iter().filter_map(|r| Some(format!("{}:{}", r.familiar_name(), r.tag.as_ref()?))).collect();
    let mut digests: Vec<String> = same()
        .filter_map(|e| Some(format!("{}@{}", Reference::parse(e.reference()?).ok()?.familiar_name(), e.source()?)))
        .collect();
    digests.sort();
    digests.dedup();
    let text = |key: &str| image.config.get(key).and_then(Value::as_str).unwrap_or_default();
    let diff_ids: Vec<&str> = image.layers.iter().map(|l| l.diff_id.as_str()).collect();
    let mut all = Map::new();
    let mut put = |key: &str, value: Value| all.insert(key.to_owned(), value);
    put("Id", json!(image.id));
    put("RepoTags", json!(tags));
    put("RepoDigests", json!(digests));
    put(
        "Comment",
        json!(
            image.config["history"]
                .as_array()
                .and_then(|h| h.last())
                .map_or("", |h| h["comment"].as_str().unwrap_or_default())
        ),
    );
    put("Created", json!(text("created")));
    put("Author", json!(text("author")));
    put("Config", image.config.get("config").cloned().unwrap_or_else(|| json!({})));
    put("Architecture", json!(text("architecture")));
    if !text("variant").is_empty() {
        put("Variant", json!(text("variant")));
    }
    put("Os", json!(text("os")));
    put("Size", json!(image.layers.iter().map(|l| l.size).sum::<u64>()));
    put("RootFS", json!({"Type": "layers", "Layers": diff_ids}));
    put("Descriptor", image.manifest.clone());
    Ok(Value::Object(all))
}
