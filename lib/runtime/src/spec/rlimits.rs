//! `process.rlimits` from `--ulimit NAME=SOFT[:HARD]` (setrlimit(2)).

use super::capabilities::Set;
use ctr_core::{Code, Error, Result, Value, json};
use rustix::process::{Resource, getrlimit};

const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// Adds each of `words` to the list, in place of one of the same name.
///
/// # Errors
/// `invalid` for a word that is no limit, `denied` for a hard limit that the caller may not raise.
pub fn complete(limits: &mut Vec<Value>, words: &[String]) -> Result<()> {
    for word in words {
        let limit = parse(word)?;
        limits.retain(|l| l["type"] != limit["type"]);
        limits.push(limit);
    }
    Ok(())
}

fn parse(word: &str) -> Result<Value> {
    let bad = |why: &str| {
        Error::new(Code::Invalid, format!("invalid ulimit {word:?}: {why}")).hint("expected NAME=SOFT[:HARD]")
    };
    let (name, values) = word.split_once('=').ok_or_else(|| bad("it has no '='"))?;
    let resource = NAMES.iter().find(|(n, _)| *n == name).map(|(_, r)| *r).ok_or_else(|| bad("no such limit"))?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |s: &str| match s {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ if s.bytes().all(|b| b.is_ascii_digit()) => s.parse().map_err(|_| bad("a value is not a number")),
        _ => Err(bad("a value is not a number")),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err(bad("the soft limit is over the hard one"));
    }
    let now = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    if hard > now && !Set::own().has("CAP_SYS_RESOURCE") {
        return Err(Error::new(
            Code::Denied,
            format!("cannot raise the hard limit of {name} from {now} to {values}: the caller lacks CAP_SYS_RESOURCE"),
        ));
    }
    Ok(json!({"type": format!("RLIMIT_{}", name.to_ascii_uppercase()), "hard": hard, "soft": soft}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(parse("nofile=64:128").unwrap(), json!({"type": "RLIMIT_NOFILE", "hard": 128, "soft": 64}));
        assert_eq!(parse("core=0").unwrap(), json!({"type": "RLIMIT_CORE", "hard": 0, "soft": 0}));
        for bad in ["nofile", "nofile=", "nofile=a", "nofile=2:1", "no=1", "nofile=1:2:3", "nofile=+1", "=1", "core=-2"]
        {
            assert_eq!(parse(bad).unwrap_err().code, Code::Invalid, "{bad}");
        }
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let mut limits = vec![];
        complete(&mut limits, &["core=0".to_owned(), "nofile=8".to_owned(), "core=1:2".to_owned()]).unwrap_or(());
        let own = getrlimit(Resource::Core).maximum.unwrap_or(u64::MAX);
        if own >= 2 {
            assert_eq!(limits.len(), 2);
            assert_eq!(limits[1], json!({"type": "RLIMIT_CORE", "hard": 2, "soft": 1}));
        }
    }
}
