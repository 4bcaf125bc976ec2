//! The part of Go's text/template that docker's users write after `--format`.

mod eval;
mod functions;
mod go_format;
mod lexer;
mod parser;
mod place;
#[cfg(test)]
mod tests;

use crate::view::Headers;
use ctr_core::{Code, Error, Result, Value};

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<parser::Node>,
}

impl Template {
    /// Parses `text`, in which outside of actions the two characters `\t` and `\n` stand for tab and newline, as in
    /// docker's formats; the strings of actions have Go's escapes.
    ///
    /// # Errors
    /// `usage` for what is no template and for functions and keywords that are not there.
    pub fn parse(text: &str) -> Result<Self> {
        let nodes = parser::parse(lexer::lex(text)?)?;
        Ok(Self { nodes })
    }

    /// What the template prints for `record`.
    ///
    /// # Errors
    /// `invalid` where the record has not the field or the form that the template asks for.
    pub fn render(&self, record: &Value, printable: bool) -> Result<String> {
        eval::Eval::new(record, None, printable).run(&self.nodes)
    }

    /// What the template prints with the column title in the place of every field.
    ///
    /// # Errors
    /// `usage` for a field that the view does not have.
    pub fn header(&self, titles: &Headers) -> Result<String> {
        eval::Eval::new(&Value::Null, Some(titles), true).run(&self.nodes)
    }
}

/// An error in the template's text.
fn syntax(what: impl AsRef<str>) -> Error {
    Error::new(Code::Usage, format!("template: {}", what.as_ref()))
}

/// A record that the template does not fit.
fn misfit(what: impl AsRef<str>) -> Error {
    Error::new(Code::Invalid, format!("template: {}", what.as_ref()))
}
