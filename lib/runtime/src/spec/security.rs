//! `--security-opt`, and the seccomp filter that comes of it.

use super::{Flags, capabilities};
use ctr_core::{Cannot, Code, Error, Map, Result, Value};
use std::{fs::File, io::Read, path::Path};

/// Most bytes of a profile file.
const MAX_PROFILE: u64 = 4 << 20;

/// What the options say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Security<'a> {
    /// `unconfined`, `builtin` or a file.
    seccomp: Option<&'a str>,
    /// A process gains nothing by set-user-ID programs (prctl(2), PR_SET_NO_NEW_PRIVS).
    pub no_new_privileges: Option<bool>,
    /// No path of /proc and /sys is hidden or read-only.
    pub system_paths_unconfined: bool,
}

impl<'a> Security<'a> {
    /// Parses the words, each `NAME=VALUE`, or `NAME:VALUE` as docker once had it.
    pub fn parse(words: &'a [String]) -> Result<Self> {
        let mut this = Self::default();
        for word in words {
            let (name, value) = word.split_once(['=', ':']).unwrap_or((word, ""));
            match (name, value) {
                ("seccomp", value) if !value.is_empty() => this.seccomp = Some(value),
                ("no-new-privileges", "" | "true") => this.no_new_privileges = Some(true),
                ("no-new-privileges", "false") => this.no_new_privileges = Some(false),
                ("systempaths", "unconfined") => this.system_paths_unconfined = true,
                // Neither module confines anything here, so there is nothing to turn off.
                ("apparmor", "unconfined") | ("label", "disable") => {}
                ("apparmor" | "label", _) => {
                    return Err(Error::new(Code::Unsupported, format!("security option {word:?}")));
                }
                _ => {
                    return Err(Error::new(Code::Invalid, format!("invalid security option {word:?}"))
                        .hint("seccomp=FILE|unconfined, no-new-privileges[=true|false], systempaths=unconfined"));
                }
            }
        }
        Ok(this)
    }

    /// Sets `linux.seccomp` for a container with the bounding set `bounding`. An option wins over `--privileged`,
    /// which has no filter; without either a filter that the document has stays.
    pub fn seccomp(&self, linux: &mut Map<String, Value>, flags: &Flags, bounding: &[&str]) -> Result<()> {
        let profile = match self.seccomp {
            Some("unconfined") => None,
            Some("builtin" | "default") => Some(ctr_seccomp::default_profile(bounding)),
            Some(path) => Some(from_file(Path::new(path), bounding)?),
            None if flags.privileged => None,
            None if linux.contains_key("seccomp") => return Ok(()),
            None => Some(ctr_seccomp::default_profile(bounding)),
        };
        match profile {
            None => {
                linux.shift_remove("seccomp");
            }
            Some(profile) => {
                let value = serde_json::to_value(&profile)
                    .map_err(|e| Error::new(Code::Internal, format!("cannot write the seccomp profile: {e}")))?;
                linux.insert("seccomp".to_owned(), value);
            }
        }
        Ok(())
    }
}

fn from_file(path: &Path, bounding: &[&str]) -> Result<oci_spec::runtime::LinuxSeccomp> {
    let what = || format!("read seccomp profile {}", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|f| f.take(MAX_PROFILE + 1).read_to_end(&mut bytes)).cannot(what)?;
    if bytes.len() as u64 > MAX_PROFILE {
        return Err(Error::new(Code::Limit, format!("cannot {}: it is over {} MiB", what(), MAX_PROFILE >> 20)));
    }
    ctr_seccomp::from_json(&bytes, bounding).map_err(|mut e| {
        e.message = format!("seccomp profile {}: {}", path.display(), e.message);
        e
    })
}

/// The bounding set that a `process` section names.
pub fn bounding_of(process: &Map<String, Value>) -> Vec<&'static str> {
    let named = process.get("capabilities").and_then(|c| c.get("bounding")).and_then(Value::as_array);
    let has = |name: &str| named.is_some_and(|list| list.iter().any(|n| n == name));
    capabilities::Set::ALL.names().into_iter().filter(|n| has(n)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn options() {
        let words = ["seccomp=/p.json", "no-new-privileges", "systempaths=unconfined", "apparmor=unconfined"];
        let words = words.map(str::to_owned);
        let expected =
            Security { seccomp: Some("/p.json"), no_new_privileges: Some(true), system_paths_unconfined: true };
        assert_eq!(Security::parse(&words).unwrap(), expected);
        for (word, privileges) in
            [("no-new-privileges:true", true), ("no-new-privileges=true", true), ("no-new-privileges=false", false)]
        {
            assert_eq!(Security::parse(&[word.to_owned()]).unwrap().no_new_privileges, Some(privileges));
        }
        for (word, code) in [
            ("seccomp", Code::Invalid),
            ("seccomp=", Code::Invalid),
            ("no-new-privileges=maybe", Code::Invalid),
            ("apparmor=docker-default", Code::Unsupported),
            ("nonsense=1", Code::Invalid),
        ] {
            assert_eq!(Security::parse(&[word.to_owned()]).unwrap_err().code, code, "{word}");
        }
    }
}
