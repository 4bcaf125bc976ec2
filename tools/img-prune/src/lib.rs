//! Removes the images that no container has: those without a reference, or all.

use clap::Args;
use ctr_core::{Result, Value, confirm, json, print_line};
use ctr_docker::PruneFilters;
use ctr_store::{Entry, Store};

/// The tool's name.
pub const NAME: &str = "img-prune";
/// The first line of its help.
pub const ABOUT: &str = "Remove the images that no container has";

/// The arguments of img-prune(1).
#[derive(Args, Debug)]
pub struct ImgPrune {
    /// Also images with references
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only images that match: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<String>,
}

/// Removes them under one lock, so that nobody begins to use one meanwhile, and prints what went.
///
/// # Errors
/// `corrupt` where the record of a container does not read: what it uses cannot be known, and nothing is removed.
pub fn run(args: ImgPrune) -> Result<()> {
    let filters = PruneFilters::parse(&args.filters)?;
    if !args.force {
        let which = if args.all {
            "all images without at least one container associated to them"
        } else {
            "all dangling images"
        };
        confirm(&format!("This will remove {which}."))?;
    }
    let store = Store::open()?;
    let goes = |entries: &[&Entry]| {
        (args.all || entries.iter().all(|entry| entry.reference().is_none())) && passes(&store, entries, &filters)
    };
    let (removed, bytes) = store.prune(goes)?;
    print_line(&json!({"ImagesDeleted": removed, "SpaceReclaimed": bytes}))
}

/// Whether the image passes all filters; one that does not read passes none.
fn passes(store: &Store, entries: &[&Entry], filters: &PruneFilters) -> bool {
    let Some(entry) = entries.first().filter(|_| !filters.is_empty()) else { return true };
    store.image_of(None, &entry.plain_descriptor()).is_ok_and(|image| {
        let labels = image.config["config"]["Labels"].as_object().cloned().unwrap_or_default();
        filters.matches(image.config.get("created").and_then(Value::as_str), &labels)
    })
}
