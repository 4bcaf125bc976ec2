//! docker's filters of volumes.

use ctr_core::{Code, Error, Result};
use ctr_docker::name_filter;
use ctr_vol::Volume;

/// Those that all have to match.
#[derive(Debug)]
pub struct Filters(Vec<(String, String)>);

impl Filters {
    /// Reads `KEY=VALUE` words whose keys are among `keys`.
    ///
    /// # Errors
    /// `usage` for another.
    pub fn parse(words: &[String], keys: &[&str]) -> Result<Self> {
        let one = |word: &String| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            // label!=KEY: those that have it not.
            let bare = key.strip_suffix('!').filter(|key| *key == "label").unwrap_or(key);
            if keys.contains(&bare) {
                return Ok((key.to_owned(), value.to_owned()));
            }
            let known: Vec<_> = keys.iter().map(|key| format!("{key}=")).collect();
            Err(Error::new(Code::Usage, format!("filter {word:?} is none")).hint(known.join(", ")))
        };
        words.iter().map(one).collect::<Result<_>>().map(Self)
    }

    /// Whether a volume passes.
    ///
    /// # Errors
    /// `usage` for a value that there is not; those of the records of containers.
    pub fn match_all(&self, volume: &Volume) -> Result<bool> {
        for (key, value) in &self.0 {
            let matches = match &**key {
                "name" => name_filter(value)?.is_match(&volume.name),
                "driver" => value == "local",
                "label" => has_label(volume, value),
                "label!" => !has_label(volume, value),
                "all" => true,
                _ => {
                    let wanted = match &**value {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(Error::new(Code::Usage, format!("dangling is true or false, not {value:?}"))),
                    };
                    ctr_vol::users(&volume.name)?.is_empty() == wanted
                }
            };
            if !matches {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `all=true` is among them.
    pub fn all(&self) -> bool {
        self.0.iter().any(|(key, value)| key == "all" && matches!(value.as_str(), "true" | "1"))
    }
}

fn has_label(volume: &Volume, word: &str) -> bool {
    let (key, wanted) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
    volume.labels.get(key).is_some_and(|has| wanted.is_none_or(|wanted| has == wanted))
}
