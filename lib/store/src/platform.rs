//! Platforms: `os/architecture[/variant]`, and which manifest of an index is for one (image-spec, image-index.md).

use ctr_core::{Code, Error, Result, Value};
use std::fmt;

/// An operating system, an architecture and its variant, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v7` of `arm`, say.
    pub variant: Option<String>,
}

impl Platform {
    /// This machine's.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "arm" => ("arm", Some("v7")),
            "x86" => ("386", None),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Parses `os/architecture[/variant]`; `aarch64` and `x86_64` are understood too.
    ///
    /// # Errors
    /// `usage` where it has not that form.
    pub fn parse(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split('/').collect();
        let good = |w: &&str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        match words[..] {
            [os, arch, ..] if words.len() <= 3 && words.iter().all(good) => Ok(Self {
                os: os.to_owned(),
                architecture: match arch {
                    "x86_64" => "amd64".to_owned(),
                    "aarch64" => "arm64".to_owned(),
                    other => other.to_owned(),
                },
                variant: words.get(2).map(|v| (*v).to_owned()),
            }),
            _ => Err(Error::new(Code::Usage, format!("platform {text:?} is not OS/ARCH[/VARIANT]"))),
        }
    }

    /// The descriptor in `index` that is for this platform: the highest variant that runs here.
    ///
    /// # Errors
    /// `not-found`, listing the platforms that are there; `invalid` where it is no index.
    pub fn select<'a>(&self, index: &'a Value, name: &str) -> Result<&'a Value> {
        let list = index.get("manifests").and_then(Value::as_array);
        let list = list.ok_or_else(|| Error::new(Code::Invalid, format!("index of {name} has no manifests")))?;
        let mut fitting: Vec<(u32, &Value)> =
            list.iter().filter_map(|entry| Some((self.fits(entry.get("platform")?)?, entry))).collect();
        // The first of the best: an index lists what it prefers first.
        fitting.sort_by_key(|(variant, _)| std::cmp::Reverse(*variant));
        if let Some((_, entry)) = fitting.first() {
            return Ok(entry);
        }
        // An index of one image that says no platform is that image's.
        if let [only] = list.as_slice()
            && only.get("platform").is_none()
        {
            return Ok(only);
        }
        let there: Vec<String> = list
            .iter()
            .filter_map(|e| Self::of(e.get("platform")?))
            .filter(|p| p.os != "unknown")
            .map(|p| p.to_string())
            .collect();
        Err(Error::new(Code::NotFound, format!("image {name} is not there for {self}"))
            .hint(format!("it is there for {}", there.join(", "))))
    }

    fn of(value: &Value) -> Option<Self> {
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
        Some(Self { os: text("os")?, architecture: text("architecture")?, variant: text("variant") })
    }

    /// How well a platform of an index fits: its variant's number, `None` where it does not run here.
    fn fits(&self, value: &Value) -> Option<u32> {
        let other = Self::of(value)?;
        if other.os != self.os || other.architecture != self.architecture {
            return None;
        }
        let number = |v: Option<&str>| v.and_then(|v| v.trim_start_matches('v').parse().ok());
        // arm64 without a variant is v8, arm without one v7 (containerd's and docker's rule).
        let default = match self.architecture.as_str() {
            "arm64" => 8,
            "arm" => 7,
            _ => 1,
        };
        let wanted: u32 = number(self.variant.as_deref()).unwrap_or(default);
        let offered: u32 = match other.variant.as_deref() {
            None => default,
            Some(v) => number(Some(v))?,
        };
        (offered <= wanted).then_some(offered)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::json;

    #[test]
    fn the_highest_variant_that_runs_is_chosen() {
        let entry = |arch: &str, variant: Option<&str>| {
            let mut p = json!({"os": "linux", "architecture": arch});
            if let Some(v) = variant {
                p["variant"] = json!(v);
            }
            json!({"digest": format!("{arch}-{variant:?}"), "platform": p})
        };
        let index = json!({"manifests": [entry("amd64", None), entry("arm", Some("v5")), entry("arm", Some("v7")), entry("arm", Some("v6"))]});
        let pick = |text: &str| Platform::parse(text).unwrap().select(&index, "x").map(|e| e["digest"].clone());
        assert_eq!(pick("linux/amd64").unwrap(), json!("amd64-None"));
        assert_eq!(pick("linux/arm/v6").unwrap(), json!("arm-Some(\"v6\")"));
        assert_eq!(pick("linux/arm").unwrap(), json!("arm-Some(\"v7\")"));
        let error = pick("linux/s390x").unwrap_err();
        assert!(error.hint.unwrap().contains("linux/arm/v5"));
        assert!(Platform::parse("linux").is_err());
    }
}
