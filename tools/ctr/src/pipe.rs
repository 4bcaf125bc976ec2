//! A pipe of tools as a line of shell.

use crate::quote::quote;
use std::fmt;

/// One tool with its arguments.
#[derive(Clone, Debug)]
pub struct Stage(Vec<String>);

impl Stage {
    /// The tool without arguments.
    pub fn new(tool: &str) -> Self {
        Self(vec![tool.to_owned()])
    }

    /// Adds words as they are.
    #[must_use]
    pub fn words(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }

    /// Whether a word is among its own.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|w| w == word)
    }

    /// Adds words if `on`.
    #[must_use]
    pub fn words_if<const N: usize>(self, on: bool, words: [&str; N]) -> Self {
        if on { self.words(words) } else { self }
    }

    /// Adds operands: `--` keeps one that begins with a hyphen from being read as a flag.
    #[must_use]
    pub fn operands(self, operands: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let operands: Vec<_> = operands.into_iter().map(|o| o.as_ref().to_owned()).collect();
        let escape = operands.iter().any(|o| o.starts_with('-') && o.len() > 1);
        self.words_if(escape, ["--"]).words(operands)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|word| quote(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// The stages joined by `|`.
pub fn pipe(stages: &[Stage]) -> String {
    stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(" | ")
}

/// A tool beside the pipe and the stage that prints what it finds; its status is told to that stage, for a shell
/// knows only the last one's.
pub fn printed(find: &Stage, print: &Stage) -> String {
    format!("{{ {find} || echo $?; }} | {print}")
}

/// The same where the second stage also shows what the first one says: on a screen that it draws anew nothing else stays.
pub fn printed_live(find: &Stage, print: &Stage) -> String {
    format!("{{ {find} 2>&1 || echo $?; }} | {print}")
}
