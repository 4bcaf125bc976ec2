//! Text as the inside of a JSON string (RFC 8259, section 7).

use crate::scan::{equal, less, position};

/// Appends `bytes` to `to`, escaped; what is not UTF-8 becomes U+FFFD. It grows by six bytes a byte at most.
pub fn append(bytes: &[u8], to: &mut Vec<u8>) {
    if let Ok(text) = str::from_utf8(bytes) {
        return escaped(text.as_bytes(), to);
    }
    for chunk in bytes.utf8_chunks() {
        escaped(chunk.valid().as_bytes(), to);
        if !chunk.invalid().is_empty() {
            to.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Runs of bytes that stand for themselves are copied at once.
fn escaped(mut text: &[u8], to: &mut Vec<u8>) {
    while let Some(plain) = position(text, |word| less(word, 0x20) | equal(word, b'"') | equal(word, b'\\')) {
        to.extend_from_slice(&text[..plain]);
        let byte = text[plain];
        match byte {
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', byte]),
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            _ => {
                let hex = b"0123456789abcdef";
                let digits = [hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]];
                to.extend_from_slice(b"\\u00");
                to.extend_from_slice(&digits);
            }
        }
        text = &text[plain + 1..];
    }
    to.extend_from_slice(text);
}

/// How much of `bytes` can be cut off without parting a character from its last bytes.
pub fn whole(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        // A character's first byte tells its length (RFC 3629, section 3).
        let length = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        return if back + 1 < length { bytes.len() - back - 1 } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_json_parser_reads_is_what_was_written() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], &all[..128], "é\u{7f}漢\u{2028}\"\\/🦀\r\n\t".as_bytes(), b"a\xf0\x9f\xa6", b""] {
            let mut text = b"\"".to_vec();
            append(bytes, &mut text);
            text.push(b'"');
            assert_eq!(serde_json::from_slice::<String>(&text).unwrap(), String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_character_is_not_cut() {
        let text = "aé漢🦀";
        for end in 0..=text.len() {
            let bytes = &text.as_bytes()[..end];
            let boundary = (0..=end).rev().find(|n| text.is_char_boundary(*n)).unwrap();
            assert_eq!(whole(bytes), boundary);
        }
        for stray in [&b"\x80\x80\x80\x80"[..], b"a\xff\x80\x80\x80", b""] {
            assert_eq!(whole(stray), stray.len());
        }
    }
}
