//! Prints how an image came to be, a JSON line for each step, the last one first.

use clap::Args;
use ctr_core::{Image, Result, Value, json, print_line};
use ctr_store::Store;

/// The tool's name.
pub const NAME: &str = "img-history";
/// The first line of its help.
pub const ABOUT: &str = "Show how an image was made";

/// The arguments of img-history(1).
#[derive(Args, Debug)]
pub struct ImgHistory {
    /// A reference or an image id
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Prints the lines, with docker's field names.
///
/// # Errors
/// `not-found` where there is no such image, `corrupt` where it does not read.
pub fn run(args: ImgHistory) -> Result<()> {
    let store = Store::open()?;
    let entry = store.find(&args.image)?;
    let image = store.image_of(None, &entry.plain_descriptor())?;
    let steps = steps(&image);
    for (at, step) in steps.iter().rev().enumerate() {
        // Only the last step is an image of its own; docker says so of the others.
        let id = image.id.as_deref().filter(|_| at == 0).unwrap_or("<missing>");
        let mut line = json!({"ID": id});
        if let (Some(line), Some(step)) = (line.as_object_mut(), step.as_object()) {
            line.extend(step.clone());
        }
        print_line(&line)?;
    }
    Ok(())
}

/// The steps of the config's history, each with the layer that it made (image-spec, config.md); then layers of which the
/// history says nothing.
fn steps(image: &Image) -> Vec<Value> {
    let mut layers = image.layers.iter();
    let history = image.config.get("history").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut steps = Vec::new();
    for entry in history {
        let layer = if entry["empty_layer"] == true { None } else { layers.next() };
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        steps.push(json!({
            "CreatedAt": entry.get("created"),
            "CreatedBy": text("created_by"),
            "Size": layer.map_or(0, |layer| layer.size),
            "Comment": text("comment"),
            "Layer": layer.map(|layer| layer.diff_id.as_str()),
        }));
    }
    steps.extend(layers.map(
        |layer| json!({"CreatedAt": null, "CreatedBy": "", "Size": layer.size, "Comment": "", "Layer": layer.diff_id}),
    ));
    steps
}
