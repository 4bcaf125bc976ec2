//! The seccomp compiler against libseccomp: the same profile, two programs, one verdict for every call.
//!
//! What runc adds to libseccomp (ENOSYS for calls newer than the profile) is added here to its verdict. Where we
//! differ on purpose (`ctr_seccomp::compile` says where) the profiles below do not go.

#[path = "../../lib/seccomp/src/tests/bpf.rs"]
mod bpf;

use bpf::Call;
use ctr_tests::*;
use libc::sock_filter;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Tests of the compiler.
pub fn tests() -> Vec<Test> {
    tests!("seccomp",
        ["libseccomp", "gcc"]: every_number, default_profile, random_profiles;
        ["libseccomp", "gcc", "podman"]: profile_of_podman)
}

/// OCI name, libseccomp's name, `AUDIT_ARCH_…`, what numbers begin with.
const ARCHES: [(&str, &str, u32, u32); 5] = [
    ("SCMP_ARCH_X86_64", "x86_64", 0xc000_003e, 0),
    ("SCMP_ARCH_X32", "x32", 0xc000_003e, 0x4000_0000),
    ("SCMP_ARCH_X86", "x86", 0x4000_0003, 0),
    ("SCMP_ARCH_AARCH64", "aarch64", 0xc000_00b7, 0),
    ("SCMP_ARCH_ARM", "arm", 0x4000_0028, 0),
];

const EPERM: u64 = 1;
const ENOSYS: u32 = 0x0005_0000 + 38;

/// Each name gets an errno of its own, so the verdict of a number tells its name.
fn every_number() {
    for (oci, arch, audit, base) in ARCHES {
        let listed = String::from_utf8(helper(&[arch], "").stdout).unwrap();
        let names: Vec<_> = listed.lines().map(|line| line.split_once(' ').unwrap()).collect();
        assert!(names.len() > 300, "{arch}");
        let rules: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, (_, name))| json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": i + 1}))
            .collect();
        let program = ours(&json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [oci], "syscalls": rules}));
        for (i, (number, name)) in names.iter().enumerate() {
            let number: u32 = number.parse().unwrap();
            let verdict = bpf::run(&program, &Call { arch: audit, number: number + base, args: [0; 6] });
            assert_eq!(verdict, 0x0005_0001 + i as u32, "{arch}: {number} is {name}");
        }
    }
}

fn default_profile() {
    let admin = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYS_CHROOT", "CAP_PERFMON", "CAP_BPF"];
    for capabilities in [&[][..], &["CAP_SYS_CHROOT", "CAP_CHOWN"], &admin] {
        compare(&serde_json::to_value(ctr_seccomp::default_profile(capabilities)).unwrap());
    }
}

/// A large profile by others, in docker's format.
fn profile_of_podman() {
    let file = std::fs::read("/usr/share/containers/seccomp.json").unwrap();
    for capabilities in [&[][..], &["CAP_SYS_ADMIN", "CAP_AUDIT_WRITE"]] {
        compare(&serde_json::to_value(ctr_seccomp::from_json(&file, capabilities).unwrap()).unwrap());
    }
}

/// Conditions of every kind: one rule with several, or several rules that an argument equals a value.
///
/// Not several rules of every kind, which the crate's own tests have: libseccomp 2.5.4 gets those wrong. It does not
/// load an argument again for the next rule where the second condition of one has failed, and it merges comparisons
/// of halves that are not alike. One action a call, for it has an order of its own where rules differ in that.
fn random_profiles() {
    let mut random = Random(0x5eed);
    for _ in 0..200 {
        let mut rules = Vec::new();
        for name in ["read", "clone", "mmap", "personality", "prctl", "ioctl", "futex"] {
            let action = ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"][random.below(4)];
            let mut condition = |index: usize| {
                let op = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"][random.below(7)];
                let (value, two) = (random.value(), random.value());
                json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": two})
            };
            let several: Vec<_> = (0..3).map(&mut condition).collect();
            let mut rule = |args: &[Value]| {
                rules.push(json!({"names": [name], "action": action, "errnoRet": 7, "args": args}));
            };
            match random.below(5) {
                0 => {}
                1 => rule(&[]),
                n @ 2..4 => rule(&several[..n]),
                _ => several.iter().for_each(|c| {
                    rule(&[json!({"index": 1, "op": "SCMP_CMP_EQ", "value": c["value"]})]);
                }),
            }
        }
        // The last call that both know, so that both mean the same by "newer than the profile".
        rules.push(json!({"names": ["futex_waitv", "socket", "bind", "shmat"], "action": "SCMP_ACT_TRAP"}));
        let default = ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_TRACE"][random.below(4)];
        let named: Vec<_> = ARCHES.iter().filter(|_| random.below(2) == 0).map(|a| a.0).collect();
        compare(&json!({"defaultAction": default, "architectures": named, "syscalls": rules}));
    }
}

