//! docker's filters for pruning.

use crate::{LabelFilter, labels, parse_time};
use ctr_core::{Code, Document, Error, Map, Result, Value};
use jiff::Timestamp;

/// What a thing must be to go.
#[derive(Debug, Default)]
pub struct PruneFilters {
    /// Created before this.
    until: Option<Timestamp>,
    /// It has all of these.
    with: Vec<LabelFilter>,
    /// It has not all of these.
    without: Vec<LabelFilter>,
}

impl PruneFilters {
    /// Parses `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`.
    ///
    /// # Errors
    /// `usage` for what is no filter, and for a second `until`.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut filters = Self::default();
        for word in words {
            let usage = |why: &str| Error::new(Code::Usage, format!("filter {word:?}: {why}"));
            match word.split_once('=').ok_or_else(|| usage("KEY=VALUE is expected"))? {
                ("until", _) if filters.until.is_some() => return Err(usage("there is one until already")),
                ("until", time) => {
                    filters.until = Some(parse_time(time, Timestamp::now()).map_err(|e| usage(&e.message))?);
                }
                ("label", label) => filters.with.push(LabelFilter::parse(label)),
                ("label!", label) => filters.without.push(LabelFilter::parse(label)),
                _ => return Err(usage("the keys are until, label, label!")),
            }
        }
        Ok(filters)
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.until.is_none() && self.with.is_empty() && self.without.is_empty()
    }

    /// Whether the container passes them all.
    ///
    /// # Errors
    /// `invalid` where the document's labels are no object.
    pub fn match_container(&self, doc: &Document) -> Result<bool> {
        Ok(self.matches(doc.str("created"), &labels(doc)?))
    }

    /// Whether a thing of that time (RFC 3339) and these labels passes them all.
    pub fn matches(&self, created: Option<&str>, labels: &Map<String, Value>) -> bool {
        let created = created.and_then(|time| time.parse::<Timestamp>().ok());
        let early = self.until.is_none_or(|until| created.is_some_and(|created| created <= until));
        let all = |filters: &[LabelFilter]| filters.iter().all(|filter| filter.matches(labels));
        early && all(&self.with) && (self.without.is_empty() || !all(&self.without))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_passes_all_filters() {
        let mut doc = Document::default();
        doc.set("created", &"2026-11-25T10:00:00Z").unwrap();
        doc.set("labels", &ctr_core::json!({"a": "1", "b": "2"})).unwrap();
        for (words, passes) in [
            (&[][..], true),
            (&["until=2026-11-25T10:00:00Z"], true),
            (&["until=2026-11-25T09:59:59Z"], false),
            (&["label=a", "label=b=2"], true),
            (&["label=a", "label=c"], false),
            (&["label!=a"], false),
            (&["label!=c"], true),
            (&["label!=a", "label!=c"], true),
        ] {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(PruneFilters::parse(&words).unwrap().match_container(&doc).unwrap(), passes, "{words:?}");
        }
        for bad in [&["until"][..], &["until=x"], &["name=x"], &["until=1h", "until=2h"]] {
            let words: Vec<_> = bad.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(PruneFilters::parse(&words).err().unwrap().code, Code::Usage, "{words:?}");
        }
    }
}
