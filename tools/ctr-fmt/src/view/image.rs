//! The records of img-ls in docker's words.

use crate::units;
use ctr_core::{Value, json};

/// docker's fields of an image and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
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

/// What docker prints without a format.
pub const TABLE: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// The value of one field.
pub fn field(record: &Value, field: &str, full: bool) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let id = text("ID").unwrap_or_default();
    let created = text("CreatedAt").unwrap_or_default();
    match field {
        "ID" => json!(if full { id } else { units::short(id) }),
        "CreatedSince" => json!(units::since(created)),
        "CreatedAt" => json!(units::created_at(created)),
        "Size" | "VirtualSize" | "SharedSize" | "UniqueSize" => {
            let key = if field == "VirtualSize" { "Size" } else { field };
            json!(record.get(key).and_then(Value::as_f64).map_or_else(|| "N/A".to_owned(), units::size))
        }
        "Containers" => {
            json!(record.get("Containers").and_then(Value::as_u64).map_or_else(|| "N/A".to_owned(), |n| n.to_string()))
        }
        "Repository" | "Tag" | "Digest" => json!(text(field).unwrap_or("<none>")),
        _ => json!("N/A"),
    }
}
