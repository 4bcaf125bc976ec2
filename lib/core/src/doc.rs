//! The document: an ordered JSON object whose unknown keys pass through untouched.

use crate::{Code, DOCUMENT_VERSION, Error, Result};
use serde::{Deserialize, Serialize, Serializer as _, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};

/// One document of `ctr-document(5)`. Keys keep their order; keys nobody knows are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Map<String, Value>);

impl Default for Document {
    fn default() -> Self {
        Self(Map::from_iter([("ctr".to_owned(), json!(DOCUMENT_VERSION))]))
    }
}

impl Document {
    /// Checks that `value` is a document this version reads.
    ///
    /// # Errors
    /// `invalid` if it is no document, `version` if it is of a later one.
    pub fn from_value(value: Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(Error::new(Code::Invalid, "input is not a document: it is JSON, but not an object"));
        };
        match map.get("ctr").and_then(Value::as_u64) {
            Some(v) if (1..=DOCUMENT_VERSION).contains(&v) => Ok(Self(map)),
            Some(v) if v > DOCUMENT_VERSION => Err(Error::new(
                Code::Version,
                format!("document has version {v}, this tool reads up to {DOCUMENT_VERSION}"),
            )
            .hint("use tools of one release in a pipe")),
            _ => Err(Error::new(Code::Invalid, "input is not a document: it has no \"ctr\" version number")),
        }
    }

    /// The value under a top-level key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value under a top-level key, made as an empty object where it is missing.
    pub fn object(&mut self, key: &str) -> Result<&mut Map<String, Value>> {
        self.0
            .entry(key)
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .ok_or_else(|| Error::new(Code::Invalid, format!("document: {key} is not an object")))
    }

    /// The string under a top-level key.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The entries of `spec.mounts`; none where there is no such list.
    pub fn mounts(&self) -> &[Value] {
        let mounts = self.0.get("spec").and_then(|spec| spec.get("mounts")).and_then(Value::as_array);
        mounts.map_or(&[], Vec::as_slice)
    }

    /// The section `key` as its type; `None` where the document has none.
    ///
    /// # Errors
    /// `invalid`, naming the section, if it does not have its form.
    pub fn section<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => T::deserialize(v)
                .map(Some)
                .map_err(|e| Error::new(Code::Invalid, format!("document: section {key}: {e}"))),
        }
    }

    /// The section `key`, which the tool cannot do without; `from` names the tool that writes it.
    ///
    /// # Errors
    /// `invalid` where it is missing or does not have its form.
    pub fn need<T: DeserializeOwned>(&self, key: &str, from: &str) -> Result<T> {
        self.section(key)?.ok_or_else(|| {
            Error::new(Code::Invalid, format!("document has no {key}")).hint(format!("put {from} before this tool"))
        })
    }

    /// Sets a top-level key.
    pub fn set<T: Serialize>(&mut self, key: &str, value: &T) -> Result<()> {
        let value = serde_json::to_value(value)
            .map_err(|e| Error::new(Code::Internal, format!("cannot write section {key}: {e}")))?;
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// Takes a top-level key away, keeping the order of the rest.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// Records what `tool` did, for its undo.
    pub fn push_step(&mut self, tool: &str, undo: Value) {
        let steps = self.0.entry("steps").or_insert_with(|| json!([]));
        if let Some(list) = steps.as_array_mut() {
            list.push(json!({"tool": tool, "undo": undo}));
        }
    }

    /// The steps done so far, first to last.
    pub fn steps(&self) -> Result<Vec<Step>> {
        Ok(self.section("steps")?.unwrap_or_default())
    }

    /// Replaces the list of steps; an empty one is left out.
    pub fn set_steps(&mut self, steps: &[Step]) -> Result<()> {
        if steps.is_empty() {
            self.remove("steps");
            return Ok(());
        }
        self.set("steps", &steps)
    }

    /// Makes the changes that lead from `before` to `after`, top-level key by key; `steps` and `error` are left alone.
    pub fn change(&mut self, before: &Self, after: &Self) {
        for key in before.0.keys().chain(after.0.keys()).filter(|key| !matches!(key.as_str(), "steps" | "error")) {
            match (before.0.get(key), after.0.get(key)) {
                (old, new) if old == new => {}
                (_, None) => drop(self.0.shift_remove(key)),
                (_, Some(new)) => drop(self.0.insert(key.clone(), new.clone())),
            }
        }
    }

    /// Whether this is an interim document (`--stream`).
    pub fn is_partial(&self) -> bool {
        self.0.get("partial") == Some(&Value::Bool(true))
    }

    /// Adds the `error` section of `ctr-document(5)`.
    pub fn set_error(&mut self, tool: &str, error: &Error) {
        let mut section = json!({"tool": tool, "code": error.code, "message": error.message});
        if let Some(hint) = &error.hint {
            section["hint"] = json!(hint);
        }
        section["exit"] = json!(error.exit);
        self.0.insert("error".to_owned(), section);
    }

    /// The exit status that a document with an error asks for; `None` without one.
    pub fn error_exit(&self) -> Option<u8> {
        let error = self.0.get("error").filter(|e| !e.is_null())?;
        let exit = error.get("exit").and_then(Value::as_u64).unwrap_or(1);
        Some(u8::try_from(exit).ok().filter(|e| *e != 0).unwrap_or(1))
    }

    /// Changes the exit status that a document with an error asks for.
    pub fn set_error_exit(&mut self, exit: u8) {
        if let Some(error) = self.0.get_mut("error").and_then(Value::as_object_mut) {
            error.insert("exit".to_owned(), json!(exit));
        }
    }

    /// The document as one line without its newline.
    pub fn to_line(&self) -> String {
        // Only keys that are no strings and values with code of their own can fail to be written: here are none.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The same, with another value of one of its keys.
    pub fn to_line_with(&self, key: &str, value: &Value) -> String {
        let pairs = self.0.iter().map(|(k, v)| (k, if k == key { value } else { v }));
        let mut line = Vec::new();
        match serde_json::Serializer::new(&mut line).collect_map(pairs) {
            Ok(()) => String::from_utf8(line).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The document as a JSON value.
    pub fn as_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Writes the document to stdout: one line, indented only where stdout is a terminal.
    pub fn print(&self) -> io::Result<()> {
        let out = io::stdout();
        let mut text = if out.is_terminal() {
            serde_json::to_string_pretty(&self.0).map_err(io::Error::other)?
        } else {
            self.to_line()
        };
        text.push('\n');
        let mut out = out.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes an interim document (`"partial": true`) as one line.
    pub fn print_partial(&self) -> io::Result<()> {
        let mut interim = self.clone();
        interim.0.insert("partial".to_owned(), json!(true));
        let mut out = io::stdout().lock();
        writeln!(out, "{}", interim.to_line())?;
        out.flush()
    }
}

/// One entry of `steps`: what a tool did, in the words its undo needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The tool's name.
    pub tool: String,
    /// What its `--undo` needs, and nothing else does.
    #[serde(default)]
    pub undo: Value,
    /// Keys of later versions.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
