//! img-pull: fetch an image from a registry into the store.

mod content;
mod image;
mod layers;
mod progress;
mod pull;
mod resolve;

use clap::{Args as ClapArgs, ValueEnum};
use ctr_core::{Code, Common, Document, Done, Error, Result, Tool, Value};
use ctr_store::{Platform, check_image};
use progress::Style;
use std::path::PathBuf;

/// Most layers that are fetched at once.
const MAX_JOBS: u8 = 16;

/// The arguments of img-pull.
#[derive(ClapArgs, Clone, Debug)]
pub struct Args {
    /// Image to fetch, as [REGISTRY/]NAME[:TAG][@DIGEST], or the id of one in the store; without it, the image.ref of
    /// the document on stdin
    #[arg(value_name = "REF")]
    pub reference: Option<String>,
    /// Platform to choose from an index, as OS/ARCH[/VARIANT]; default: that of this machine
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Ask the registry always, only for an image that is not in the store, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Policy::Always)]
    pub pull: Policy,
    /// Speak to the registry without TLS
    #[arg(long)]
    pub plain_http: bool,
    /// Trust the certificate authorities in FILE (PEM) too
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Show progress on stderr as bars, as JSON lines, or not; default: bars on a terminal
    #[arg(long, value_enum, value_name = "STYLE")]
    pub progress: Option<Style>,
    /// Show no progress
    #[arg(short, long, conflicts_with = "progress")]
    pub quiet: bool,
    /// Print an interim document for each layer that is complete
    #[arg(long)]
    pub stream: bool,
    /// Fetch up to N layers at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_JOBS)))]
    pub jobs: u8,
}

/// When the registry is asked: docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// Ask what the reference means now; fetch what the store has not.
    Always,
    /// Take what the store has under the reference, without asking.
    Missing,
    /// Only what the store has.
    Never,
}

impl Args {
    fn style(&self) -> Style {
        if self.quiet { Style::None } else { self.progress.unwrap_or_else(Style::for_stderr) }
    }

    /// The word for the image: of the command line, or of the document.
    fn word<'a>(&'a self, doc: &'a Document) -> Result<&'a str> {
        let named = || doc.get("image").and_then(|image| image.get("ref")).and_then(Value::as_str);
        self.reference.as_deref().or_else(named).ok_or_else(|| {
            Error::new(Code::Usage, "no image is named").hint("give a reference, or a document with image.ref")
        })
    }
}

impl Tool for Args {
    const NAME: &'static str = "img-pull";
    const BEGINS: bool = true;
    const ABOUT: &'static str = "Fetch an image from a registry into the store";

    fn reads_document(&self) -> bool {
        self.reference.is_none()
    }

    fn add(&mut self, doc: &mut Document, _common: &Common) -> Result<Done> {
        let word = self.word(doc)?.to_owned();
        pull::run(self, &word, doc)
    }

    // The image stays, as docker's does after its container: the store is shared. img-rm removes it.
    fn undo(_doc: &mut Document, _undo: &Value) -> Result<()> {
        Ok(())
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check_image(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        ctr_store::gc()
    }
}
