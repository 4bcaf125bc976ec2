//! The default profile: every number of every ABI, and what capabilities change.

use super::{
    DOCKER,
    bpf::{self, Call},
    evaluate::{ABIS, evaluate},
};
use crate::{abi, calls, compile, default::build};
use oci_spec::runtime::{LinuxSeccomp, LinuxSyscall};

const KERNEL: (u32, u32) = (6, 18);
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0000 + 38;

/// Values at which some rule of the profile changes its mind.
const FIRST: [u64; 16] =
    [0, 1, 2, 8, 11, 12, 13, 38, 40, 45, 46, 0x2_0008, 0x1_0000_0001, 0x1000_0000, 0xffff_ffff, u64::MAX];

fn of_name(profile: &LinuxSeccomp, name: &str, first: u64) -> u32 {
    let number = calls::find(name).unwrap().get(0).unwrap();
    let call = Call { arch: ABIS[0].1, number, args: [first, 0, 0, 0, 0, 0] };
    bpf::run(compile(profile).unwrap().filter(), &call)
}

#[test]
fn every_name_is_a_call() {
    let everything = build(
        &[
            &DOCKER[..],
            &["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_RAWIO"],
        ]
        .concat(),
        KERNEL,
    );
    for name in everything.syscalls().iter().flatten().flat_map(LinuxSyscall::names) {
        assert!(calls::find(name).is_some(), "{name}");
    }
}

#[test]
fn every_call_gets_what_the_profile_says() {
    for capabilities in [&[][..], &DOCKER, &["CAP_SYS_ADMIN"], &["CAP_SYS_PTRACE", "CAP_BPF", "CAP_SYSLOG"]] {
        let profile = build(capabilities, KERNEL);
        let program = compile(&profile).unwrap();
        bpf::check(program.filter());
        for (_, arch, base, column, _) in ABIS {
            for number in (0..600).chain([0x3fff_ffff]) {
                let looks = ["clone", "personality", "socket"].map(|n| calls::find(n).unwrap().get(column));
                let few = if looks.contains(&Some(number)) { FIRST.len() } else { 2 };
                for first in &FIRST[..few] {
                    let call = Call { arch, number: number | base, args: [*first, 0, 0, 0, 0, 0] };
                    let wanted = evaluate(&profile, abi::ARCHITECTURES[0], &call);
                    assert_eq!(bpf::run(program.filter(), &call), wanted, "{call:x?}");
                }
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_docker_gives_and_keeps() {
    let profile = build(&DOCKER, KERNEL);
    for (name, first, wanted) in [
        ("read", 0, ALLOW),
        ("chroot", 0, ALLOW),
        ("ptrace", 0, ALLOW),
        ("mount", 0, EPERM),
        ("unshare", 0, EPERM),
        ("keyctl", 0, EPERM),
        ("io_uring_setup", 0, EPERM),
        ("userfaultfd", 0, EPERM),
        ("kexec_load", 0, EPERM),
        ("bpf", 0, EPERM),
        ("clone3", 0, ENOSYS),
        ("clone", 0x11, ALLOW),
        ("clone", 0x1000_0011, EPERM),
        ("socket", 1, ALLOW),
        ("socket", 16, ALLOW),
        ("socket", 38, EPERM),
        ("socket", 40, EPERM),
        ("personality", 0xffff_ffff, ALLOW),
        ("personality", 0x0004_0000, EPERM),
        ("open_tree_attr", 0, ENOSYS),
    ] {
        assert_eq!(of_name(&profile, name, first), wanted, "{name} {first:#x}");
    }
    let i386 = |number, first| {
        bpf::run(compile(&profile).unwrap().filter(), &Call { arch: ABIS[2].1, number, args: [first, 0, 0, 0, 0, 0] })
    };
    // The socket call, and the call that carries it and bind(2).
    assert_eq!([i386(359, 2), i386(359, 38)], [ALLOW, EPERM]);
    assert_eq!([i386(102, 1), i386(102, 2)], [ENOSYS, ENOSYS], "socketcall would make a socket of any family");
    assert_eq!(of_name(&build(&DOCKER, (4, 7)), "ptrace", 0), EPERM);
    let admin = build(&["CAP_SYS_ADMIN"], KERNEL);
    for (name, first) in [("mount", 0), ("clone3", 0), ("clone", 0x1000_0011), ("bpf", 0)] {
        assert_eq!(of_name(&admin, name, first), ALLOW, "{name}");
    }
    assert_eq!(of_name(&admin, "chroot", 0), EPERM);
    for (capability, name) in [
        ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_SYS_MODULE", "finit_module"),
        ("CAP_SYS_PACCT", "acct"),
        ("CAP_SYS_PTRACE", "kcmp"),
        ("CAP_SYS_RAWIO", "iopl"),
        ("CAP_SYS_TIME", "clock_settime"),
        ("CAP_SYS_TTY_CONFIG", "vhangup"),
        ("CAP_SYS_NICE", "mbind"),
        ("CAP_SYSLOG", "syslog"),
        ("CAP_BPF", "bpf"),
        ("CAP_PERFMON", "perf_event_open"),
    ] {
        assert_eq!(of_name(&profile, name, 0), EPERM, "{name}");
        assert_eq!(of_name(&build(&[capability], KERNEL), name, 0), ALLOW, "{name}");
    }
}
