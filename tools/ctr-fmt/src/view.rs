//! What docker calls the columns, and the records of our tools in the fields of docker's formats.

use crate::units;
use clap::ValueEnum;
use ctr_core::{Code, Error, Map, Result, Value, json};

/// The kind of thing the records are: it gives the fields that docker's `--format` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Images, as img-ls prints them
    Image,
}

/// docker's fields of an image and their column titles.
const IMAGE: &[(&str, &str)] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("VirtualSize", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("Containers", "CONTAINERS"),
];

impl View {
    /// What is printed where no format is given.
    pub fn default_format(self) -> &'static str {
        match self {
            Self::Image => "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
        }
    }

    /// The record in docker's fields; ids and digests in full with `full`.
    pub fn of(self, record: &Value, full: bool) -> Value {
        match self {
            Self::Image => image(record, full),
        }
    }
}

fn image(record: &Value, full: bool) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let id = text("ID").unwrap_or_default();
    let created = text("CreatedAt").unwrap_or_default();
    let size = record.get("Size").and_then(Value::as_f64).map_or_else(|| "N/A".to_owned(), units::size);
    let containers = record.get("Containers").and_then(Value::as_u64);
    let value = |field: &str| match field {
        "ID" => json!(if full { id } else { units::short(id) }),
        "CreatedSince" => json!(units::since(created)),
        "CreatedAt" => json!(units::created_at(created)),
        "Size" | "VirtualSize" => json!(size),
        "Containers" => json!(containers.map_or_else(|| "N/A".to_owned(), |n| n.to_string())),
        "Repository" | "Tag" | "Digest" => json!(text(field).unwrap_or("<none>")),
        _ => json!("N/A"),
    };
    Value::Object(IMAGE.iter().map(|(field, _)| ((*field).to_owned(), value(field))).collect::<Map<_, _>>())
}

/// The titles of columns.
#[derive(Debug)]
pub struct Headers(pub Option<View>);

impl Headers {
    /// The title of a field: docker's, or without a view the field's words in upper case.
    ///
    /// # Errors
    /// `usage` for a field that the view does not have.
    pub fn of(&self, field: &str) -> Result<String> {
        let Some(view) = self.0 else { return Ok(words(field)) };
        let fields = match view {
            View::Image => IMAGE,
        };
        if let Some((_, title)) = fields.iter().find(|(name, _)| *name == field) {
            return Ok((*title).to_owned());
        }
        let names: Vec<_> = fields.iter().map(|(name, _)| format!(".{name}")).collect();
        Err(Error::new(Code::Usage, format!("template: there is no field .{field}"))
            .hint(format!("there are {}", names.join(" "))))
    }
}

/// `CreatedAt` is `CREATED AT`, `ID` is `ID`.
fn words(field: &str) -> String {
    let mut title = String::new();
    let mut before = ' ';
    for c in field.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            title.push(' ');
        }
        title.extend(c.to_uppercase());
        before = c;
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_without_a_view_are_the_words_of_the_field() {
        for (field, title) in [("CreatedAt", "CREATED AT"), ("ID", "ID"), ("ref", "REF"), ("PidsLimit", "PIDS LIMIT")] {
            assert_eq!(words(field), title);
        }
    }

    #[test]
    fn an_image_has_dockers_fields() {
        let record = json!({"Repository": "busybox", "Tag": null, "ID": format!("sha256:{}", "ab".repeat(32)),
            "CreatedAt": "2025-06-15T15:06:40Z", "Size": 4_261_502, "Labels": {}});
        let view = View::Image.of(&record, false);
        assert_eq!(view["ID"], "abababababab");
        assert_eq!(view["Tag"], "<none>");
        assert_eq!(view["Size"], "4.26MB");
        assert_eq!(view["Containers"], "N/A");
        assert_eq!(View::Image.of(&record, true)["ID"], record["ID"]);
        assert!(Headers(Some(View::Image)).of("Nothing").is_err());
    }
}
