//! docker's filters for images.

use crate::{Listed, usage};
use ctr_core::Result;
use ctr_docker::{LabelFilter, parse_time};
use ctr_store::Store;

/// One `--filter`.
pub(crate) enum Filter {
    Reference(String),
    Dangling(bool),
    Label(LabelFilter),
    Until(jiff::Timestamp),
    Before(Option<jiff::Timestamp>),
    Since(Option<jiff::Timestamp>),
}

impl Filter {
    pub fn parse(text: &str, store: &Store, images: &[Listed]) -> Result<Self> {
        let (key, value) = text.split_once('=').ok_or_else(|| usage(text, "KEY=VALUE is expected"))?;
        let created = || {
            let entry = store.find(value)?;
            Ok(images.iter().find(|i| i.image.id.as_deref() == entry.id()).and_then(|i| i.created))
        };
        match key {
            "reference" => Ok(Self::Reference(value.to_owned())),
            "dangling" => match value {
                "true" | "1" => Ok(Self::Dangling(true)),
                "false" | "0" => Ok(Self::Dangling(false)),
                _ => Err(usage(text, "true or false is expected")),
            },
            "label" => Ok(Self::Label(LabelFilter::parse(value))),
            "until" => {
                let until = parse_time(value, jiff::Timestamp::now()).map_err(|e| usage(text, &e.message))?;
                Ok(Self::Until(until))
            }
            "before" => created().map(Self::Before),
            "since" => created().map(Self::Since),
            _ => Err(usage(text, "the keys are reference, dangling, label, before, since, until")),
        }
    }

    fn matches(&self, listed: &Listed) -> bool {
        match self {
            Self::Reference(pattern) => listed.reference.as_ref().is_some_and(|r| {
                let name = r.familiar_name();
                let tagged = format!("{name}:{}", r.tag.as_deref().unwrap_or_default());
                glob(pattern, &name) || glob(pattern, &tagged) || glob(pattern, &r.to_string())
            }),
            Self::Dangling(wanted) => listed.reference.is_none() == *wanted,
            Self::Label(filter) => {
                listed.image.config["config"]["Labels"].as_object().is_some_and(|labels| filter.matches(labels))
            }
            Self::Until(time) => listed.created.is_some_and(|created| created < *time),
            Self::Before(time) => listed.created < *time,
            Self::Since(time) => listed.created > *time,
        }
    }
}

/// Whether the image passes: all filters must, but of several references one is enough, as in docker.
pub(crate) fn all(filters: &[Filter], listed: &Listed) -> bool {
    let (references, rest): (Vec<_>, Vec<_>) = filters.iter().partition(|f| matches!(f, Filter::Reference(_)));
    rest.iter().all(|f| f.matches(listed)) && (references.is_empty() || references.iter().any(|f| f.matches(listed)))
}

/// Shell patterns of `*` and `?`, which do not match a slash (Go's path.Match, as docker has it).
fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), next) => {
            glob(&pattern[1..], text) || next.is_some_and(|c| c != '/' && glob(pattern, &text[c.len_utf8()..]))
        }
        (Some('?'), Some(c)) if c != '/' => glob(&pattern[1..], &text[c.len_utf8()..]),
        (Some(p), Some(c)) if p == c => glob(&pattern[p.len_utf8()..], &text[c.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_stop_at_a_slash() {
        assert!(glob("busy*", "busybox"));
        assert!(glob("*:l?test", "busybox:latest"));
        assert!(!glob("*", "a/b"));
        assert!(glob("*/*", "a/b"));
        assert!(!glob("busybox", "busybox:latest"));
    }
}
