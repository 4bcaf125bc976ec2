//! The verdict of a profile by its words: a second reading of it, slow and plain, to compare the compiler with.

use super::bpf::Call;
use crate::calls;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Op, LinuxSyscall,
};

/// ABIs as the test knows them: OCI name, `AUDIT_ARCH_…`, base, column in the table of numbers, mask of an argument.
pub const ABIS: [(Arch, u32, u32, usize, u64); 5] = [
    (Arch::ScmpArchX86_64, 0xc000_003e, 0, 0, u64::MAX),
    (Arch::ScmpArchX32, 0xc000_003e, 0x4000_0000, 1, 0xffff_ffff),
    (Arch::ScmpArchX86, 0x4000_0003, 0, 2, 0xffff_ffff),
    (Arch::ScmpArchAarch64, 0xc000_00b7, 0, 3, u64::MAX),
    (Arch::ScmpArchArm, 0x4000_0028, 0, 4, 0xffff_ffff),
];

const ENOSYS: u32 = 0x0005_0000 + 38;

/// What the kernel gets for an action.
pub fn action(action: Action, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1);
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 + errno,
        Action::ScmpActTrace => 0x7ff0_0000 + errno,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
        Action::ScmpActNotify => panic!("no agent"),
    }
}

fn holds(arg: &LinuxSeccompArg, args: &[u64; 6], mask: u64) -> bool {
    let (x, y) = (args[arg.index()] & mask, arg.value() & mask);
    match arg.op() {
        Op::ScmpCmpNe => x != y,
        Op::ScmpCmpLt => x < y,
        Op::ScmpCmpLe => x <= y,
        Op::ScmpCmpEq => x == y,
        Op::ScmpCmpGe => x >= y,
        Op::ScmpCmpGt => x > y,
        Op::ScmpCmpMaskedEq => x & y == arg.value_two().unwrap_or(0) & y,
    }
}

/// Harshest first, as seccomp(2) has it.
fn rank(action: u32) -> i32 {
    (action & 0xffff_0000) as i32
}

fn entry_holds(entry: &LinuxSyscall, args: &[u64; 6], mask: u64) -> bool {
    let list = entry.args().as_deref().unwrap_or_default();
    let repeated = list.iter().any(|a| list.iter().filter(|b| b.index() == a.index()).count() > 1);
    if repeated { list.iter().any(|a| holds(a, args, mask)) } else { list.iter().all(|a| holds(a, args, mask)) }
}

/// What `profile` says of `call` on a machine of `native` architecture.
pub fn evaluate(profile: &LinuxSeccomp, native: Arch, call: &Call) -> u32 {
    let default = action(profile.default_action(), profile.default_errno_ret());
    let named = profile.architectures().as_deref().unwrap_or_default();
    let covers = |arch: &Arch| *arch == native || named.contains(arch);
    let in_x32 = call.number >= 0x4000_0000;
    let abi = ABIS.iter().find(|(arch, audit, base, ..)| {
        let x86 = *audit == 0xc000_003e;
        covers(arch) && *audit == call.arch && (!x86 || (*base != 0) == in_x32)
    });
    let Some((arch, _, base, column, mask)) = abi else {
        // A tracer's -1 is no call of x32.
        let skipped = call.number == u32::MAX && call.arch == 0xc000_003e && covers(&Arch::ScmpArchX86_64);
        return if skipped { default } else { 0 };
    };
    let number = call.number - base;
    let entries = profile.syscalls().as_deref().unwrap_or_default();

    let numbers = entries.iter().flat_map(LinuxSyscall::names).filter_map(|n| calls::find(n)?.get(*column));
    let lets_through =
        matches!(profile.default_action(), Action::ScmpActAllow | Action::ScmpActLog | Action::ScmpActTrace);
    if !lets_through && numbers.max().is_some_and(|last| number > last) {
        return ENOSYS;
    }

    // (verdict, unconditional, holds), in the profile's order
    let mut found = Vec::new();
    for entry in entries {
        let verdict = action(entry.action(), entry.errno_ret());
        if verdict == default {
            continue;
        }
        let plain = entry.args().as_deref().unwrap_or_default().is_empty();
        for name in entry.names() {
            if calls::find(name).and_then(|n| n.get(*column)) == Some(number) {
                found.push((verdict, plain, entry_holds(entry, &call.args, *mask)));
            }
            if let Some((carrier, sub)) = calls::multiplexed(name)
                && *arch == Arch::ScmpArchX86
                && carrier == number
                && (plain || rank(verdict) < rank(default))
            {
                found.push((verdict, false, call.args[0] as u32 == sub));
            }
        }
    }
    let unconditional = found.iter().find(|f| f.1);
    unconditional.or_else(|| found.iter().find(|f| f.2)).map_or(default, |f| f.0)
}
