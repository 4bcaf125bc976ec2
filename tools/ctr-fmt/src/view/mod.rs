//! What docker calls the columns, and the records of our tools in the fields of docker's formats.

mod container;
mod event;
mod history;
mod image;
mod network;
mod ports;
mod stats;
mod usage;
mod volume;

use clap::ValueEnum;
use ctr_core::{Code, Error, Map, Result, Value, json};

/// How the fields are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Nothing is cut.
    pub full: bool,
    /// Times and bytes are as they are, not in words.
    pub exact: bool,
}

/// The kind of thing the records are: it gives the fields that docker's `--format` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Images, as img-ls prints them
    Image,
    /// Containers, as ctr-ls prints them
    Container,
    /// What containers use, as cg-stat prints it
    Stats,
    /// Events, as ctr-events prints them
    Event,
    /// The steps of an image, as img-history prints them
    History,
    /// What the disk is used for, as ctr-df prints it
    Usage,
    /// Volumes, as `ctr-volume ls` prints them
    Volume,
    /// Networks, as `ctr-network ls` prints them
    Network,
}

impl View {
    /// What is printed where no format is given.
    pub fn default_format(self) -> &'static str {
        match self {
            Self::Image => image::TABLE,
            Self::Container => container::TABLE,
            Self::Stats => stats::TABLE,
            Self::Event => event::LINE,
            Self::History => history::TABLE,
            Self::Usage => usage::TABLE,
            Self::Volume => volume::TABLE,
            Self::Network => network::TABLE,
        }
    }

    /// What is drawn instead on a terminal that is wide enough for it.
    pub fn wide_format(self) -> Option<&'static str> {
        (self == Self::Stats).then_some(stats::BARS)
    }

    /// The fields and the titles of their columns.
    fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Image => image::FIELDS,
            Self::Container => container::FIELDS,
            Self::Stats => stats::FIELDS,
            Self::Event => event::FIELDS,
            Self::History => history::FIELDS,
            Self::Usage => usage::FIELDS,
            Self::Volume => volume::FIELDS,
            Self::Network => network::FIELDS,
        }
    }

    /// The record in docker's fields.
    pub fn of(self, record: &Value, how: How) -> Value {
        let full = how.full;
        let value = |field: &str| match self {
            Self::Image => image::field(record, field, full),
            Self::Container => container::field(record, field, full),
            Self::Stats => stats::field(record, field, full),
            Self::Event => event::field(record, field),
            Self::History => history::field(record, field, how),
            Self::Usage => usage::field(record, field),
            Self::Volume => volume::field(record, field),
            Self::Network => network::field(record, field),
        };
        Value::Object(self.fields().iter().map(|(field, _)| ((*field).to_owned(), value(field))).collect::<Map<_, _>>())
    }

    /// The record as docker's JSON has it.
    pub fn json(self, record: &Value, how: How) -> Value {
        if self == Self::Event { event::message(record) } else { self.of(record, how) }
    }

    /// The same as [`of`](Self::of) for a template, which may ask for one label: `{{.Label "tier"}}`.
    pub fn for_template(self, record: &Value, how: How) -> Value {
        let mut fields = self.of(record, how);
        match record.get("Labels") {
            Some(labels @ Value::Object(_)) => fields[LABEL] = labels.clone(),
            // Of networks and volumes docker has them as one line.
            Some(Value::String(line)) => {
                let labels = line.split(',').filter_map(|label| label.split_once('='));
                fields[LABEL] = labels.map(|(key, value)| (key.to_owned(), json!(value))).collect();
            }
            _ => {}
        }
        fields
    }
}

/// docker's one field that takes an argument.
pub const LABEL: &str = "Label";

/// The titles of columns.
#[derive(Debug)]
pub struct Headers(pub Option<View>);

impl Headers {
    /// The title of a field: docker's, or without a view the field's words in upper case; of one `within` it, its own words.
    ///
    /// # Errors
    /// `usage` for a field that the view does not have.
    pub fn of(&self, field: &str, within: &[String]) -> Result<String> {
        let inner = within.last().map(|last| words(last));
        let Some(view) = self.0 else { return Ok(inner.unwrap_or_else(|| words(field))) };
        let fields = view.fields();
        if let Some((_, title)) = fields.iter().find(|(name, _)| *name == field) {
            return Ok(inner.unwrap_or_else(|| (*title).to_owned()));
        }
        let names: Vec<_> = fields.iter().map(|(name, _)| format!(".{name}")).collect();
        Err(Error::new(Code::Usage, format!("template: there is no field .{field}"))
            .hint(format!("there are {}", names.join(" "))))
    }
}

/// The title that docker gives the column of one label: the last part of its key.
pub fn title_of_label(key: &str) -> String {
    key.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ")
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
    use ctr_core::json;

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
        let view = View::Image.of(&record, How::default());
        assert_eq!(view["ID"], "abababababab");
        assert_eq!(view["Tag"], "<none>");
        assert_eq!(view["Size"], "4.26MB");
        assert_eq!(view["Containers"], "N/A");
        assert_eq!(View::Image.of(&record, How { full: true, exact: false })["ID"], record["ID"]);
        assert!(Headers(Some(View::Image)).of("Nothing", &[]).is_err());
    }
}
