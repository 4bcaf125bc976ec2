//! From an OCI seccomp section to a program for the kernel.
//!
//! The filter looks at the architecture, then finds the call by binary search over ranges of numbers that get
//! the same verdict, about six comparisons. It uses only instructions that the kernel can evaluate ahead of time
//! (`seccomp_is_const_allow`), so calls that are always allowed do not even run it.

use crate::{
    abi,
    actions::{self, BAD_ARCHITECTURE},
    assemble::{Assembler, Label, Test},
    rules::{Condition, Rule},
    segments::{Profile, Segment, Verdict},
};
use ctr_core::{Code, Error, Result};
use libc::sock_filter;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompOperator as Op};

/// Offsets in `struct seccomp_data` (seccomp(2)).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The most instructions that the kernel takes, BPF_MAXINSNS.
const MOST: usize = 4096;

/// A filter for seccomp(2), operation SECCOMP_SET_MODE_FILTER.
#[derive(Clone, Debug)]
pub struct Program {
    filter: Vec<sock_filter>,
    flags: u32,
}

impl Program {
    /// The instructions: at least one, at most 4096.
    pub fn filter(&self) -> &[sock_filter] {
        &self.filter
    }

    /// The flags to load it with, `SECCOMP_FILTER_FLAG_…`.
    pub fn flags(&self) -> u32 {
        self.flags
    }
}

/// Compiles `profile` to a filter that gives the verdicts of runc with libseccomp.
///
/// - The machine's own architecture is always covered. Calls of one that the profile does not cover kill the thread.
/// - Names that no ABI knows are passed over. Calls with a number above every one that the profile knows get
///   ENOSYS, unless the default action lets calls through.
/// - A rule without `args` wins over all that have some; of several, the first wins. Of rules with `args`, the first
///   that holds wins. (libseccomp takes those in an order of its own; it matters only where their actions differ.)
/// - Arguments of 32-bit ABIs, x32 among them, are compared by their low 32 bits.
/// - i386 can make socket and System V IPC calls through `socketcall` and `ipc`, whose arguments no filter sees. A
///   rule with `args` about such a call holds there for every call if it is harsher than the default, else for none.
///   (libseccomp lets it hold for every call, which opens what the profile closes.)
///
/// # Errors
/// `unsupported` for SCMP_ACT_NOTIFY, `invalid` for an argument index or errno out of range, `limit` where the
/// filter would have over 4096 instructions.
pub fn compile(profile: &LinuxSeccomp) -> Result<Program> {
    let flags = actions::flags(profile.flags().as_deref().unwrap_or_default())?;
    let abis = abi::covered(profile.architectures().as_deref().unwrap_or_default());
    let rules = Profile::new(profile)?;

    let mut code = Assembler::default();
    let mut next = code.ret(BAD_ARCHITECTURE);
    for group in abis.chunk_by(|a, b| a.audit == b.audit).rev() {
        let found = search(&mut code, &rules.segments(group), rules.default);
        let found = code.load(NUMBER, found);
        next = code.branch(Test::Equal, group[0].audit, found, next);
    }
    code.load(ARCHITECTURE, next);

    let filter = code.finish();
    if filter.len() > MOST {
        let length = filter.len();
        return Err(Error::new(
            Code::Limit,
            format!("seccomp profile: {length} instructions, the kernel takes {MOST}"),
        ));
    }
    Ok(Program { filter, flags })
}

/// Finds the segment of the number in the accumulator. `segments` has at least one.
fn search(code: &mut Assembler, segments: &[Segment], default: u32) -> Label {
    match segments {
        [one] => verdict(code, &one.verdict, default),
        // One exception in a range.
        [low, one, high] if low.verdict.same(&high.verdict) && high.first - one.first == 1 => {
            let around = verdict(code, &low.verdict, default);
            let at = verdict(code, &one.verdict, default);
            code.branch(Test::Equal, one.first, at, around)
        }
        _ => {
            let (low, high) = segments.split_at(segments.len() / 2);
            let above = search(code, high, default);
            let below = search(code, low, default);
            code.branch(Test::GreaterEqual, high[0].first, above, below)
        }
    }
}

fn verdict(code: &mut Assembler, verdict: &Verdict, default: u32) -> Label {
    match verdict {
        Verdict::Return(value) => code.ret(*value),
        Verdict::Check { rules, wide } => {
            let mut next = code.ret(default);
            for alike in rules.chunk_by(|a, b| listed_together(a, b, *wide)).rev() {
                let holds = code.ret(alike[0].action);
                next = match alike {
                    [one] => one.conditions.iter().rev().fold(holds, |then, c| condition(code, c, *wide, then, next)),
                    _ => one_of(code, alike, *wide, holds, next),
                };
            }
            next
        }
    }
}

/// Whether two rules are "argument n is x" and "argument n is y", alike in all else: one load serves both.
fn listed_together(a: &Rule, b: &Rule, wide: bool) -> bool {
    let ([x], [y]) = (a.conditions.as_slice(), b.conditions.as_slice()) else { return false };
    let equal = x.op == Op::ScmpCmpEq && y.op == Op::ScmpCmpEq;
    equal && a.action == b.action && x.argument == y.argument && (!wide || high(x.value) == high(y.value))
}

/// Goes on at `yes` where the argument is one of the values of `rules`, see [`listed_together`].
fn one_of(code: &mut Assembler, rules: &[&Rule], wide: bool, yes: Label, no: Label) -> Label {
    let mut values = rules.iter().flat_map(|r| &r.conditions).rev().peekable();
    let Some(&&any) = values.peek() else { return no };
    let found = values.fold(no, |next, c| code.branch(Test::Equal, low(c.value), yes, next));
    let found = code.load(low_half(&any), found);
    if !wide {
        return found;
    }
    let found = code.branch(Test::Equal, high(any.value), found, no);
    code.load(high_half(&any), found)
}

/// Goes on at `yes` where `c` holds, else at `no`. Halves are compared apart: BPF has 32 bits.
fn condition(code: &mut Assembler, c: &Condition, wide: bool, yes: Label, no: Label) -> Label {
    let (yes, no, test) = match c.op {
        Op::ScmpCmpEq | Op::ScmpCmpMaskedEq => (yes, no, Test::Equal),
        Op::ScmpCmpNe => (no, yes, Test::Equal),
        Op::ScmpCmpGt => (yes, no, Test::Greater),
        Op::ScmpCmpLe => (no, yes, Test::Greater),
        Op::ScmpCmpGe => (yes, no, Test::GreaterEqual),
        Op::ScmpCmpLt => (no, yes, Test::GreaterEqual),
    };
    let mut found = code.branch(test, low(c.value), yes, no);
    found = masked(code, low(c.mask), found);
    found = code.load(low_half(c), found);
    if !wide || high(c.mask) == 0 {
        return found;
    }
    found = code.branch(Test::Equal, high(c.value), found, no);
    if !matches!(test, Test::Equal) {
        // Where the high half is greater, the low one is no matter.
        found = code.branch(Test::Greater, high(c.value), yes, found);
    }
    found = masked(code, high(c.mask), found);
    code.load(high_half(c), found)
}

fn masked(code: &mut Assembler, mask: u32, next: Label) -> Label {
    if mask == u32::MAX { next } else { code.and(mask, next) }
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Where the low half of the argument lies; all ABIs that we know are little-endian.
fn low_half(c: &Condition) -> u32 {
    ARGUMENTS + 8 * c.argument
}

fn high_half(c: &Condition) -> u32 {
    low_half(c) + 4
}
