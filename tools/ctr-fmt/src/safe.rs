//! What may be printed of a stranger's words: labels and names come from images and would reach the terminal.

use ctr_core::trace;

/// Whether a character steers the terminal or begins a line: what `trace::clean` does not let pass.
fn steers(c: char) -> bool {
    // Between two others: at an end it takes away a space too.
    if c.is_ascii() { c.is_ascii_control() } else { !trace::clean(&format!("<{c}>"), 3).contains(c) }
}

/// The text with a space for each character that steers.
pub fn text(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// The same of text that a template has formatted: its lines and tabs stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// JSON with an escape for each character that steers, and so of the same value.
pub fn json(text: &str) -> String {
    // White space between values is no part of them; within a string JSON has it escaped already.
    let escaped = |c: char| if steers(c) && c != '\n' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = " a\u{1b}[1m\u{7}\u{7f}\u{9b}\u{202e}\u{feff}é\n\tb ";
        assert_eq!(text(hostile), " a [1m     é  b ");
        assert_eq!(lines(hostile), " a [1m     é\n\tb ");
        let value = serde_json::to_string(hostile).unwrap_or_default();
        let escaped = json(&value);
        assert!(escaped.contains("\\u009b\\u202e\\ufeffé") && escaped.contains("\\u007f"), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).ok().as_deref(), Some(hostile));
    }
}
