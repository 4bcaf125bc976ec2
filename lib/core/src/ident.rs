//! Ids and names of containers.

use crate::{Code, Error, Result};
use std::fmt::Write;

/// 64 random hex digits: the id of a container.
pub fn new_id() -> String {
    hex(&random::<32>())
}

/// 16 random hex digits, for the names of files written aside.
pub fn token() -> String {
    hex(&random::<8>())
}

/// A name like `quiet_otter`, for a container that was given none.
pub fn random_name() -> String {
    let [a, b, c, d] = random::<4>();
    let pick =
        |list: &'static [&'static str], hi: u8, lo: u8| list[usize::from(u16::from_be_bytes([hi, lo])) % list.len()];
    format!("{}_{}", pick(ADJECTIVES, a, b), pick(NOUNS, c, d))
}

/// Checks a container's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, at most 253 bytes.
///
/// # Errors
/// `invalid` otherwise.
pub fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && name.len() <= 253;
    if good {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, format!("invalid name {name:?}"))
        .hint("a name is a letter or digit, then letters, digits, '_', '.', '-'"))
}

/// Whether `id` is an id of ours: 64 lower-case hex digits. Everything that becomes part of a path is asked this first.
pub fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The first twelve digits, as docker shows ids.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A container as messages call it: its name and the first digits of its id, or these alone.
pub fn called(id: &str, name: Option<&str>) -> String {
    name.map_or_else(|| short(id).to_owned(), |name| format!("{name} ({})", short(id)))
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // getrandom(2): up to 256 bytes come whole once the pool is ready, and it is long before any tool runs.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes
}

const ADJECTIVES: &[&str] = &[
    "agile", "amber", "azure", "brave", "bright", "brisk", "calm", "candid", "clever", "crisp", "curious", "deft",
    "eager", "early", "fair", "fleet", "fond", "gentle", "glad", "golden", "grand", "happy", "hardy", "humble",
    "jolly", "keen", "kind", "lively", "lucid", "lunar", "mellow", "merry", "mild", "neat", "nimble", "noble",
    "patient", "plain", "polite", "proud", "quick", "quiet", "ready", "rosy", "serene", "sharp", "silver", "sleek",
    "smart", "snug", "solar", "spry", "steady", "stout", "sturdy", "subtle", "sunny", "swift", "tidy", "vivid", "warm",
    "wise", "witty", "zesty",
];

const NOUNS: &[&str] = &[
    "acorn", "badger", "beacon", "beaver", "birch", "bison", "brook", "cedar", "cliff", "clover", "comet", "coral",
    "crane", "dolphin", "falcon", "fern", "finch", "fjord", "fox", "gecko", "glacier", "harbor", "hare", "heron",
    "ibis", "iris", "island", "ivy", "kestrel", "lagoon", "lark", "lichen", "lynx", "magpie", "maple", "marten",
    "meadow", "moose", "moth", "newt", "oak", "orchid", "osprey", "otter", "owl", "panda", "pebble", "pine", "plover",
    "puffin", "quail", "raven", "reef", "robin", "sparrow", "spruce", "stoat", "swan", "thistle", "tiger", "trout",
    "walnut", "willow", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_have_their_form() {
        assert!(is_id(&new_id()));
        assert!(!is_id("../../etc"));
        assert!(check_name(&random_name()).is_ok());
        for bad in ["", "-a", ".", "..", "a/b", "a b", "ü"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
