//! Platforms: which of an index's images runs here (image-spec, image-index.md; Go's words for them).

use ctr_core::{Code, Error, Result, Value};
use std::{env::consts::ARCH, fmt, str::FromStr};

/// Most platforms that an error lists.
const MAX_LISTED: usize = 16;
/// Longest part of a platform.
const MAX_WORD: usize = 32;

/// An operating system, an architecture, perhaps a variant of it: `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// `v7`, …; empty where none was said.
    pub variant: String,
}

impl Platform {
    /// This machine's.
    pub fn host() -> Self {
        Self::new("linux", ARCH, "")
    }

    /// With the words that are used for the same thing made one.
    fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
            ("x86_64" | "x86-64" | "amd64", v) => ("amd64", v),
            ("i386" | "i486" | "i586" | "i686" | "x86" | "386", _) => ("386", ""),
            ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64", ""),
            ("aarch64" | "arm64", v) => ("arm64", v),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            ("loongarch64", v) => ("loong64", v),
            ("powerpc64", "") if cfg!(target_endian = "little") => ("ppc64le", ""),
            other => other,
        };
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.to_owned() }
    }

    /// The `platform` of a descriptor, or an image config, which has the same keys; `None` where it names none,
    /// or one that is none: a stranger wrote it, and messages show it.
    pub fn of(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let (os, architecture, variant) = (text("os"), text("architecture"), text("variant"));
        let known = |word: &str| is_word(word) && word != "unknown";
        (known(&os) && known(&architecture) && (variant.is_empty() || is_word(&variant)))
            .then(|| Self::new(&os, &architecture, &variant))
    }

    /// How well an image for `offered` runs where `self` is wanted: 0 is best, `None` not at all.
    ///
    /// A variant runs what its elders run: arm v7 also v6 and v5, amd64 v3 also v2 and plain.
    pub fn rank(&self, offered: &Self) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        if self.variant == offered.variant {
            return Some(0);
        }
        self.level()?.checked_sub(offered.level()?)
    }

    /// The entry of an index for this platform; the first of the best.
    ///
    /// # Errors
    /// `not-found`, listing what the image is there for; `name` is what it is called.
    pub fn select<'a>(&self, index: &'a Value, name: &str) -> Result<&'a Value> {
        let entries = index.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let with_platform: Vec<(Self, &Value)> =
            entries.iter().filter_map(|entry| Some((Self::of(entry.get("platform")?)?, entry))).collect();
        let ranked = with_platform.iter().filter_map(|(offered, entry)| Some((self.rank(offered)?, *entry)));
        if let Some((_, entry)) = ranked.min_by_key(|(rank, _)| *rank) {
            return Ok(entry);
        }
        if let ([entry], true) = (entries, with_platform.is_empty()) {
            // One image of which no platform is said: there is nothing to choose, and its config will tell.
            return Ok(entry);
        }
        let mut offered: Vec<String> = with_platform.iter().map(|(p, _)| p.to_string()).collect();
        offered.sort();
        offered.dedup();
        let more = offered.len().saturating_sub(MAX_LISTED);
        offered.truncate(MAX_LISTED);
        let list = match (offered.is_empty(), more) {
            (true, _) => "none at all".to_owned(),
            (false, 0) => offered.join(", "),
            (false, more) => format!("{} and {more} more", offered.join(", ")),
        };
        Err(Error::new(Code::NotFound, format!("{name} has no image for {self}; it has {list}")))
    }

    /// The number of the variant; without one, the least of the architecture.
    fn level(&self) -> Option<u32> {
        let least = match self.architecture.as_str() {
            "amd64" => 10,
            "arm64" => 80,
            _ => return self.variant.strip_prefix('v')?.parse().ok().map(|n: u32| n * 10),
        };
        match self.variant.strip_prefix('v') {
            None => Some(least),
            // arm64 counts v8, v8.1, …, v9.
            Some(v) => {
                let (major, minor) = v.split_once('.').unwrap_or((v, "0"));
                Some(major.parse::<u32>().ok()?.min(99) * 10 + minor.parse::<u32>().ok()?.min(9))
            }
        }
    }
}

