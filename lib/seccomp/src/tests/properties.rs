//! Random profiles and calls: the compiled program says what the profile says.

use super::{
    bpf::{self, Call},
    evaluate::{ABIS, evaluate},
};
use crate::{abi, calls, compile};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator as Op, LinuxSyscall,
};
use proptest::{prelude::*, sample::select};

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..4,
        (0_u64..4, 0_u64..4).prop_map(|(high, low)| high << 32 | low),
        select(vec![u64::MAX, u64::MAX - 1, 0xffff_ffff, 0x1_0000_0000, 0x8000_0000, 0x7e02_0000]),
        any::<u64>(),
    ]
}

fn argument() -> impl Strategy<Value = LinuxSeccompArg> {
    let op = select(vec![
        Op::ScmpCmpNe,
        Op::ScmpCmpLt,
        Op::ScmpCmpLe,
        Op::ScmpCmpEq,
        Op::ScmpCmpGe,
        Op::ScmpCmpGt,
        Op::ScmpCmpMaskedEq,
    ]);
    (0_usize..3, op, value(), value()).prop_map(|(index, op, a, b)| {
        LinuxSeccompArgBuilder::default().index(index).op(op).value(a).value_two(b).build().unwrap()
    })
}

fn action() -> impl Strategy<Value = (Action, Option<u32>)> {
    let action = select(vec![
        Action::ScmpActKill,
        Action::ScmpActKillProcess,
        Action::ScmpActTrap,
        Action::ScmpActErrno,
        Action::ScmpActTrace,
        Action::ScmpActLog,
        Action::ScmpActAllow,
    ]);
    (action, prop::option::of(0_u32..3))
}

fn entry() -> impl Strategy<Value = LinuxSyscall> {
    let few = vec!["read", "clone", "clone3", "socket", "shmat", "socketcall", "accept", "mq_open", "no_such_call"];
    let name = prop_oneof![select(few), select(calls::names().collect::<Vec<_>>())];
    let args = prop_oneof![Just(Vec::new()), prop::collection::vec(argument(), 1..4)];
    (prop::collection::vec(name, 1..8), action(), args).prop_map(|(names, (action, errno), args)| {
        let mut entry = LinuxSyscall::default();
        entry.set_names(names.into_iter().map(str::to_owned).collect()).set_action(action).set_errno_ret(errno);
        entry.set_args(Some(args).filter(|a| !a.is_empty()));
        entry
    })
}

fn profile() -> impl Strategy<Value = LinuxSeccomp> {
    let archs = prop::collection::vec(select(ABIS.map(|a| a.0).to_vec()), 0..4);
    (action(), archs, prop::collection::vec(entry(), 0..20)).prop_map(|((action, errno), archs, entries)| {
        let mut profile = LinuxSeccomp::default();
        profile.set_default_action(action).set_default_errno_ret(errno);
        profile.set_architectures(Some(archs)).set_syscalls(Some(entries));
        profile
    })
}

/// A call, its number by name or at random.
fn calls_to_try() -> impl Strategy<Value = Vec<(usize, Result<&'static str, u32>, [u64; 6])>> {
    let names = select(calls::names().collect::<Vec<_>>());
    let few = select(vec!["read", "clone", "clone3", "socket", "shmat", "socketcall", "ipc", "mq_open"]);
    let number = prop_oneof![
        4 => few.prop_map(Ok),
        2 => names.prop_map(Ok),
        1 => (0_u32..600).prop_map(Err),
        1 => select(vec![u32::MAX, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000]).prop_map(Err),
    ];
    let args = prop::collection::vec(value(), 6).prop_map(|v| <[u64; 6]>::try_from(v).unwrap());
    prop::collection::vec((0..ABIS.len(), number, args), 1..200)
}

/// The architecture that every filter covers.
fn native() -> Arch {
    abi::ARCHITECTURES[0]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn says_what_the_profile_says(profile in profile(), tries in calls_to_try()) {
        let program = compile(&profile).unwrap();
        bpf::check(program.filter());
        for (abi, number, mut args) in tries {
            let (_, arch, base, column, _) = ABIS[abi];
            let number = match number {
                Ok(name) => calls::find(name).unwrap().get(column).unwrap_or(7),
                Err(number) => number,
            };
            // Values that the profile compares with are worth trying most.
            if let Some(arg) = profile.syscalls().iter().flatten().flat_map(|e| e.args().iter().flatten()).next() {
                args[arg.index()] = args[arg.index()].wrapping_add(arg.value()).wrapping_sub(1);
            }
            let call = Call { arch, number: number | base, args };
            let wanted = evaluate(&profile, native(), &call);
            prop_assert_eq!(bpf::run(program.filter(), &call), wanted, "{:x?}", call);
        }
    }
}
