//! Profile files: docker's conditions, the plain OCI section, and what is wrong with a file.

use crate::{file::resolve, from_json};
use ctr_core::Code;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSyscall};
use serde_json::{Value, json};

const KERNEL: (u32, u32) = (5, 10);

fn read(json: &Value) -> LinuxSeccomp {
    resolve(json.to_string().as_bytes(), &["CAP_CHOWN", "CAP_KILL"], KERNEL).unwrap()
}

fn refused(text: &str) -> String {
    let error = from_json(text.as_bytes(), &[]).unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    error.message
}

#[test]
fn conditions_of_entries() {
    let kept = |conditions: Value| {
        let mut entry = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "why"});
        entry.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
        let profile = read(&json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry]}));
        !profile.syscalls().as_ref().unwrap().is_empty()
    };
    let here = crate::abi::GO_NAME;
    for (conditions, wanted) in [
        (json!({}), true),
        (json!({"includes": {}, "excludes": {}}), true),
        (json!({"includes": {"caps": ["CAP_CHOWN", "CAP_KILL"]}}), true),
        (json!({"includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}}), false),
        (json!({"excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_KILL"]}}), false),
        (json!({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}), true),
        (json!({"includes": {"arches": [here, "x32"]}}), true),
        (json!({"includes": {"arches": ["s390x"]}}), false),
        (json!({"excludes": {"arches": [here]}}), false),
        (json!({"excludes": {"arches": ["s390x"]}}), true),
        (json!({"includes": {"minKernel": "4.8"}}), true),
        (json!({"includes": {"minKernel": "5.11"}}), false),
        (json!({"includes": {"minKernel": "6"}}), false),
        (json!({"excludes": {"minKernel": "5.10"}}), false),
        (json!({"includes": {"caps": ["CAP_KILL"], "minKernel": "5.11"}}), false),
    ] {
        assert_eq!(kept(conditions.clone()), wanted, "{conditions}");
    }
}

#[test]
fn arch_map_gives_the_architectures_of_this_machine() {
    let profile = read(&json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [], "archMap": [
        {"architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_S390"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null},
    ]}));
    let wanted = if cfg!(target_arch = "x86_64") {
        vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86]
    } else {
        vec![Arch::ScmpArchAarch64]
    };
    assert_eq!(profile.architectures().as_deref(), Some(wanted.as_slice()));
}

#[test]
fn an_oci_section_is_read_as_it_is() {
    let section = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [{"names": ["clone", "read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
            "args": [{"index": 0, "value": u64::MAX, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}],
    });
    assert_eq!(read(&section), super::oci(section));
}

#[test]
fn an_old_entry_has_one_name() {
    let profile = read(&json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"name": "read", "names": [], "action": "SCMP_ACT_ALLOW", "args": []}]}));
    let names: Vec<_> = profile.syscalls().iter().flatten().flat_map(LinuxSyscall::names).collect();
    assert_eq!(names, ["read"]);
}

#[test]
fn what_is_wrong_is_said() {
    let entry = |entry| format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{entry}]}}"#);
    assert_eq!(refused("{}"), "seccomp profile: it has no defaultAction");
    assert!(refused("").starts_with("seccomp profile: EOF"));
    assert!(refused("[1]").starts_with("seccomp profile: "));
    assert!(refused(r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#).contains("unknown variant `SCMP_ACT_MAYBE`"));
    assert!(refused(r#"{"defaultAction": "SCMP_ACT_LOG", "architectures": ["PDP11"]}"#).contains("`PDP11`"));
    assert!(refused(&entry(r#"{"names": ["read"]}"#)).contains("missing field `action`"));
    let op =
        r#"{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_LIKE"}]}"#;
    assert!(refused(&entry(op)).contains("`SCMP_CMP_LIKE`"));
    let both = r#"{"name": "read", "names": ["write"], "action": "SCMP_ACT_LOG"}"#;
    assert_eq!(refused(&entry(both)), "seccomp profile: read: an entry has both name and names");
    let version = r#"{"names": ["read"], "action": "SCMP_ACT_LOG", "includes": {"minKernel": "four"}}"#;
    assert_eq!(refused(&entry(version)), r#"seccomp profile: minKernel "four" is not a version like 4.8"#);
    let twice = r#"{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"],
        "archMap": [{"architecture": "SCMP_ARCH_X86", "subArchitectures": []}]}"#;
    assert_eq!(refused(twice), "seccomp profile: it has both architectures and archMap");
}
