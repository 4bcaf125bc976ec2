//! What happens to images, for those who follow it (`ctr-events`).

use crate::Reference;
use ctr_core::{events, json, trace};

/// Notes that `action` (docker's word: `pull`, `tag`, `untag`, `delete`, …) happened to the image `id`, under this reference;
/// where one is not known the other stands for it.
///
/// Best effort: an event that cannot be written stops nothing.
pub fn emit(action: &str, id: Option<&str>, reference: Option<&str>) {
    if trace::dry_run() {
        return;
    }
    let name = reference.map(familiar);
    let id = id.map(str::to_owned).or_else(|| name.clone()).unwrap_or_default();
    events::emit_of("image", action, &id, name.as_deref().unwrap_or(&id), &json!({}));
}

/// A reference as docker shows it.
pub(crate) fn familiar(reference: &str) -> String {
    Reference::parse(reference).map_or_else(
        |_| reference.to_owned(),
        |r| match (&r.tag, &r.digest) {
            (Some(tag), None) => format!("{}:{tag}", r.familiar_name()),
            (_, Some(digest)) => format!("{}@{digest}", r.familiar_name()),
            (None, None) => r.familiar_name(),
        },
    )
}
