//! Device rules (runtime-spec, config-linux.md, Allowed Device list) and what a list of them comes to.

use ctr_core::{Code, Error, Result, Value, json};
use serde::Deserialize;

/// Character or block devices, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Both.
    #[default]
    #[serde(rename = "a")]
    All,
    /// Character devices.
    #[serde(rename = "c", alias = "u")]
    Character,
    /// Block devices.
    #[serde(rename = "b")]
    Block,
}

/// To make a node, to open it for reading, for writing: bits, as the kernel numbers them (`BPF_DEVCG_ACC_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Access(pub u8);

impl Access {
    /// All three.
    pub const ALL: Self = Self(7);
    const LETTERS: [(char, u8); 3] = [('r', 2), ('w', 4), ('m', 1)];

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl TryFrom<String> for Access {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bit = |c| Self::LETTERS.iter().find(|(letter, _)| *letter == c).map(|(_, bit)| *bit);
        let bits = text.chars().map(bit).try_fold(0, |all, bit| Some(all | bit?));
        bits.map(Self).ok_or_else(|| format!("access {text:?} is not of the letters r, w and m"))
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Self::LETTERS.iter().filter(|(_, bit)| self.0 & bit != 0).try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// One rule of the list; a later one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Whether it allows.
    pub allow: bool,
    /// Which devices.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Their major number; any where there is none, or it is negative.
    pub major: Option<i64>,
    /// Their minor number, likewise.
    pub minor: Option<i64>,
    /// What; all where it is not said.
    pub access: Option<Access>,
}

/// docker's rules: any node may be made, and these character devices opened: null, zero, full, random, urandom, tty,
/// console, ptmx, the pts. They are `linux.resources.devices` of a container for which nothing else is said.
pub fn default_rules() -> Vec<Value> {
    const OPENED: [(u32, Option<u32>); 9] = [
        (1, Some(3)),
        (1, Some(5)),
        (1, Some(7)),
        (1, Some(8)),
        (1, Some(9)),
        (5, Some(0)),
        (5, Some(1)),
        (5, Some(2)),
        (136, None),
    ];
    let mut rules = vec![
        json!({"allow": false, "access": "rwm"}),
        json!({"allow": true, "type": "c", "access": "m"}),
        json!({"allow": true, "type": "b", "access": "m"}),
    ];
    rules.extend(OPENED.iter().map(|(major, minor)| match minor {
        Some(minor) => json!({"allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm"}),
        None => json!({"allow": true, "type": "c", "major": major, "access": "rwm"}),
    }));
    rules
}

/// Devices that are told from the rest, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Character devices, else block devices.
    pub character: bool,
    /// None: any.
    pub major: Option<u32>,
    /// None: any.
    pub minor: Option<u32>,
    /// What is allowed or denied.
    pub access: Access,
}

impl Exception {
    fn is_within(&self, other: &Self) -> bool {
        let within = |inner: Option<u32>, outer: Option<u32>| outer.is_none() || inner == outer;
        self.character == other.character && within(self.major, other.major) && within(self.minor, other.minor)
    }

    fn meets(&self, other: &Self) -> bool {
        let meets = |one: Option<u32>, two: Option<u32>| one.is_none() || two.is_none() || one == two;
        self.character == other.character && meets(self.major, other.major) && meets(self.minor, other.minor)
    }
}

/// What a list of rules comes to, in the only form that version 1 of the kernel has (security/device_cgroup.c): all or
/// nothing, and exceptions from that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Every device is allowed, but for the exceptions; else none but them.
    pub allow: bool,
    /// Which they are.
    pub exceptions: Vec<Exception>,
}

impl Verdict {
    /// Goes through the rules, first to last, from nothing allowed.
    ///
    /// # Errors
    /// `unsupported` for a rule that takes back a part of what one before it gave, such as one device of all of a major
    /// number: that has no such form.
    pub fn of(rules: &[Rule]) -> Result<Self> {
        let mut verdict = Self::default();
        for rule in rules {
            let access = rule.access.unwrap_or(Access::ALL);
            let (major, minor) = (number(rule.major)?, number(rule.minor)?);
            if rule.kind == Kind::All && major.is_none() && minor.is_none() && access == Access::ALL {
                verdict = Self { allow: rule.allow, exceptions: Vec::new() };
                continue;
            }
            for character in [true, false] {
                if matches!((rule.kind, character), (Kind::Block, true) | (Kind::Character, false)) {
                    continue;
                }
                let devices = Exception { character, major, minor, access };
                if rule.allow == verdict.allow { verdict.take_back(&devices)? } else { verdict.except(devices) }
            }
        }
        Ok(verdict)
    }

