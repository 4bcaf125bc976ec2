//! The rules of a profile, read as runc and libseccomp read them.

use crate::actions;
use ctr_core::{Code, Error, Result};
use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

/// What is done with a call all of whose conditions hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The filter's return value, `SECCOMP_RET_…` with its data.
    pub action: u32,
    /// All must hold; none: the rule holds for every call.
    pub conditions: Vec<Condition>,
}

/// A comparison of one argument of the call, unsigned.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Which argument, 0 to 5.
    pub argument: u32,
    /// How it compares.
    pub op: LinuxSeccompOperator,
    /// What it is compared with.
    pub value: u64,
    /// The bits that are compared, for `SCMP_CMP_MASKED_EQ`.
    pub mask: u64,
}

impl Condition {
    /// That argument 0 equals `value`.
    pub fn first_is(value: u32) -> Self {
        Self { argument: 0, op: LinuxSeccompOperator::ScmpCmpEq, value: value.into(), mask: u64::MAX }
    }

    fn new(arg: LinuxSeccompArg, names: &[String]) -> Result<Self> {
        let argument = u32::try_from(arg.index()).ok().filter(|&i| i < 6).ok_or_else(|| {
            let name = names.first().map_or("", String::as_str);
            Error::new(Code::Invalid, format!("seccomp profile: {name}: argument {} is not one of 0 to 5", arg.index()))
        })?;
        let op = arg.op();
        let (value, mask) = match op {
            // The mask is `value`, the wanted bits `valueTwo`; bits outside the mask are no matter.
            LinuxSeccompOperator::ScmpCmpMaskedEq => (arg.value_two().unwrap_or(0) & arg.value(), arg.value()),
            _ => (arg.value(), u64::MAX),
        };
        Ok(Self { argument, op, value, mask })
    }
}

/// Adds the rules that one entry of the profile stands for to `rules`; at least one.
///
/// Conditions hold together, unless one argument has several: then each stands alone. That is how docker
/// came to read its profiles, and runc keeps it so.
pub fn of_entry(entry: &LinuxSyscall, rules: &mut Vec<Rule>) -> Result<()> {
    let action = actions::value(entry.action(), entry.errno_ret())?;
    let args = entry.args().as_deref().unwrap_or_default();
    let conditions = args.iter().map(|arg| Condition::new(*arg, entry.names())).collect::<Result<Vec<_>>>()?;
    let twice = conditions.iter().enumerate().any(|(i, a)| conditions[..i].iter().any(|b| a.argument == b.argument));
    if twice {
        rules.extend(conditions.into_iter().map(|c| Rule { action, conditions: vec![c] }));
    } else {
        rules.push(Rule { action, conditions });
    }
    Ok(())
}
