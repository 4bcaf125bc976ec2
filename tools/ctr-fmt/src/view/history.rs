//! The records of img-history in docker's words.

use crate::{safe, units, view::How};
use ctr_core::{Value, json};
use jiff::Timestamp;

/// docker's fields of a step and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

/// What docker prints without a format.
pub const TABLE: &str = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

/// So many characters docker shows of a command.
const COMMAND: usize = 45;

/// The value of one field.
pub fn field(record: &Value, field: &str, how: How) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    match field {
        "ID" => json!(if how.full { text("ID") } else { units::short(text("ID")) }),
        "CreatedSince" if !how.exact => json!(units::since(text("CreatedAt"))),
        "CreatedSince" | "CreatedAt" => json!(seconds(text("CreatedAt"))),
        "CreatedBy" => {
            // A stranger's words, and one line.
            let command = safe::text(text("CreatedBy"));
            let is_cut = !how.full && command.chars().count() > COMMAND;
            let cut = || command.chars().take(COMMAND - 1).chain(['…']).collect::<String>();
            json!(if is_cut { cut() } else { command.clone() })
        }
        "Size" if how.exact => json!(record.get("Size").and_then(Value::as_u64).unwrap_or_default().to_string()),
        "Size" => json!(units::size(record.get("Size").and_then(Value::as_f64).unwrap_or_default())),
        _ => json!(safe::text(text("Comment"))),
    }
}

/// A time without its fraction, as docker has it here; what is none is an empty text.
fn seconds(time: &str) -> String {
    let whole = time.parse::<Timestamp>().ok().and_then(|time| Timestamp::from_second(time.as_second()).ok());
    whole.map(|time| time.to_string()).unwrap_or_default()
}
