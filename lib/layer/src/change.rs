//! What is said of a file that was added, changed or deleted.

use ctr_core::json;

/// One change.
#[derive(Debug)]
pub struct Change {
    /// `A`dded, `C`hanged or `D`eleted.
    pub kind: char,
    /// The path without the `/` that it begins with.
    pub path: Vec<u8>,
}

impl Change {
    /// docker's line. A name may hold a newline or what a terminal would obey: such characters are escaped.
    pub fn as_text(&self) -> String {
        let mut line = format!("{} /", self.kind);
        for c in String::from_utf8_lossy(&self.path).chars() {
            if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
        }
        line
    }

    /// A JSON line: `Kind`, `Path`.
    pub fn as_json(&self) -> String {
        let path = String::from_utf8_lossy(&self.path);
        json!({"Kind": self.kind.to_string(), "Path": format!("/{path}")}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Change;

    #[test]
    fn a_change_is_one_line() {
        let change = Change { kind: 'A', path: b"a\n\x1b[2J\xffb".to_vec() };
        assert_eq!(change.as_text(), "A /a\\n\\u{1b}[2J\u{fffd}b");
        assert_eq!(change.as_json(), "{\"Kind\":\"A\",\"Path\":\"/a\\n\\u001b[2J\u{fffd}b\"}");
    }
}
