//! One thing that is wrong.

use ctr_core::{Value, json};
use serde::Serialize;
use std::path::PathBuf;

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It is not what it was when it was written.
    Torn,
    /// Something names it, and it is not there.
    Missing,
    /// It is there, and nothing names it.
    Orphaned,
    /// It is there, and these tools call nothing so.
    Foreign,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// `index.json`.
    Index,
    /// An entry of the index.
    Image,
    /// A blob: a manifest, a config, a layer as it came.
    Blob,
    /// The tree of a layer.
    Layer,
    /// The directory of a container.
    Container,
    /// A container's name.
    Name,
    /// A JSON file about a container, a network or a volume.
    Record,
    /// What a killed process left.
    Leftover,
    /// A file that is somebody else's, or a directory.
    File,
}

/// A line of the output.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) state: State,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Who names it: references, containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) of: Vec<String>,
    pub(crate) reason: String,
    /// What was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repair: Option<String>,
}

impl Finding {
    pub(crate) fn new(state: State, kind: Kind, name: impl Into<String>, reason: impl Into<String>) -> Self {
        let (path, bytes, of) = (None, None, Vec::new());
        Self { state, kind, name: name.into(), path, bytes, of, reason: reason.into(), repair: None }
    }

    pub(crate) fn at(self, path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    pub(crate) fn of(self, of: impl IntoIterator<Item = String>) -> Self {
        Self { of: of.into_iter().collect(), ..self }
    }

    pub(crate) fn bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    pub(crate) fn is(&self, state: State, kind: Kind) -> bool {
        self.state == state && self.kind == kind
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is(other.state, other.kind) && self.name == other.name && self.path == other.path
    }

    /// What was tried did not help.
    pub(crate) fn stays(&mut self) {
        if !self.is_left() {
            self.repair = Some("no: it is as it was".to_owned());
        }
    }

    /// Whether nothing could be done about it.
    pub(crate) fn is_left(&self) -> bool {
        self.repair.as_deref().is_some_and(|done| done.starts_with("no:"))
    }

    pub(crate) fn line(&self) -> Value {
        json!(self)
    }
}