    fn except(&mut self, devices: Exception) {
        let same = self.exceptions.iter_mut().find(|e| e.is_within(&devices) && devices.is_within(e));
        match same {
            Some(same) => same.access.0 |= devices.access.0,
            None => self.exceptions.push(devices),
        }
    }

    fn take_back(&mut self, devices: &Exception) -> Result<()> {
        for exception in &mut self.exceptions {
            let takes = exception.access.0 & devices.access.0 != 0 && exception.meets(devices);
            if takes && !exception.is_within(devices) {
                return Err(Error::new(
                    Code::Unsupported,
                    format!(
                        "device rule {devices} takes back a part of rule {exception}, for which the kernel has no form"
                    ),
                ));
            }
            if takes {
                exception.access = exception.access.without(devices.access);
            }
        }
        self.exceptions.retain(|exception| exception.access.0 != 0);
        Ok(())
    }
}

fn number(number: Option<i64>) -> Result<Option<u32>> {
    match number {
        None | Some(..0) => Ok(None),
        Some(n) => {
            let fits = u32::try_from(n).map_err(|_| Error::new(Code::Invalid, format!("{n} is no device number")))?;
            Ok(Some(fits))
        }
    }
}

/// As version 1 writes and shows it: `c 1:3 rwm`.
impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        let kind = if self.character { 'c' } else { 'b' };
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.access)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn verdict(rules: Value) -> Result<Verdict> {
        Verdict::of(&Vec::<Rule>::deserialize(rules).unwrap())
    }

    fn shown(verdict: &Verdict) -> Vec<String> {
        verdict.exceptions.iter().map(Exception::to_string).collect()
    }

    #[test]
    fn the_default_is_a_list_of_what_is_allowed() {
        let verdict = verdict(Value::Array(default_rules())).unwrap();
        assert!(!verdict.allow);
        assert_eq!(shown(&verdict)[..4], ["c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm"]);
        assert_eq!(shown(&verdict)[10], "c 136:* rwm");
    }

    #[test]
    fn later_rules_win() {
        let all = json!({"allow": true, "access": "rwm"});
        let disk = json!({"allow": false, "type": "b", "major": 8, "minor": 0, "access": "w"});
        let both = verdict(json!([all, disk])).unwrap();
        assert!(both.allow && shown(&both) == ["b 8:0 w"]);
        assert_eq!(verdict(json!([disk, all])).unwrap(), Verdict { allow: true, exceptions: vec![] });
        let again = verdict(json!([all, disk, {"allow": true, "type": "b", "major": 8}])).unwrap();
        assert_eq!(shown(&again), Vec::<String>::new());
        let bits = verdict(json!([
            {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"},
            {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "m"},
            {"allow": false, "access": "w"}]));
        assert_eq!(shown(&bits.unwrap()), ["c 1:3 rm"]);
    }

    #[test]
    fn what_the_kernel_cannot_hold_is_refused() {
        let majors = json!({"allow": true, "type": "c", "major": 1});
        let one = json!({"allow": false, "type": "c", "major": 1, "minor": 3});
        assert_eq!(verdict(json!([majors, one])).unwrap_err().code, Code::Unsupported);
        // To make it is not among what was given.
        let read = json!([{"allow": true, "type": "c", "major": 1, "access": "r"},
            {"allow": false, "type": "c", "major": 1, "minor": 3, "access": "m"}]);
        assert_eq!(shown(&verdict(read).unwrap()), ["c 1:* r"]);
        assert!(verdict(json!([{"allow": true, "major": 1i64 << 40}])).is_err());
        assert!(serde_json_rule(json!({"allow": true, "access": "x"})).is_err());
    }

    fn serde_json_rule(rule: Value) -> Result<Rule, String> {
        Rule::deserialize(rule).map_err(|e| e.to_string())
    }
}
