//! Capabilities: docker's defaults, what is added and dropped, and the sets of a process (capabilities(7)).

use super::Flags;
use ctr_core::{Code, Error, Result, Value, json};

/// All that Linux has, each at its number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Docker's fourteen: what a container has unless it is told otherwise.
pub const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// A set of capabilities: bit n for number n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// What Linux has.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// What the caller may give away.
    pub fn own() -> Self {
        let permitted = rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits());
        Self(permitted & Self::ALL.0)
    }

    /// Those that `names` (`CAP_…`) name; one that Linux has not is none.
    pub fn of_names(names: &[String]) -> Self {
        let number = |name: &String| NAMES.iter().position(|n| n == name);
        Self(names.iter().filter_map(number).fold(0, |set, n| set | 1 << n))
    }

    /// Whether `name` (`CAP_…`) is in it.
    pub fn has(self, name: &str) -> bool {
        NAMES.iter().position(|n| *n == name).is_some_and(|n| self.0 & 1 << n != 0)
    }

    /// Its names, by number.
    pub fn names(self) -> Vec<&'static str> {
        NAMES.iter().enumerate().filter(|(n, _)| self.0 & 1 << n != 0).map(|(_, name)| *name).collect()
    }

    fn default_of(available: Self) -> Self {
        let bits = DEFAULT.iter().filter_map(|d| NAMES.iter().position(|n| n == d)).fold(0, |set, n| set | 1 << n);
        Self(bits & available.0)
    }
}

/// Whether a flag speaks of capabilities at all.
pub fn flagged(flags: &Flags) -> bool {
    flags.privileged || !flags.cap_add.is_empty() || !flags.cap_drop.is_empty()
}

/// The bounding set that the flags ask for, out of those `available`.
///
/// As docker has it: `--cap-add ALL` starts from all, `--cap-drop ALL` from none, and what is added by name
/// is there whatever was dropped.
///
/// # Errors
/// `invalid` for a name that is none, `denied` for an added one that the caller has not.
pub fn bounding(flags: &Flags, available: Set) -> Result<Set> {
    if flags.privileged {
        return Ok(available);
    }
    let (add, add_all) = parse(&flags.cap_add)?;
    let (drop, drop_all) = parse(&flags.cap_drop)?;
    let lacking = Set(add & !available.0);
    if let Some(name) = lacking.names().first() {
        return Err(Error::new(Code::Denied, format!("cannot add {name}: the caller does not have it")));
    }
    Ok(match (add_all, drop_all) {
        (true, _) => Set(available.0 & !drop | add),
        (false, true) => Set(add),
        (false, false) => Set(Set::default_of(available).0 & !drop | add),
    })
}

fn parse(words: &[String]) -> Result<(u64, bool)> {
    let (mut set, mut all) = (0, false);
    for word in words {
        let name = word.to_ascii_uppercase();
        if name == "ALL" || name == "CAP_ALL" {
            all = true;
            continue;
        }
        let bare = name.strip_prefix("CAP_").unwrap_or(&name);
        match NAMES.iter().position(|n| &n[4..] == bare) {
            Some(n) => set |= 1 << n,
            None => {
                return Err(Error::new(Code::Invalid, format!("unknown capability {word:?}"))
                    .hint("capabilities(7) lists them, with or without CAP_"));
            }
        }
    }
    Ok((set, all))
}

/// `process.capabilities`: inheritable and ambient stay empty; a user who is not root gets nothing but the bound,
/// which is what execve(2) would leave of more.
pub fn section(bounding: Set, root: bool) -> Value {
    let names = bounding.names();
    if root { json!({"bounding": names, "effective": names, "permitted": names}) } else { json!({"bounding": names}) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(add: &[&str], drop: &[&str], available: Set) -> Result<Vec<&'static str>> {
        let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let flags = Flags { cap_add: own(add), cap_drop: own(drop), ..Flags::default() };
        bounding(&flags, available).map(Set::names)
    }

    #[test]
    fn the_default_is_dockers_mask() {
        assert_eq!(bounding(&Flags::default(), Set::ALL).unwrap(), Set(0xa804_25fb));
    }

    #[test]
    fn add_and_drop_by_any_spelling() {
        assert_eq!(asked(&["net_admin"], &["ALL"], Set::ALL).unwrap(), ["CAP_NET_ADMIN"]);
        assert_eq!(asked(&[], &["cap_all"], Set::ALL).unwrap(), Vec::<&str>::new());
        assert_eq!(asked(&["ALL"], &[], Set::ALL).unwrap().len(), 41);
        assert_eq!(asked(&["ALL"], &["CAP_SYS_ADMIN"], Set::ALL).unwrap().len(), 40);
        assert_eq!(asked(&[], &["KILL", "CAP_CHOWN"], Set::ALL).unwrap().len(), 12);
        // What is added by name wins over what is dropped.
        assert!(asked(&["CHOWN"], &["CHOWN"], Set::ALL).unwrap().contains(&"CAP_CHOWN"));
    }

    #[test]
    fn what_the_caller_lacks() {
        let available = Set(Set::ALL.0 & !(1 << 24) & !(1 << 27));
        assert_eq!(asked(&["SYS_RESOURCE"], &[], available).unwrap_err().code, Code::Denied);
        assert!(!asked(&["ALL"], &[], available).unwrap().contains(&"CAP_SYS_RESOURCE"));
        assert!(!asked(&[], &[], available).unwrap().contains(&"CAP_MKNOD"), "a default that is not there is left out");
        assert_eq!(asked(&["SYS_NONSENSE"], &[], available).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn a_plain_user_keeps_the_bound_only() {
        assert_eq!(section(Set(1), false), json!({"bounding": ["CAP_CHOWN"]}));
        assert_eq!(section(Set(1), true)["effective"], json!(["CAP_CHOWN"]));
    }
}
