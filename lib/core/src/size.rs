//! Sizes as people write them.

use crate::{Code, Error, Result};

/// The bytes of a size with docker's suffixes, powers of 1024: `64m`, `1.5g`, `512kb`, `2GiB`, `4096`.
///
/// # Errors
/// `invalid` for what is no size, for 0 and for what does not fit.
pub fn parse_size(word: &str) -> Result<u64> {
    let bad = || Error::new(Code::Invalid, format!("invalid size {word:?}")).hint("a number with b, k, m or g");
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (digits, suffix) = word.split_at(end);
    let shift = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(bad()),
    };
    let bytes = if shift > 0 && digits.contains('.') && digits.starts_with(|c: char| c.is_ascii_digit()) {
        // Exact for all that has so few digits that a person writes it.
        let bytes = digits.parse::<f64>().map_err(|_| bad())? * (1u64 << shift) as f64;
        Some(bytes as u64).filter(|_| bytes < 9e18)
    } else {
        digits.parse::<u64>().map_err(|_| bad())?.checked_mul(1 << shift)
    };
    bytes.filter(|n| *n > 0).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes() {
        for (word, bytes) in
            [("1", 1), ("64m", 64 << 20), ("2GiB", 2 << 30), ("512KB", 512 << 10), ("7b", 7), ("1.5g", 3 << 29)]
        {
            assert_eq!(parse_size(word).unwrap(), bytes);
        }
        for bad in ["", "0", "m", "-1", "1x", "99999999999999999999", "99999999999999t", "1.5", ".5m", "1.5.1m", "0.0m"]
        {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
