//! What `--network` says: a network by name, or a namespace that nothing is attached to.

use crate::network;
use ctr_core::{Cannot, Code, Error, Result, Value, container, json};
use std::{fs, path::Path};

/// One of its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A network.
    Named(String),
    /// A namespace of its own with loopback alone.
    None,
    /// The caller's own.
    Host,
    /// The one at this path.
    Path(String),
}

impl Mode {
    /// Reads docker's words: a name, `default`, `none`, `host`, `container:NAME`; and podman's `ns:PATH`.
    ///
    /// # Errors
    /// `invalid`, `not-found`; `unsupported` for what is not there yet.
    pub fn parse(word: &str) -> Result<Self> {
        if let Some(name) = word.strip_prefix("container:") {
            return container::namespace(name, "network", "net").map(Self::Path);
        }
        if let Some(path) = word.strip_prefix("ns:") {
            if !Path::new(path).is_absolute() {
                return Err(Error::new(
                    Code::Invalid,
                    format!("network namespace {path:?}: expected an absolute path"),
                ));
            }
            fs::metadata(path).cannot(|| format!("join the network namespace {path}"))?;
            return Ok(Self::Path(path.to_owned()));
        }
        match word {
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            "default" | "" => Ok(Self::Named(network::DEFAULT.to_owned())),
            name => network::check_name(name).map(|()| Self::Named(name.to_owned())),
        }
    }

    /// The entry of `spec.linux.namespaces` where nothing is attached to. That the namespace is the caller's own is said by
    /// its path, for in a spec that is not complete one that is left out is new.
    pub fn entry(&self) -> Value {
        match self {
            Self::Host => json!({"type": "network", "path": "/proc/self/ns/net"}),
            Self::Path(path) => json!({"type": "network", "path": path}),
            Self::None | Self::Named(_) => json!({"type": "network"}),
        }
    }
}
