//! Who is root in a container, in numbers of the host.

use ctr_core::{Document, Value};

/// User and group of the container's root: 0, unless it has a user namespace that maps them.
pub fn owner(doc: &Document) -> (u32, u32) {
    let linux = doc.get("spec").and_then(|spec| spec.get("linux"));
    let number = |key: &str| linux.and_then(|linux| root_of(linux.get(key)?)).unwrap_or(0);
    (number("uidMappings"), number("gidMappings"))
}

fn root_of(maps: &Value) -> Option<u32> {
    let map = maps.as_array()?.iter().find(|map| map["containerID"] == 0)?;
    u32::try_from(map["hostID"].as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    #[test]
    fn root_is_0_or_what_it_is_mapped_to() {
        let owner = |linux: Value| owner(&Document::from_value(json!({"ctr": 1, "spec": {"linux": linux}})).unwrap());
        assert_eq!(owner(json!({})), (0, 0));
        let maps = json!([{"containerID": 1, "hostID": 5, "size": 9}, {"containerID": 0, "hostID": 1000, "size": 1}]);
        assert_eq!(owner(json!({"uidMappings": maps})), (1000, 0));
    }
}