/// Whether a part of a platform has the form that all of Go's words have.
fn is_word(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(good)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        if !parts.iter().all(|part| is_word(part)) {
            return Err("expected OS/ARCH[/VARIANT]".to_owned());
        }
        match parts.as_slice() {
            ["linux"] => Ok(Self::host()),
            [architecture] => Ok(Self::new("linux", architecture, "")),
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err("expected OS/ARCH[/VARIANT]".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    fn rank(wanted: &str, offered: &str) -> Option<u32> {
        wanted.parse::<Platform>().unwrap().rank(&offered.parse().unwrap())
    }

    #[test]
    fn one_word_for_one_thing() {
        for (typed, shown) in [
            ("linux/x86_64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("Linux/ARM", "linux/arm/v7"),
            ("armel", "linux/arm/v6"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(typed.parse::<Platform>().unwrap().to_string(), shown);
        }
        for bad in ["", "/", "linux/", "a/b/c/d", "linux/am d64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_variant_runs_what_its_elders_run() {
        assert_eq!(rank("linux/arm/v7", "linux/arm/v7"), Some(0));
        assert!(rank("linux/arm/v7", "linux/arm/v6") < rank("linux/arm/v7", "linux/arm/v5"));
        assert_eq!(rank("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(rank("linux/amd64", "linux/amd64/v2"), None);
        assert!(rank("linux/amd64/v3", "linux/amd64").is_some());
        assert_eq!(rank("linux/arm64", "linux/arm/v7"), None);
        assert_eq!(rank("linux/arm64", "linux/arm64/v9"), None);
        assert_eq!(rank("linux/riscv64", "linux/riscv64"), Some(0));
        assert_eq!(rank("linux/amd64", "windows/amd64"), None);
    }

    #[test]
    fn attestations_and_nonsense_have_no_platform() {
        assert_eq!(Platform::of(&json!({"os": "unknown", "architecture": "unknown"})), None);
        assert_eq!(Platform::of(&json!({})), None);
        for word in ["a\u{1b}[2J", "a\nb", "a b", "ä", &"a".repeat(33)] {
            assert_eq!(Platform::of(&json!({"os": "linux", "architecture": word})), None, "{word:?}");
            assert_eq!(Platform::of(&json!({"os": "linux", "architecture": "arm", "variant": word})), None, "{word:?}");
        }
        let arm = Platform::of(&json!({"os": "linux", "architecture": "arm", "variant": "v6"})).unwrap();
        assert_eq!(arm.to_string(), "linux/arm/v6");
    }

    fn entry(digest: &str, platform: &str) -> Value {
        let p: Vec<&str> = platform.split('/').collect();
        json!({"digest": digest, "platform": {"os": p[0], "architecture": p[1], "variant": p.get(2).unwrap_or(&"")}})
    }

    fn chosen(entries: &[Value], platform: &str) -> Result<String> {
        let index = json!({"manifests": entries});
        platform.parse::<Platform>().unwrap().select(&index, "x").map(|e| e["digest"].as_str().unwrap().to_owned())
    }

    #[test]
    fn the_best_variant_wins_and_a_miss_says_what_there_is() {
        let all = [
            entry("5", "linux/arm/v5"),
            entry("a", "linux/amd64"),
            entry("6", "linux/arm/v6"),
            entry("u", "unknown/unknown"),
            entry("8", "linux/arm64/v8"),
        ];
        for (platform, digest) in [
            ("linux/amd64", "a"),
            ("linux/arm64", "8"),
            ("linux/arm/v7", "6"),
            ("linux/arm/v6", "6"),
            ("linux/arm/v5", "5"),
        ] {
            assert_eq!(chosen(&all, platform).unwrap(), digest, "{platform}");
        }
        let error = chosen(&all, "linux/s390x").unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.message.ends_with("it has linux/amd64, linux/arm/v5, linux/arm/v6, linux/arm64"), "{error}");
        assert!(chosen(&[], "linux/amd64").unwrap_err().message.ends_with("it has none at all"));
    }

    #[test]
    fn a_lone_image_without_platform_is_taken() {
        assert_eq!(chosen(&[json!({"digest": "x"})], "linux/amd64").unwrap(), "x");
        assert!(chosen(&[json!({"digest": "x"}), json!({"digest": "y"})], "linux/amd64").is_err());
    }
}
