//! The number line of an architecture: which calls get which verdict.

use crate::{
    abi::{self, Abi},
    actions, calls,
    rules::{self, Condition, Rule},
};
use ctr_core::Result;
use oci_spec::runtime::LinuxSeccomp;

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

/// The entries of a profile, with numbers looked up.
pub struct Profile {
    /// What a call gets that no rule holds for.
    pub default: u32,
    entries: Vec<Entry>,
}

struct Entry {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// Says what the default says anyway: runc leaves such entries out.
    idle: bool,
}

struct Call {
    numbers: calls::Numbers,
    multiplexed: Option<(u32, Rule)>,
}

impl Profile {
    /// Reads the rules and finds the calls; a name that no ABI knows is passed over, as runc does:
    /// profiles name calls of other machines and of later kernels.
    pub fn new(profile: &LinuxSeccomp) -> Result<Self> {
        let default = actions::value(profile.default_action(), profile.default_errno_ret())?;
        let mut entries = Vec::new();
        for entry in profile.syscalls().iter().flatten() {
            let rules = rules::of_entry(entry)?;
            let Some(first) = rules.first() else { continue };
            let (action, plain) = (first.action, first.conditions.is_empty());
            let calls = entry.names().iter().filter_map(|name| {
                let numbers = calls::find(name)?;
                // Where the arguments lie behind a pointer, a rule about them can only hold for all or none:
                // for none if it would let more through than the default does.
                let multiplexed = calls::multiplexed(name)
                    .filter(|_| plain || actions::harsher(action, default))
                    .map(|(number, sub)| (number, Rule { action, conditions: vec![Condition::first_is(sub)] }));
                Some(Call { numbers, multiplexed })
            });
            entries.push(Entry { calls: calls.collect(), idle: action == default, rules });
        }
        Ok(Self { default, entries })
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
        let mut last = None;
        let mut rules = Vec::with_capacity(512);
        for entry in &self.entries {
            for call in &entry.calls {
                let number = call.numbers.get(abi.column);
                last = last.max(number);
                if entry.idle {
                    continue;
                }
                if let Some(number) = number {
                    rules.extend(entry.rules.iter().map(|rule| (number, rule)));
                }
                if let Some((number, rule)) = call.multiplexed.as_ref().filter(|_| abi.multiplexes()) {
                    rules.push((*number, rule));
                }
            }
        }
        rules.sort_by_key(|(number, _)| *number);

        let default = Verdict::Return(self.default);
        line.push(abi.base, default.clone());
        for same in rules.chunk_by(|a, b| a.0 == b.0) {
            let number = abi.base + same[0].0;
            // A rule without conditions wins over all that have some, wherever it stands (libseccomp).
            let verdict = match same.iter().find(|(_, rule)| rule.conditions.is_empty()) {
                Some((_, rule)) => Verdict::Return(rule.action),
                None => Verdict::Check { rules: same.iter().map(|(_, rule)| *rule).collect(), wide: abi.wide },
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
