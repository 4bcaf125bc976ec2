//! How control groups are laid out: version 2 alone, version 1, or both beside each other.

use ctr_core::{Map, Value, json};
use std::fs;

/// `statfs(2)` of a version 2 tree.
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// docker's two fields, and where each controller is.
pub fn facts() -> Map<String, Value> {
    let unified = is_v2("/sys/fs/cgroup");
    let hybrid = is_v2("/sys/fs/cgroup/unified");
    let layout = match (unified, hybrid) {
        (true, _) => "unified",
        (_, true) => "hybrid",
        _ => "legacy",
    };
    let controllers: Vec<String> = if unified {
        let list = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    } else {
        legacy_controllers(&fs::read_to_string("/proc/cgroups").unwrap_or_default())
    };
    Map::from_iter([
        ("CgroupDriver".to_owned(), json!("cgroupfs")),
        ("CgroupVersion".to_owned(), json!(if unified { "2" } else { "1" })),
        ("Cgroup".to_owned(), json!({"Layout": layout, "Controllers": controllers})),
    ])
}

fn is_v2(path: &str) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| fs.f_type == CGROUP2_SUPER_MAGIC)
}

/// The controllers that are in a version 1 hierarchy: number not 0, and enabled (proc(5), /proc/cgroups).
fn legacy_controllers(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| matches!(row.as_slice(), [_, hierarchy, _, "1"] if *hierarchy != "0"))
        .filter_map(|row| row.first().map(|name| (*name).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn controllers_of_version_1_are_those_in_a_hierarchy() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\nmemory\t0\t1\t1\npids\t4\t1\t0\n";
        assert_eq!(super::legacy_controllers(text), ["cpu"]);
    }
}
