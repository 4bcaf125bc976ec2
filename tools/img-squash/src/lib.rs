//! Makes an image of one layer that holds what all layers of another show together.

use clap::Args;
use ctr_core::{Cannot, Code, Common, Document, Done, Error, Image, Layer, Result, Tool, Value, json, trace};
use ctr_layer::{Compression, Rewrite, Stop, blob, flatten, stack::Stack, unpack};
use ctr_store::{Digest, Reference, Store, check_image, created, epoch};
use std::fs::File;

/// The arguments of img-squash(1).
#[derive(Args, Debug)]
pub struct ImgSquash {
    /// A reference, an id, or the beginning of one; without it the document's image
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
    /// The name that the new image gets; without it the image dangles
    #[arg(short, long, value_name = "REPO[:TAG]")]
    tag: Option<String>,
    /// The comment in the image's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// How the layer is compressed: gzip, zstd or none
    #[arg(long, value_name = "KIND", default_value_t)]
    compression: Compression,
}

impl Tool for ImgSquash {
    const NAME: &'static str = "img-squash";
    const ABOUT: &'static str = "Make one layer of all layers of an image";

    fn reads_document(&self) -> bool {
        self.image.is_none()
    }

    fn add(&mut self, doc: &mut Document, common: &Common) -> Result<Done> {
        if self.image.is_some() && common.file.is_some() {
            return Err(Error::new(Code::Usage, "an image by its name and one by a document are one too many"));
        }
        let reference = self.tag.as_deref().map(Reference::to_give).transpose()?;
        let epoch = epoch()?;
        let store = Store::open()?;
        let mut image: Image = match &self.image {
            Some(word) => named(&store, word)?,
            None => doc.need("image", "img-pull")?,
        };
        let what = || json!({"image": image.reference, "ref": reference.as_ref().map(Reference::to_string)});
        if trace::dry_run() {
            trace::act("squash", what, || Ok(()))?;
            return Ok(Done::Print);
        }
        for layer in &mut image.layers {
            self::unpacked(&store, layer)?;
        }
        let spools = store.spools()?;
        let stack = Stack::open(&image)?;
        let rewrite = Rewrite { latest: epoch, ..Rewrite::default() };
        let ((), layer) = blob(&spools, self.compression, |out| flatten(&stack, rewrite, out))?;
        // What a removal took meanwhile would be missing in it.
        stack.check()?;
        let config = self.config(&image, &layer.diff_id, &created(epoch))?.to_string();
        let (digest, size) = (layer.file.digest().as_str(), layer.file.size());
        let layers = [json!({"mediaType": layer.media_type, "digest": digest, "size": size})];
        let made = store.put_image(&spools, reference.as_ref(), config.as_bytes(), &layers, vec![layer.file])?;
        // A new image begins a new document: a container that the other one had is not of this one.
        *doc = Document::default();
        doc.set("image", &made)?;
        doc.push_step(Self::NAME, json!({}));
        Ok(Done::Print)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check_image(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        ctr_store::gc()
    }
}

impl ImgSquash {
    /// The image's config with one layer and one entry of history (image-spec, config.md).
    fn config(&self, image: &Image, diff_id: &Digest, created: &str) -> Result<Value> {
        let mut config = image.config_object()?.clone();
        let mut put = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
        put("created", json!(created));
        put("rootfs", json!({"type": "layers", "diff_ids": [diff_id.as_str()]}));
        let comment = self.message.clone().unwrap_or_else(|| {
            format!("{} layers of {}", image.layers.len(), image.id.as_deref().unwrap_or(&image.reference))
        });
        put("history", json!([{"created": created, "created_by": Self::NAME, "comment": comment}]));
        Ok(Value::Object(config))
    }
}

fn named(store: &Store, word: &str) -> Result<Image> {
    let entry = store.find(word)?;
    let reference = entry.reference().and_then(|text| Reference::parse(text).ok());
    store.image_of(reference.as_ref(), &entry.plain_descriptor())
}

/// Sees to it that the layer's tree is there.
fn unpacked(store: &Store, layer: &mut Layer) -> Result<()> {
    let diff_id = Digest::parse(&layer.diff_id)?;
    let tree = store.layer_path(&diff_id);
    if !tree.exists() {
        let failed = |e: Error| Error { message: format!("layer {}: {}", layer.digest, e.message), ..e };
        let blob = store.blob_path(&Digest::parse(&layer.digest)?);
        let blob = File::open(&blob).cannot(|| format!("open layer {}", layer.digest))?;
        unpack(blob, &diff_id, &tree, &Stop::new(false)).map_err(failed)?;
    }
    layer.path = Some(tree.to_string_lossy().into_owned());
    Ok(())
}
