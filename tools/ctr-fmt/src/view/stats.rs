//! The records of cg-stat in docker's words.

use crate::units;
use ctr_core::{Value, json};

/// docker's fields of a container's figures and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("BlockIO", "BLOCK I/O"),
    ("CPUPerc", "CPU %"),
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("MemPerc", "MEM %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("Name", "NAME"),
    ("NetIO", "NET I/O"),
    ("PIDs", "PIDS"),
];

/// What docker prints without a format.
pub const TABLE: &str =
    "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/// The same with bars.
pub const BARS: &str = "table {{.ID}}\t{{.Name}}\t{{bar .CPUPerc}}\t{{.MemUsage}}\t{{bar .MemPerc}}\t{{.NetIO}}\t\
    {{.BlockIO}}\t{{.PIDs}}";

/// What docker shows for a figure that is not there.
const NONE: &str = "--";

/// The value of one field; nothing is cut with `full`.
pub fn field(record: &Value, field: &str, full: bool) -> Value {
    let figure = |section: &str, key: &str| record.get(section)?.get(key)?.as_f64();
    let percent = |section| figure(section, "percent").map(|percent| format!("{percent:.2}%"));
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    let value = match field {
        // A bare group has its path.
        "ID" | "Container" => {
            text("id").map(|id| if full { id } else { units::short(&id).to_owned() }).or(text("path"))
        }
        "Name" => text("name"),
        "CPUPerc" => percent("cpu"),
        "MemPerc" => percent("memory"),
        "MemUsage" => {
            let bytes = |key| figure("memory", key).map_or_else(|| NONE.to_owned(), units::binary_size);
            Some(format!("{} / {}", bytes("usage"), bytes("limit")))
        }
        "NetIO" => {
            // Not the loopback: docker counts what goes in and out. One that a container only calls so is known by its figures:
            // the loopback has received what it has sent (drivers/net/loopback.c, loopback_get_stats64).
            let outside =
                |one: &Value| one.get("interface") != Some(&json!("lo")) || one.get("rxBytes") != one.get("txBytes");
            Some(both(record.get("net"), ["rxBytes", "txBytes"], outside))
        }
        "BlockIO" => Some(both(record.get("io"), ["rbytes", "wbytes"], |_| true)),
        "PIDs" => figure("pids", "current").map(|pids| format!("{pids}")),
        _ => None,
    };
    json!(value.unwrap_or_else(|| NONE.to_owned()))
}

/// The sums of two figures of a list.
fn both(list: Option<&Value>, keys: [&str; 2], counts: impl Fn(&Value) -> bool) -> String {
    let Some(list) = list.and_then(Value::as_array) else { return format!("{NONE} / {NONE}") };
    let sum = |key| list.iter().filter(|one| counts(one)).filter_map(|one| one.get(key)?.as_u64()).sum::<u64>();
    let [first, second] = keys.map(|key| units::size(sum(key) as f64));
    format!("{first} / {second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_words() {
        let record = json!({"id": "ab".repeat(32), "name": "web", "cpu": {"usageNs": 1, "percent": 50.126},
            "memory": {"usage": 1_572_864, "limit": 8_220_835_840_u64, "percent": 0.0191},
            "io": [{"device": "254:0", "rbytes": 1_000_000, "wbytes": 500}, {"device": "7:0", "rbytes": 500_000}],
            "net": [{"interface": "lo", "rxBytes": 7, "txBytes": 7}, {"interface": "eth0", "rxBytes": 656, "txBytes": 1234}],
            "pids": {"current": 2}});
        for (name, words) in [
            ("ID", "abababababab"),
            ("Container", "abababababab"),
            ("Name", "web"),
            ("CPUPerc", "50.13%"),
            ("MemUsage", "1.5MiB / 7.656GiB"),
            ("MemPerc", "0.02%"),
            ("NetIO", "656B / 1.23kB"),
            ("BlockIO", "1.5MB / 500B"),
            ("PIDs", "2"),
        ] {
            assert_eq!(field(&record, name, false), words, "{name}");
        }
        assert_eq!(field(&record, "ID", true), "ab".repeat(32));
    }

    #[test]
    fn what_is_only_called_lo_counts() {
        let record = json!({"net": [{"interface": "lo", "rxBytes": 656, "txBytes": 1234}]});
        assert_eq!(field(&record, "NetIO", false), "656B / 1.23kB");
    }

    #[test]
    fn what_is_not_there_is_no_zero() {
        let record = json!({"id": "ab".repeat(32), "name": "web", "status": "exited"});
        for (name, words) in
            [("CPUPerc", "--"), ("MemUsage", "-- / --"), ("NetIO", "-- / --"), ("BlockIO", "-- / --"), ("PIDs", "--")]
        {
            assert_eq!(field(&record, name, false), words, "{name}");
        }
        assert_eq!(field(&json!({"io": [], "net": []}), "BlockIO", false), "0B / 0B");
        assert_eq!(field(&json!({"path": "/ctr/x"}), "ID", false), "/ctr/x");
    }
}
