//! The number line of an architecture: which calls get which verdict.

use crate::{
    abi::{self, Abi},
    actions, calls,
    rules::{self, Condition, Rule},
};
use ctr_core::Result;
use oci_spec::runtime::LinuxSeccomp;
use std::ops::Range;

/// The calls from `first` up to the next segment.
#[derive(Debug)]
pub struct Segment<'a> {
    /// The lowest number.
    pub first: u32,
    /// What these calls get.
    pub verdict: Verdict<'a>,
}

/// What a call gets.
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// This return value.
    Return(u32),
    /// The first rule that holds says it, else the default. Arguments have 64 bits where `wide`.
    Check { rules: Vec<&'a Rule>, wide: bool },
}

impl Verdict<'_> {
    /// Whether both are the same return value.
    pub fn same(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Return(a), Self::Return(b)) if a == b)
    }
}

/// The rules of a profile, and the calls that they are about.
pub struct Profile {
    /// What a call gets that no rule holds for.
    pub default: u32,
    /// In the profile's order.
    rules: Vec<Rule>,
    calls: Vec<Call>,
}

/// A call that the profile names. Ranges and indices are of [`Profile::rules`].
struct Call {
    numbers: calls::Numbers,
    rules: Range<usize>,
    /// The call of i386 that carries this one, and the rule for it.
    multiplexed: Option<(u32, usize)>,
}

impl Profile {
    /// Reads the rules and finds the calls; a name that no ABI knows is passed over, as runc does:
    /// profiles name calls of other machines and of later kernels.
    pub fn new(profile: &LinuxSeccomp) -> Result<Self> {
        let default = actions::value(profile.default_action(), profile.default_errno_ret())?;
        let (mut rules, mut calls) = (Vec::new(), Vec::with_capacity(512));
        for entry in profile.syscalls().iter().flatten() {
            let first = rules.len();
            rules::of_entry(entry, &mut rules)?;
            let Rule { action, ref conditions } = rules[first];
            // Where the arguments lie behind a pointer, a rule about them can only hold for all or none:
            // for none if it would let more through than the default does.
            let carries_over = conditions.is_empty() || actions::harsher(action, default);
            if action == default {
                // Says nothing; runc leaves such rules out, so a rule with `args` about the same call stands.
                rules.truncate(first);
            }
            let own = first..rules.len();
            for name in entry.names() {
                let Some(numbers) = calls::find(name) else { continue };
                let carrier = calls::multiplexed(name).filter(|_| carries_over && !own.is_empty());
                let multiplexed = carrier.map(|(number, sub)| {
                    rules.push(Rule { action, conditions: vec![Condition::first_is(sub)] });
                    (number, rules.len() - 1)
                });
                calls.push(Call { numbers, rules: own.clone(), multiplexed });
            }
        }
        Ok(Self { default, rules, calls })
    }

    /// The number line of the ABIs that share one `AUDIT_ARCH_…`, lowest first. Covers every number.
    pub fn segments(&self, abis: &[Abi]) -> Vec<Segment<'_>> {
        let mut line = Line::default();
        for abi in abis {
            self.add(&mut line, *abi);
        }
        if abis == [abi::X86_64] {
            // A call of x32, which the profile does not cover.
            line.push(abi::X32_BIT, Verdict::Return(actions::BAD_ARCHITECTURE));
            // -1 is no call of x32: a tracer puts it there to have a call skipped.
            line.push(u32::MAX, Verdict::Return(self.default));
        }
        line.0
    }

    fn add<'a>(&'a self, line: &mut Line<'a>, abi: Abi) {
        // Number and rule in one integer, which sorts by number and then in the profile's order.
        let mut ruled: Vec<u64> = Vec::with_capacity(self.calls.len());
        let mut rule = |number: u32, rule: usize| ruled.push(u64::from(number) << 32 | rule as u64);
        let mut last = None;
        for call in &self.calls {
            if let Some(number) = call.numbers.get(abi.column) {
                last = last.max(Some(number));
                call.rules.clone().for_each(|i| rule(number, i));
            }
            if let Some((number, i)) = call.multiplexed
                && abi.multiplexes()
            {
                rule(number, i);
            }
        }
        ruled.sort_unstable();

        let default = Verdict::Return(self.default);
        line.push(abi.base, default.clone());
        for same in ruled.chunk_by(|a, b| a >> 32 == b >> 32) {
            let number = abi.base + (same[0] >> 32) as u32;
            let rules = || same.iter().map(|entry| &self.rules[*entry as u32 as usize]);
            // A rule without conditions wins over all that have some, wherever it stands (libseccomp).
            let verdict = match rules().find(|rule| rule.conditions.is_empty()) {
                Some(rule) => Verdict::Return(rule.action),
                None => Verdict::Check { rules: rules().collect(), wide: abi.wide },
            };
            line.push(number, verdict);
            line.push(number + 1, default.clone());
        }
        // Calls newer than the profile do not exist for the process, rather than being forbidden: C libraries
        // fall back to an older call on ENOSYS, and give up on EPERM. runc does this.
        if let Some(last) = last.filter(|_| !actions::lets_through(self.default)) {
            line.push(abi.base + last + 1, Verdict::Return(actions::NO_SUCH_CALL));
        }
    }
}

#[derive(Default)]
struct Line<'a>(Vec<Segment<'a>>);

impl<'a> Line<'a> {
    /// From `first` on, calls get `verdict`.
    fn push(&mut self, first: u32, verdict: Verdict<'a>) {
        if self.0.last().is_some_and(|s| s.first == first) {
            self.0.pop();
        }
        if !self.0.last().is_some_and(|s| s.verdict.same(&verdict)) {
            self.0.push(Segment { first, verdict });
        }
    }
}
