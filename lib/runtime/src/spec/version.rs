//! `ociVersion`: the lowest version of the runtime-spec that has everything a spec uses.
//!
//! Runtimes refuse versions later than theirs, however little of them a spec uses.

use super::part;
use ctr_core::{Map, Value, json};

const BASE: &str = "1.0.2";
const LATER: &str = "1.1.0";

/// Sets it, first of all keys; a later one that the document has stays.
pub fn set(spec: &mut Map<String, Value>) {
    let needed = if needs_later(spec) { LATER } else { BASE };
    match spec.get("ociVersion").and_then(Value::as_str) {
        Some(has) if numbers(has) >= numbers(needed) => {}
        _ => {
            spec.shift_insert(0, "ociVersion".to_owned(), json!(needed));
        }
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).take(3).map(|n| n.parse().unwrap_or(0)).collect()
}

/// What came with runtime-spec 1.1.0 and a runtime of 1.0 would fail on or take for something else: the time
/// namespace, the domain name, actions of seccomp that it has no name for.
///
/// `errnoRet` came with it too and is no reason: it only makes the reason of a refusal finer, so a runtime that does
/// not know it enforces the same filter; those of 1.0 in use all know it.
fn needs_later(spec: &Map<String, Value>) -> bool {
    let linux = spec.get("linux").unwrap_or(&Value::Null);
    let list = |value: Option<&Value>, hit: &dyn Fn(&Value) -> bool| {
        value.and_then(Value::as_array).is_some_and(|list| list.iter().any(hit))
    };
    let late_action = |value: &Value, key| {
        matches!(
            part::string(Some(value), key),
            Some("SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_NOTIFY")
        )
    };
    let late_seccomp = linux.get("seccomp").is_some_and(|s| {
        late_action(s, "defaultAction") || list(s.get("syscalls"), &|rule| late_action(rule, "action"))
    });
    late_seccomp
        || spec.contains_key("domainname")
        || list(linux.get("namespaces"), &|n| part::string(Some(n), "type") == Some("time"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(spec: Value) -> String {
        let Value::Object(mut spec) = spec else { panic!() };
        set(&mut spec);
        assert_eq!(spec.keys().next().unwrap(), "ociVersion");
        spec["ociVersion"].as_str().unwrap().to_owned()
    }

    #[test]
    fn no_higher_than_the_content() {
        assert_eq!(version(json!({})), "1.0.2");
        assert_eq!(version(json!({"linux": {"namespaces": [{"type": "pid"}]}})), "1.0.2");
        assert_eq!(version(json!({"linux": {"namespaces": [{"type": "time"}]}})), "1.1.0");
        assert_eq!(version(json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}})), "1.0.2");
        assert_eq!(version(json!({"linux": {"seccomp": {"defaultErrnoRet": 1}}})), "1.0.2");
        assert_eq!(version(json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_KILL_PROCESS"}}})), "1.1.0");
        let notify = json!({"linux": {"seccomp": {"syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}}});
        assert_eq!(version(notify), "1.1.0");
        assert_eq!(version(json!({"ociVersion": "1.2.0"})), "1.2.0");
        assert_eq!(version(json!({"ociVersion": "1.0.2-dev", "domainname": "x"})), "1.1.0");
    }
}
