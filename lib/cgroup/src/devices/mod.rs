//! Which devices a group's processes may open and make: by files of version 1, by a program of version 2.

mod files;
mod program;
mod rules;

pub use rules::{Access, Kind, Rule, default_rules};

use crate::Groups;
use ctr_core::{Code, Error, Result};
use rules::Verdict;

/// Sets the rules to work; an empty list is none to set.
///
/// # Errors
/// `unsupported` for rules that the kernel has no form for, and where neither version is there; `denied`.
pub fn set(rules: &[Rule], groups: &Groups) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let verdict = Verdict::of(rules)?;
    match groups.of("devices") {
        Ok(group) => files::set(&verdict, group),
        Err(_) => program::set(&verdict, version_2(groups)?),
    }
}

/// Looks for rules that the kernel has no form for.
///
/// # Errors
/// `unsupported`, naming the rule.
pub fn foresee(rules: &[Rule]) -> Result<()> {
    Verdict::of(rules).map(drop)
}

/// What is wrong where other rules are at work.
///
/// # Errors
/// As [`set`].
pub fn differ(rules: &[Rule], groups: &Groups) -> Result<Option<Error>> {
    if rules.is_empty() {
        return Ok(None);
    }
    let verdict = Verdict::of(rules)?;
    match groups.of("devices") {
        Ok(group) => files::differ(&verdict, group),
        Err(_) => program::differ(&verdict, version_2(groups)?),
    }
}

/// Version 2 has no controller of that name; its tree takes programs.
fn version_2(groups: &Groups) -> Result<&crate::Group> {
    groups.list.iter().find(|group| group.hierarchy.version == 2).ok_or_else(|| {
        Error::new(Code::Unsupported, "controller devices is not mounted below /sys/fs/cgroup, nor is version 2")
    })
}
