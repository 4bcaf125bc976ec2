//! The keys that detach, among those that are typed.

use ctr_core::{Code, Error, Result};

/// The sequence, and how much of it was typed last.
pub struct Keys {
    sequence: Vec<u8>,
    seen: usize,
}

impl Keys {
    /// docker's form: letters and `ctrl-X`, with commas between; the empty string is none.
    ///
    /// # Errors
    /// `usage` for what is no key.
    pub fn parse(text: &str) -> Result<Self> {
        let mut sequence = Vec::new();
        for key in text.split(',').filter(|_| !text.is_empty()) {
            let byte = match (key.as_bytes(), key.strip_prefix("ctrl-").map(str::as_bytes)) {
                ([byte], _) => *byte,
                (_, Some([byte @ b'a'..=b'z'])) => byte - b'a' + 1,
                (_, Some([byte @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')])) => byte & 0x1f,
                _ => {
                    return Err(Error::new(Code::Usage, format!("invalid detach key {key:?}"))
                        .hint("a character, or ctrl- with one of a-z @ [ \\ ] ^ _"));
                }
            };
            sequence.push(byte);
        }
        Ok(Self { sequence, seen: 0 })
    }

    /// What of `typed` is for the container, and whether the sequence was completed.
    pub fn filter(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.sequence.get(self.seen) == Some(byte) {
                self.seen += 1;
                if self.seen == self.sequence.len() {
                    return (out, true);
                }
                continue;
            }
            // It was not the sequence after all: what was held back of it was for the container.
            out.extend_from_slice(&self.sequence[..self.seen]);
            self.seen = usize::from(self.sequence.first() == Some(byte));
            if self.seen == 0 {
                out.push(*byte);
            }
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sequence_detaches_and_its_parts_do_not() {
        let mut keys = Keys::parse("ctrl-p,ctrl-q").unwrap();
        assert_eq!(keys.filter(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!(keys.filter(b"b"), (b"\x10b".to_vec(), false));
        assert_eq!(keys.filter(b"\x10\x10x"), (b"\x10\x10x".to_vec(), false));
        assert_eq!(keys.filter(b"x\x10\x11y"), (b"x".to_vec(), true));
        assert_eq!(Keys::parse("").unwrap().filter(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
        assert_eq!(Keys::parse("ctrl-],x").unwrap().sequence, [0x1d, b'x']);
        for bad in ["ctrl-", "ctrl-A", "ab", "a,,b"] {
            assert!(Keys::parse(bad).is_err(), "{bad}");
        }
    }
}
