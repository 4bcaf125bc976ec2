//! Finding bytes eight at a time.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Marks, by its highest bit, each byte of `word` that is less than `limit` (at most 0x80). A byte above one that is
/// marked may be marked wrongly, for a subtraction borrows from it; the lowest mark is always right.
pub fn less(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHS
}

/// Marks each byte of `word` that is `byte`; the lowest mark is always right.
pub fn equal(word: u64, byte: u8) -> u64 {
    less(word ^ (ONES * u64::from(byte)), 1)
}

/// Index of the first byte that `marks` marks. It must not mark an `a`.
pub fn position(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let first = |word: [u8; 8]| {
        let marked = marks(u64::from_le_bytes(word));
        (marked != 0).then(|| marked.trailing_zeros() as usize / 8)
    };
    let (words, rest) = bytes.as_chunks();
    for (i, word) in words.iter().enumerate() {
        if let Some(n) = first(*word) {
            return Some(i * 8 + n);
        }
    }
    let mut last = [b'a'; 8];
    last[..rest.len()].copy_from_slice(rest);
    first(last).map(|n| words.len() * 8 + n)
}

/// Index of the first newline.
pub fn newline(bytes: &[u8]) -> Option<usize> {
    position(bytes, |word| equal(word, b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_wherever_it_is() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[at] = byte;
                assert_eq!(newline(&bytes), (byte == b'\n').then_some(at));
                assert_eq!(position(&bytes, |w| less(w, 0x20)), (byte < 0x20).then_some(at));
                assert_eq!(position(&bytes[..at], |w| less(w, 0x20)), None);
            }
        }
    }
}
