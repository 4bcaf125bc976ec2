//! img-unpack(1): unpacks the layers of an image, each once, to its own tree.

mod pool;
mod single;

use ctr_core::{Code, Common, Document, Done, Error, Image, Result, Tool, Value, json, trace};
use ctr_store::{Digest, Store};
use pool::{Job, Pool};
use std::path::PathBuf;

/// How often trees are made again that a removal at the same time takes away.
const MAX_ROUNDS: usize = 5;

/// The arguments of img-unpack.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Unpack the one layer in FILE (- is stdin) to look at it; no document is read or written
    #[arg(long, value_name = "FILE", requires = "to")]
    layer: Option<PathBuf>,
    /// Where the one layer goes: DIR is missing or empty
    #[arg(long, value_name = "DIR", requires = "layer")]
    to: Option<PathBuf>,
    #[arg(skip)]
    pool: Pool,
}

impl Tool for Args {
    const NAME: &'static str = "img-unpack";
    const ABOUT: &'static str = "Unpack the layers of an image, each to its own tree";

    fn reads_document(&self) -> bool {
        self.layer.is_none()
    }

    fn prints(&self) -> bool {
        self.layer.is_none()
    }

    /// A layer that an interim document lists is a complete blob: unpacking need not wait for the others.
    fn interim(&mut self, doc: &Document) -> Result<()> {
        if doc.error_exit().is_some() || self.layer.is_some() || trace::dry_run() {
            return Ok(());
        }
        let Some(image) = doc.section::<Image>("image")? else { return Ok(()) };
        self.begin(&image).map(drop)
    }

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        if let (Some(layer), Some(to)) = (&self.layer, &self.to) {
            single::unpack(layer, to)?;
            return Ok(Done::Exit(0));
        }
        let image: Image = doc.need("image", "img-pull, img-load or img-import")?;
        let mut made = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let trees = self.begin(&image)?;
            let mut pool = std::mem::take(&mut self.pool);
            for layer in &image.layers {
                let diff_id = Digest::parse(&layer.diff_id)?;
                if pool.has(&diff_id) {
                    made.push((diff_id, Digest::parse(&layer.digest)?));
                }
            }
            pool.finish()?;
            // No image that the store names had the trees that were made early (`--stream`): a removal may have taken
            // them. Now that the document is whole, the image has them.
            if trace::dry_run() || trees.iter().all(|tree| tree.is_dir()) {
                // An image that was removed meanwhile took the blobs and not these.
                if !made.is_empty() && !trace::dry_run() && Store::open()?.discard_unused(&made)? {
                    return Err(Error::new(Code::Busy, format!("{} was removed meanwhile", image.reference)));
                }
                set_paths(doc, |i| trees.get(i).map(|tree| json!(tree)))?;
                doc.push_step(Self::NAME, json!({}));
                return Ok(Done::Print);
            }
        }
        Err(Error::new(Code::Busy, format!("{}: its trees are removed as fast as they are made", image.reference)))
    }

    /// Only the paths go: the trees are shared by every image and container that has the layer.
    /// Removing the image frees them.
    fn undo(doc: &mut Document, _: &Value) -> Result<()> {
        if doc.get("image").is_some() { set_paths(doc, |_| None) } else { Ok(()) }
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        let image: Image = doc.need("image", "img-pull, img-load or img-import")?;
        let mut findings = Vec::new();
        for layer in &image.layers {
            let missing = match &layer.path {
                None => format!("layer {} is not unpacked", layer.digest),
                // A tree gets its name only when it is whole: being there is being complete.
                Some(path) if !PathBuf::from(path).is_dir() => {
                    format!("layer {} has no tree: {path} is not there", layer.digest)
                }
                Some(_) => continue,
            };
            findings.push(Error::new(Code::NotFound, missing));
        }
        Ok(findings)
    }

    fn gc() -> Result<Vec<Value>> {
        Ok(ctr_layer::gc()?.iter().map(|path| json!({"removed": "tree", "path": path})).collect())
    }
}

impl Args {
    /// Begins unpacking the layers that are not there; gives where each is or will be.
    fn begin(&mut self, image: &Image) -> Result<Vec<PathBuf>> {
        let store = Store::open()?;
        let mut trees = Vec::with_capacity(image.layers.len());
        for layer in &image.layers {
            let digest = Digest::parse(&layer.digest)?;
            let diff_id = Digest::parse(&layer.diff_id)?;
            let tree = store.layer_path(&diff_id);
            trees.push(tree.clone());
            if self.pool.has(&diff_id) || tree.is_dir() {
                continue;
            }
            ctr_layer::check_media_type(&layer.media_type).map_err(|e| pool::of_layer(&digest, e))?;
            let blob = store.blob_path(&digest);
            self.pool.push(Job { digest, blob, size: layer.size, diff_id, tree });
        }
        Ok(trees)
    }
}

/// Sets (or takes away) `path` of each layer and leaves every other key as it is.
fn set_paths(doc: &mut Document, path: impl Fn(usize) -> Option<Value>) -> Result<()> {
    let layers = doc.object("image")?.get_mut("layers").and_then(Value::as_array_mut);
    for (i, layer) in layers.into_iter().flatten().enumerate() {
        let Some(layer) = layer.as_object_mut() else { continue };
        match path(i) {
            Some(path) => layer.insert("path".to_owned(), path),
            None => layer.shift_remove("path"),
        };
    }
    Ok(())
}
