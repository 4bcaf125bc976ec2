//! docker's filters for events.

use ctr_core::{Code, Error, Result, Value};
use std::collections::BTreeMap;

const KEYS: &str = "container, event, image, label, network, type, volume";
/// What things happen to.
const TYPES: [&str; 4] = ["container", "image", "network", "volume"];

/// The filters, by their keys: an event must pass each key, but of several values one is enough; only of labels it
/// must have all.
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads `KEY=VALUE` words.
    ///
    /// # Errors
    /// `usage` for a word that is no filter.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut filters = BTreeMap::<_, Vec<_>>::new();
        for word in words {
            let usage = |why: &str| Error::new(Code::Usage, format!("filter {word:?}: {why}"));
            let (key, value) = word.split_once('=').ok_or_else(|| usage("KEY=VALUE is expected"))?;
            if !KEYS.split(", ").any(|known| known == key) {
                return Err(usage(&format!("the keys are {KEYS}")));
            }
            if key == "type" && !TYPES.contains(&value) {
                return Err(usage(&format!("there are events of {}", TYPES.join(", "))));
            }
            filters.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        Ok(Self(filters))
    }

    /// Whether `event` passes. What is no event does not.
    pub fn match_all(&self, event: &Value) -> bool {
        let matches = |key: &str, value: &str| match key {
            "container" | "network" | "volume" => {
                text(event, "type") == key && ["id", "name"].iter().any(|of| text(event, of).starts_with(value))
            }
            "event" => is_action(text(event, "action"), value),
            "image" if text(event, "type") == key => {
                is_image(text(event, "name"), value) || is_id(text(event, "id"), value)
            }
            "image" => is_image(attribute(event, "image").unwrap_or_default(), value),
            "label" => match value.split_once('=') {
                Some((label, value)) => attribute(event, label) == Some(value),
                None => attribute(event, value).is_some(),
            },
            _ => text(event, "type") == value,
        };
        event.is_object()
            && self.0.iter().all(|(key, values)| match key.as_str() {
                "label" => values.iter().all(|value| matches(key, value)),
                _ => values.iter().any(|value| matches(key, value)),
            })
    }
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn attribute<'a>(event: &'a Value, key: &str) -> Option<&'a str> {
    event.get("attributes")?.get(key)?.as_str()
}

/// Some actions have more after a colon: `health_status: healthy`, `exec_start: sh`.
fn is_action(action: &str, value: &str) -> bool {
    action == value || action.split_once(':').is_some_and(|(word, _)| word == value)
}

/// An image's id, or the beginning of it.
fn is_id(id: &str, value: &str) -> bool {
    !value.is_empty() && (id.starts_with(value) || id.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(value)))
}

/// As docker names images: without the host and directory that are its own, and without the tag if `value` has none.
fn is_image(image: &str, value: &str) -> bool {
    let familiar = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name).to_owned()
    };
    let (image, value) = (familiar(image), familiar(value));
    let bare = image.split('@').next().unwrap_or_default();
    let untagged = bare.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(bare, |(name, _)| name);
    !value.is_empty() && (image == value || bare == value || untagged == value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    fn passes(words: &[&str]) -> bool {
        let event = json!({"time": "2026-11-25T10:00:00Z", "type": "container", "action": "exec_start: sh",
            "id": "0123456789abcdef", "name": "web",
            "attributes": {"image": "docker.io/library/busybox:1.36", "tier": "front", "zone": "a"}});
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Filters::parse(&words).unwrap().match_all(&event)
    }

    #[test]
    fn values_of_a_key_are_alternatives_and_keys_are_not() {
        assert!(passes(&[]));
        assert!(passes(&["event=die", "event=exec_start"]));
        assert!(!passes(&["event=die", "container=web"]));
        assert!(passes(&["event=exec_start: sh", "container=db", "container=0123"]));
        assert!(!passes(&["event=exec"]));
        assert!(passes(&["type=container"]) && !passes(&["type=image"]));
        // Only labels must all be there.
        assert!(passes(&["label=tier", "label=zone=a"]) && !passes(&["label=tier", "label=zone=b"]));
    }

    #[test]
    fn images_by_the_names_that_people_use() {
        for name in ["busybox", "busybox:1.36", "docker.io/library/busybox:1.36", "library/busybox"] {
            assert!(passes(&[&format!("image={name}")]), "{name}");
        }
        for name in ["", "busybo", "busybox:1", "other/busybox"] {
            assert!(!passes(&[&format!("image={name}")]), "{name}");
        }
        assert!(is_image("localhost:5000/a@sha256:00", "localhost:5000/a"));
    }

    #[test]
    fn things_of_other_types_by_their_names() {
        let event = |kind: &str, name: &str| json!({"type": kind, "action": "create", "id": "sha256:abcd", "name": name, "attributes": {}});
        let passes = |event: &Value, word: &str| Filters::parse(&[word.to_owned()]).unwrap().match_all(event);
        let (net, image) = (event("network", "web"), event("image", "busybox:1.36"));
        assert!(passes(&net, "network=we") && passes(&net, "type=network") && !passes(&net, "container=web"));
        assert!(!passes(&net, "volume=web") && passes(&event("volume", "web"), "volume=web"));
        assert!(passes(&image, "image=busybox") && passes(&image, "image=ab") && passes(&image, "image=sha256:ab"));
        assert!(!passes(&image, "image=busy") && !passes(&image, "network=busybox"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for word in ["event", "colour=red", "=x", "type=daemon"] {
            let error = Filters::parse(&[word.to_owned()]).err().unwrap();
            assert_eq!(error.code, Code::Usage, "{word}");
        }
    }
}
