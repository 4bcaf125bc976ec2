//! Labels: what a container has, and the filters that ask for them.

use ctr_core::{Document, Map, Result, Value};

/// The container's labels: those of its image, and over them its own.
///
/// # Errors
/// `invalid` where the document's labels are no object.
pub fn labels(doc: &Document) -> Result<Map<String, Value>> {
    let of_image = doc.get("image").map(|image| &image["config"]["config"]["Labels"]);
    let mut labels = of_image.and_then(Value::as_object).cloned().unwrap_or_default();
    labels.extend(doc.section::<Map<String, Value>>("labels")?.unwrap_or_default());
    Ok(labels)
}

/// `KEY` or `KEY=VALUE`, as `label=` is followed by.
#[derive(Clone, Debug)]
pub struct LabelFilter {
    key: String,
    value: Option<String>,
}

impl LabelFilter {
    /// Any text is one.
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((key, value)) => Self { key: key.to_owned(), value: Some(value.to_owned()) },
            None => Self { key: text.to_owned(), value: None },
        }
    }

    /// Whether `labels` has the key, with the value if there is one.
    pub fn matches(&self, labels: &Map<String, Value>) -> bool {
        let label = labels.get(&self.key).and_then(Value::as_str);
        label.is_some_and(|have| self.value.as_deref().is_none_or(|want| want == have))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::json;

    #[test]
    fn the_containers_labels_count_more_than_the_images() {
        let mut doc = Document::default();
        doc.set("image", &json!({"config": {"config": {"Labels": {"a": "image", "b": "image"}}}})).unwrap();
        doc.set("labels", &json!({"b": "own"})).unwrap();
        let labels = labels(&doc).unwrap();
        assert_eq!(Value::Object(labels.clone()), json!({"a": "image", "b": "own"}));
        for (filter, matches) in [("a", true), ("b=own", true), ("b=image", false), ("c", false), ("a=", false)] {
            assert_eq!(LabelFilter::parse(filter).matches(&labels), matches, "{filter}");
        }
    }
}