/// Compares the programs for `profile` at every number of every architecture, and at arguments near its values.
fn compare(profile: &Value) {
    let (known, theirs) = theirs(profile);
    let ours = ours(&known);
    bpf::check(&ours);
    let entries = known["syscalls"].as_array().unwrap();
    let values = interesting(entries);
    // Where the profile looks at arguments, by any name of the call.
    let looks: BTreeSet<&str> = names(entries.iter().filter(|e| !args(e).is_empty())).collect();
    let permissive = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].contains(&text(&known["defaultAction"]));
    let covered = known["architectures"].as_array().map_or(&[][..], Vec::as_slice);
    for (oci, arch, audit, base) in ARCHES {
        let listed = String::from_utf8(helper(&[arch], "").stdout).unwrap();
        let numbers: Vec<_> = listed.lines().map(|line| line.split_once(' ').unwrap()).collect();
        let named: BTreeSet<&str> = names(entries.iter()).collect();
        let last = numbers.iter().rev().find(|(_, name)| named.contains(name)).map(|(n, _)| n.parse::<u32>().unwrap());
        let native = oci == "SCMP_ARCH_X86_64";
        let stub = !permissive && (native || covered.contains(&json!(oci)));
        for number in (0..600).chain([0x3fff_fffe]) {
            let name = numbers.iter().find(|(n, _)| *n == number.to_string()).map(|(_, name)| *name);
            let tries = if name.is_some_and(|name| looks.contains(name)) { &values[..] } else { &values[..1] };
            for args in tries {
                let call = Call { arch: audit, number: number | base, args: *args };
                let newer = stub && last.is_some_and(|last| number > last);
                let wanted = if newer { ENOSYS } else { bpf::run(&theirs, &call) };
                assert_eq!(bpf::run(&ours, &call), wanted, "{arch} {number} {name:?} {call:x?}\n{known}");
            }
        }
    }
    for number in [u32::MAX, 0x4000_0000] {
        let call = Call { arch: ARCHES[0].2, number, args: [0; 6] };
        if !covered.contains(&json!("SCMP_ARCH_X32")) {
            assert_eq!(bpf::run(&ours, &call), bpf::run(&theirs, &call), "{call:x?}");
        }
    }
    let foreign = Call { arch: 0x8000_0016, number: 0, args: [0; 6] };
    assert_eq!(bpf::run(&ours, &foreign), bpf::run(&theirs, &foreign));
}

fn ours(profile: &Value) -> Vec<sock_filter> {
    let profile = ctr_seccomp::from_json(profile.to_string().as_bytes(), &[]).unwrap();
    ctr_seccomp::compile(&profile).unwrap().filter().to_vec()
}

/// The profile without the names that this libseccomp does not know, and its program for it.
fn theirs(profile: &Value) -> (Value, Vec<sock_filter>) {
    let out = helper(&[], &lines(profile));
    let unknown: Vec<_> =
        out.stderr.lines().map(|line| line.strip_prefix("unknown ").expect(line).to_owned()).collect();
    let mut known = profile.clone();
    for entry in known["syscalls"].as_array_mut().unwrap() {
        entry["names"].as_array_mut().unwrap().retain(|name| !unknown.contains(&text(name).to_owned()));
    }
    let words = |b: &[u8]| sock_filter {
        code: u16::from_ne_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
    };
    (known, out.stdout.chunks_exact(8).map(words).collect())
}

/// The profile in the words of the helper.
fn lines(profile: &Value) -> String {
    let mut lines = format!("default {:x}\n", action(&profile["defaultAction"], &profile["defaultErrnoRet"]));
    for (oci, arch, ..) in ARCHES {
        if profile["architectures"].as_array().is_some_and(|a| a.contains(&json!(oci))) {
            lines += &format!("arch {arch}\n");
        }
    }
    for entry in profile["syscalls"].as_array().unwrap() {
        let action = action(&entry["action"], &entry["errnoRet"]);
        for name in names([entry].into_iter()) {
            lines += &format!("rule {action:x} {name} {}", args(entry).len());
            for arg in args(entry) {
                let op = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]
                    .iter()
                    .position(|op| text(&arg["op"]).strip_prefix("SCMP_CMP_") == Some(op))
                    .unwrap();
                let two = arg["valueTwo"].as_u64().unwrap_or(0);
                lines += &format!(" {} {} {} {two}", arg["index"], op + 1, arg["value"]);
            }
            lines += "\n";
        }
    }
    lines
}

fn action(action: &Value, errno: &Value) -> u64 {
    match text(action) {
        "SCMP_ACT_KILL" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 + errno.as_u64().unwrap_or(EPERM),
        "SCMP_ACT_TRACE" => 0x7ff0_0000 + errno.as_u64().unwrap_or(EPERM),
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("{other}"),
    }
}

fn names<'a>(entries: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = &'a str> {
    entries.flat_map(|entry| entry["names"].as_array().unwrap()).map(text)
}

fn args(entry: &Value) -> &[Value] {
    entry["args"].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Arguments at and around every value that the profile compares with, all zero first.
fn interesting(entries: &[Value]) -> Vec<[u64; 6]> {
    let mut edges = BTreeSet::from([0, 1, u64::MAX]);
    for value in entries.iter().flat_map(args).flat_map(|a| [a["value"].as_u64(), a["valueTwo"].as_u64()]).flatten() {
        edges.extend([value, value.wrapping_sub(1), value.wrapping_add(1), value ^ 1 << 32, value & 0xffff_ffff]);
    }
    let edges: Vec<_> = edges.into_iter().collect();
    let mut random = Random(edges.len() as u64);
    let mut calls = vec![[0; 6]];
    for first in &edges {
        calls.push([*first; 6]);
        calls.push([*first, edges[random.below(edges.len())], edges[random.below(edges.len())], 0, 0, 0]);
    }
    calls
}

/// Numbers that are the same in every run (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    fn value(&mut self) -> u64 {
        let low = [0, 1, 2, 3, 0x10, 0x8000_0000, 0xffff_ffff][self.below(7)];
        if self.below(4) == 0 { low | self.next() << 32 } else { low }
    }
}

struct Output {
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs the helper, compiled at its first use.
fn helper(args: &[&str], input: &str) -> Output {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    let program = HELPER.get_or_init(|| {
        let program = suite::suite().dir().join("libseccomp");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/seccomp/libseccomp.c");
        let status = Command::new("gcc").args(["-Wall", "-o"]).arg(&program).args([source, "-lseccomp"]).status();
        assert!(status.unwrap().success());
        program
    });
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{stderr}");
    Output { stdout: out.stdout, stderr }
}
