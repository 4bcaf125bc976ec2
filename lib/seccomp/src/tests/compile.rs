//! Single rules of the reading of a profile, and the limits.

use super::{bpf::Call, oci, verdict};
use crate::{calls, compile};
use ctr_core::Code;
use serde_json::json;

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0000 + 38;
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

fn call(arch: u32, number: u32, args: &[u64]) -> Call {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call { arch, number, args: all }
}

#[test]
fn names_are_sorted_and_distinct() {
    let names: Vec<_> = calls::names().collect();
    assert!(names.is_sorted());
    assert!(names.windows(2).all(|w| w[0] != w[1]));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn numbers_are_those_of_libc() {
    for (name, number) in [
        ("read", libc::SYS_read),
        ("rt_sigaction", libc::SYS_rt_sigaction),
        ("clone3", libc::SYS_clone3),
        ("mseal", libc::SYS_mseal),
    ] {
        assert_eq!(calls::find(name).unwrap().get(0), Some(number as u32), "{name}");
    }
    assert!(calls::find("").is_none());
    assert!(calls::find("zzz").is_none());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_rule_without_args_wins_over_those_with() {
    let profile = oci(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["read"], "action": "SCMP_ACT_LOG"},
    ]}));
    assert_eq!(verdict(&profile, &call(X86_64, 0, &[1])), ENOSYS);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn several_conditions_on_one_argument_are_alternatives() {
    let eq = |value| json!({"index": 0, "value": value, "op": "SCMP_CMP_EQ"});
    let profile = oci(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [eq(1), eq(2)]},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW"},
    ]}));
    for (family, wanted) in [(1, ALLOW), (2, ALLOW), (3, EPERM), (1 << 32 | 1, EPERM)] {
        assert_eq!(verdict(&profile, &call(X86_64, 41, &[family])), wanted, "{family}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn socketcall_is_not_opened_by_a_rule_about_arguments() {
    let rule = |action, default| {
        oci(json!({"defaultAction": default, "architectures": ["SCMP_ARCH_X86"], "syscalls": [
            {"names": ["socket"], "action": action, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
            {"names": ["bind"], "action": action},
        ]}))
    };
    let allow = rule("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO");
    assert_eq!(verdict(&allow, &call(I386, 102, &[1, 0])), EPERM);
    assert_eq!(verdict(&allow, &call(I386, 102, &[2, 0])), ALLOW);
    assert_eq!(verdict(&allow, &call(I386, 359, &[1, 0])), ALLOW);
    let forbid = rule("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW");
    assert_eq!(verdict(&forbid, &call(I386, 102, &[1, 0])), EPERM);
    assert_eq!(verdict(&forbid, &call(I386, 102, &[3, 0])), ALLOW);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn other_architectures_are_passed_over() {
    let profile =
        oci(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X", "SCMP_ARCH_PPC"]}));
    assert_eq!(verdict(&profile, &call(X86_64, 0, &[])), ALLOW);
    assert_eq!(verdict(&profile, &call(0x8000_0016, 0, &[])), 0);
    assert_eq!(verdict(&profile, &call(I386, 0, &[])), 0);
}

#[test]
fn what_cannot_be_done_is_said() {
    let code = |json| compile(&oci(json)).unwrap_err().code;
    assert_eq!(code(json!({"defaultAction": "SCMP_ACT_NOTIFY"})), Code::Unsupported);
    assert_eq!(code(json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})), Code::Invalid);
    let flags = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]});
    assert_eq!(code(flags), Code::Unsupported);
    let args = json!([{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]);
    let rule = json!({"names": ["read"], "action": "SCMP_ACT_KILL", "args": args});
    let error = compile(&oci(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))).unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    assert_eq!(error.message, "seccomp profile: read: argument 6 is not one of 0 to 5");
}

#[test]
fn flags_are_the_kernels() {
    let flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    let profile = oci(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags}));
    assert_eq!(compile(&profile).unwrap().flags(), 2 | 4);
}

/// Hundreds of conditions on one call: jumps beyond 8 bits, then more than the kernel takes.
#[test]
#[cfg(target_arch = "x86_64")]
fn long_programs() {
    let profile = |count: u64| {
        let rule = |value| {
            json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [
            {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 7, "op": "SCMP_CMP_GT"}]})
        };
        oci(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": (0..count).map(rule).collect::<Vec<_>>()}))
    };
    let long = profile(450);
    super::bpf::check(compile(&long).unwrap().filter());
    for (first, second, wanted) in [(0, 8, ALLOW), (449, 8, ALLOW), (449, 7, EPERM), (450, 8, EPERM)] {
        assert_eq!(verdict(&long, &call(X86_64, 0, &[first, second])), wanted, "{first} {second}");
    }
    let too_long = compile(&profile(1000)).unwrap_err();
    assert_eq!(too_long.code, Code::Limit);
}
