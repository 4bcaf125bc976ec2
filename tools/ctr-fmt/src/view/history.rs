//! The records of img-history in docker's words.

use crate::{safe, units};
use ctr_core::{Value, json};

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

/// The value of one field; nothing is cut with `full`.
pub fn field(record: &Value, field: &str, full: bool) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    match field {
        "ID" => json!(if full { text("ID") } else { units::short(text("ID")) }),
        "CreatedSince" => json!(units::since(text("CreatedAt"))),
        "CreatedAt" => json!(text("CreatedAt")),
        "CreatedBy" => {
            // A stranger's words, and one line.
            let command = safe::text(text("CreatedBy"));
            let is_cut = !full && command.chars().count() > COMMAND;
            let cut = || command.chars().take(COMMAND - 1).chain(['…']).collect::<String>();
            json!(if is_cut { cut() } else { command.clone() })
        }
        "Size" => json!(units::size(record.get("Size").and_then(Value::as_f64).unwrap_or_default())),
        _ => json!(safe::text(text("Comment"))),
    }
}
