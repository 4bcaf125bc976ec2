//! One 512-byte header block: POSIX ustar, GNU or the old form, by the tar crate's views of the fields.

use crate::corrupt;
use ctr_core::Result;
use std::borrow::Cow;

/// Size of a block; headers and padded data come in these.
pub(crate) const BLOCK: usize = 512;

/// A header whose checksum is right.
pub(crate) struct Header<'a> {
    fields: &'a tar::Header,
}

impl<'a> Header<'a> {
    /// Checks and takes a block that is not all zero.
    pub(crate) fn new(block: &'a [u8; BLOCK]) -> Result<Self> {
        if !checksum_holds(block) {
            return Err(corrupt("the tar is damaged: a header's checksum does not match"));
        }
        Ok(Self { fields: tar::Header::from_byte_slice(block) })
    }

    /// The type flag as it stands there.
    pub(crate) fn flag(&self) -> u8 {
        self.fields.as_old().linkflag[0]
    }

    /// The name, with ustar's prefix.
    pub(crate) fn path(&self) -> Cow<'a, [u8]> {
        self.fields.path_bytes()
    }

    /// What a link names.
    pub(crate) fn link(&self) -> &'a [u8] {
        until_nul(&self.fields.as_old().linkname)
    }

    /// Bytes of data that follow.
    pub(crate) fn size(&self) -> Result<u64> {
        unsigned(&self.fields.as_old().size, "size")
    }

    /// Permission and set-id bits.
    pub(crate) fn mode(&self) -> Result<u32> {
        Ok((number(&self.fields.as_old().mode).ok_or_else(|| bad("mode"))? & 0o7777) as u32)
    }

    /// The owner's number.
    pub(crate) fn uid(&self) -> Result<u64> {
        unsigned(&self.fields.as_old().uid, "owner")
    }

    /// The group's number.
    pub(crate) fn gid(&self) -> Result<u64> {
        unsigned(&self.fields.as_old().gid, "group")
    }

    /// Modification time, seconds since the epoch; may be before it.
    pub(crate) fn mtime(&self) -> Result<i64> {
        number(&self.fields.as_old().mtime).ok_or_else(|| bad("time"))
    }

    /// Major and minor number of a device.
    pub(crate) fn device(&self) -> Result<(u32, u32)> {
        let (major, minor) = match (self.fields.as_ustar(), self.fields.as_gnu()) {
            (Some(ustar), _) => (&ustar.dev_major, &ustar.dev_minor),
            (_, Some(gnu)) => (&gnu.dev_major, &gnu.dev_minor),
            (None, None) => return Ok((0, 0)),
        };
        let part = |field| u32::try_from(unsigned(field, "device number")?).map_err(|_| bad("device number"));
        Ok((part(major)?, part(minor)?))
    }

    /// The fields only GNU tar has: here, the map of an old sparse file.
    pub(crate) fn gnu(&self) -> Option<&'a tar::GnuHeader> {
        self.fields.as_gnu()
    }
}

fn bad(field: &str) -> ctr_core::Error {
    corrupt(format!("the tar is damaged: the {field} in a header is no number"))
}

/// A number that cannot be negative.
pub(crate) fn unsigned(field: &[u8], what: &str) -> Result<u64> {
    number(field).and_then(|n| u64::try_from(n).ok()).ok_or_else(|| bad(what))
}

/// Octal digits, or GNU's base 256 where the first bit is set; an empty field is 0.
fn number(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        // Two's complement of 8 * len - 1 bits: the second bit is the sign.
        let sign: i128 = if first & 0x40 == 0 { 0 } else { -1 };
        let start = (sign << 6) | i128::from(first & 0x3f);
        let value = rest.iter().try_fold(start, |n, b| n.checked_mul(256).map(|n| n | i128::from(*b)))?;
        return i64::try_from(value).ok();
    }
    let text = field.trim_ascii_start();
    let end = text.iter().position(|b| matches!(b, 0 | b' ')).unwrap_or(text.len());
    text[..end].iter().try_fold(0_i64, |n, b| match b {
        b'0'..=b'7' => n.checked_mul(8)?.checked_add(i64::from(b - b'0')),
        _ => None,
    })
}

/// Whether the bytes begin as a tar does: with a header, or with the zeros that end an empty one.
pub(crate) fn is_header_or_end(head: &[u8]) -> bool {
    <&[u8; BLOCK]>::try_from(head).is_ok_and(|block| is_zero(block) || checksum_holds(block))
}

/// Whether a block is all zero: half of the end of an archive.
pub(crate) fn is_zero(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|b| *b == 0)
}

/// The sum of all bytes, the checksum's own taken as spaces. Some old tars summed signed bytes.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    const FIELD: std::ops::Range<usize> = 148..156;
    let Some(stored) = number(&block[FIELD]) else { return false };
    let sum = |value: fn(u8) -> i64| {
        let all: i64 = block.iter().map(|b| value(*b)).sum();
        all - block[FIELD].iter().map(|b| value(*b)).sum::<i64>() + 8 * i64::from(b' ')
    };
    stored == sum(i64::from) || stored == sum(|b| i64::from(b.cast_signed()))
}

/// What stands before the first NUL.
pub(crate) fn until_nul(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|b| *b == 0).unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_in_all_their_forms() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   755 \0"), Some(0o755));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"        "), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(number(b"99999999"), None);
        assert_eq!(number(b"-1\0"), None);
        assert!(unsigned(&[0xff; 12], "size").is_err());
    }

    #[test]
    fn a_block_with_a_wrong_sum_is_no_header() {
        let mut header = tar::Header::new_gnu();
        header.set_path("a").unwrap();
        header.set_size(0);
        header.set_cksum();
        let mut block = *header.as_bytes();
        assert!(is_header_or_end(&block) && Header::new(&block).is_ok());
        block[0] ^= 1;
        assert!(!is_header_or_end(&block) && Header::new(&block).is_err());
        assert!(is_header_or_end(&[0; BLOCK]));
        assert!(!is_header_or_end(&[0; 100]));
    }
}
