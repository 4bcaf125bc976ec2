//! Images from an archive or a directory into the store: docker-archive, oci-archive, OCI image layout.

mod docker;
mod oci;
mod source;

use clap::Args;
use ctr_core::{Code, Common, Document, Done, Error, Image, Result, Tool, Value, json, trace};
use ctr_store::{Platform, Reference, Store, check_image};
use source::Source;
use std::path::PathBuf;

/// The arguments of img-load(1).
#[derive(Args, Debug)]
pub struct ImgLoad {
    /// The archive or the directory; without it the archive comes on stdin
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Of several images, the one that the document goes on with; all are loaded
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// Of an image for several platforms, load this one
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
}

/// An image that was loaded, and by which reference (none: dangling).
struct Loaded {
    image: Image,
    reference: Option<Reference>,
}

impl Tool for ImgLoad {
    const NAME: &'static str = "img-load";
    const BEGINS: bool = true;
    const ABOUT: &'static str = "Load images from an archive or an OCI layout";

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        let wanted = self.reference.as_deref().map(Reference::parse).transpose()?;
        let platform = self.platform.clone().unwrap_or_else(Platform::host);
        if trace::dry_run() {
            trace::act("load", || json!({"source": self.input}), || Ok(()))?;
            return Ok(Done::Print);
        }
        let store = Store::open()?;
        let mut source = Source::open(&store, self.input.as_deref())?;
        // Archives of newer dockers hold both forms; the layout keeps the digests that the registry knew.
        let loaded = if source.has("oci-layout") && source.has("index.json") {
            oci::load(&store, &mut source, &platform)?
        } else if source.has("manifest.json") {
            docker::load(&store, &mut source)?
        } else {
            return Err(Error::new(Code::Invalid, format!("{} holds no image", source.name())).hint(source::EXPECTED));
        };
        for one in &loaded {
            ctr_store::emit(
                "load",
                one.image.id.as_deref(),
                one.reference.as_ref().map(Reference::to_string).as_deref(),
            );
        }
        let names: Vec<String> = loaded.iter().map(Loaded::shown).collect();
        let chosen = match &wanted {
            Some(wanted) => loaded.into_iter().find(|l| l.reference.as_ref() == Some(wanted)),
            None => loaded.into_iter().next(),
        };
        let chosen = chosen.ok_or_else(|| match &wanted {
            Some(wanted) => Error::new(Code::NotFound, format!("{} holds no image {wanted}", source.name())),
            None => Error::new(Code::Invalid, format!("{} holds no image", source.name())),
        })?;
        doc.set("image", &chosen.image)?;
        doc.set("loaded", &names)?;
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

impl Loaded {
    /// As docker names it: the familiar reference, or the id of an image without one.
    fn shown(&self) -> String {
        match &self.reference {
            Some(r) => format!("{}:{}", r.familiar_name(), r.tag.as_deref().unwrap_or("<none>")),
            None => self.image.id.clone().unwrap_or_default(),
        }
    }
}
