//! The records of ctr-df in docker's words.

use crate::units;
use ctr_core::{Value, json};

/// docker's fields of `system df` and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

/// What docker prints without a format.
pub const TABLE: &str = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

/// The value of one field.
pub fn field(record: &Value, field: &str) -> Value {
    let number = |key: &str| record.get(key).and_then(Value::as_f64);
    match field {
        "Type" => record.get("Type").cloned().unwrap_or_default(),
        "Size" => json!(units::size(number("Size").unwrap_or_default())),
        "Reclaimable" => {
            let (size, free) = (number("Size").unwrap_or_default(), number("Reclaimable"));
            let percent =
                |free: f64| if size > 0.0 { format!(" ({:.0}%)", free / size * 100.0) } else { String::new() };
            json!(free.map_or_else(String::new, |free| units::size(free) + &percent(free)))
        }
        _ => json!(record.get(field).and_then(Value::as_u64).map_or_else(String::new, |n| n.to_string())),
    }
}
