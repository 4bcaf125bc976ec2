//! Extended headers (POSIX pax): records of `LENGTH KEY=VALUE\n` that override the header they precede.
//!
//! The tar crate splits them at newlines, but the value of an xattr is bytes and may hold one.

use crate::{acl, corrupt, name::show, xattr::goes_along};
use ctr_core::{Code, Error, Result};
use rustix::fs::Timespec;
use std::{collections::BTreeMap, ffi::CString};

/// What an entry's extended header says. `None`: nothing, the header's own field counts.
#[derive(Default)]
pub(crate) struct Extended {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<Timespec>,
    pub(crate) atime: Option<Timespec>,
    pub(crate) xattrs: Xattrs,
    pub(crate) sparse: SparseRecords,
}

/// GNU tar's `GNU.sparse.*`, of formats 0.0, 0.1 and 1.0.
#[derive(Default)]
pub(crate) struct SparseRecords {
    pub(crate) major: Option<Vec<u8>>,
    pub(crate) minor: Option<Vec<u8>>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) real_size: Option<u64>,
    pub(crate) blocks: Option<u64>,
    /// Offsets and lengths in turn, of one record (0.1).
    pub(crate) map: Vec<u64>,
    /// The same of a record each (0.0); they win over the one.
    pub(crate) pairs: Vec<u64>,
}

/// Reads the records of one extended header.
///
/// # Errors
/// `corrupt` where a record does not have its form; `unsupported` for an ACL that names users by name only.
pub(crate) fn parse(mut data: &[u8]) -> Result<Extended> {
    let mut extended = Extended::default();
    while !data.is_empty() {
        let (key, value, rest) =
            record(data).ok_or_else(|| corrupt("the tar is damaged: a pax record is malformed"))?;
        take(&mut extended, key, value)?;
        data = rest;
    }
    Ok(extended)
}

fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().position(|b| *b == b' ')?;
    let length = usize::try_from(decimal(&data[..space])?).ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|b| *b == b'=')?;
    Some((&body[..equals], &body[equals + 1..], rest))
}

fn take(extended: &mut Extended, key: &[u8], value: &[u8]) -> Result<()> {
    let malformed = || corrupt(format!("the tar is damaged: pax record {} is {}", show(key), show(value)));
    // An empty value takes back what came before (POSIX pax, "pax Extended Header").
    let text = || (!value.is_empty()).then(|| value.to_vec());
    let number = || if value.is_empty() { Ok(None) } else { decimal(value).map(Some).ok_or_else(malformed) };
    let moment = || if value.is_empty() { Ok(None) } else { time(value).map(Some).ok_or_else(malformed) };
    let sparse = &mut extended.sparse;
    match key {
        b"path" => extended.path = text(),
        b"linkpath" => extended.link = text(),
        b"size" => extended.size = number()?,
        b"uid" => extended.uid = number()?,
        b"gid" => extended.gid = number()?,
        b"mtime" => extended.mtime = moment()?,
        b"atime" => extended.atime = moment()?,
        b"GNU.sparse.major" => sparse.major = text(),
        b"GNU.sparse.minor" => sparse.minor = text(),
        b"GNU.sparse.name" => sparse.name = text(),
        b"GNU.sparse.size" => sparse.size = number()?,
        b"GNU.sparse.realsize" => sparse.real_size = number()?,
        b"GNU.sparse.numblocks" => sparse.blocks = number()?,
        b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
            if sparse.pairs.len().is_multiple_of(2) != (key == b"GNU.sparse.offset") {
                return Err(malformed());
            }
            sparse.pairs.push(number()?.ok_or_else(malformed)?);
        }
        b"GNU.sparse.map" => {
            let numbers = text().map(|text| text.split(|b| *b == b',').map(decimal).collect());
            sparse.map = numbers.unwrap_or(Some(Vec::new())).ok_or_else(malformed)?;
        }
        b"SCHILY.acl.access" => {
            extended.xattrs.set(b"system.posix_acl_access", acl::from_text(value)?)?;
        }
        b"SCHILY.acl.default" => {
            extended.xattrs.set(b"system.posix_acl_default", acl::from_text(value)?)?;
        }
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                extended.xattrs.set(name, value.to_vec())?;
            } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                let name = percent_decoded(name).ok_or_else(malformed)?;
                extended.xattrs.set(&name, base64(value).ok_or_else(malformed)?)?;
            }
        }
    }
    Ok(())
}

/// Extended attributes by name, as many as a file can have.
#[derive(Default)]
pub(crate) struct Xattrs {
    list: BTreeMap<CString, Vec<u8>>,
    /// Bytes of the names, each with its NUL.
    names: usize,
}

impl Xattrs {
    fn set(&mut self, name: &[u8], value: Vec<u8>) -> Result<()> {
        const MAX_NAME: usize = 255;
        /// `XATTR_LIST_MAX`: what listxattr(2) can give (xattr(7)).
        const MAX_NAMES: usize = 64 << 10;
        if !goes_along(name) {
            return Ok(());
        }
        if name.len() > MAX_NAME {
            let message = format!("xattr {} has a name longer than the kernel takes", show(name));
            return Err(Error::new(Code::Limit, message));
        }
        let name = CString::new(name).map_err(|_| corrupt(format!("xattr {} has a NUL in its name", show(name))))?;
        let length = name.as_bytes_with_nul().len();
        if self.list.insert(name, value).is_none() {
            self.names += length;
        }
        if self.names > MAX_NAMES {
            return Err(Error::new(
                Code::Limit,
                "an entry has more xattrs than a file can have: their names are over 64 KiB",
            ));
        }
        Ok(())
    }

    /// Names and values, sorted by name.
    pub(crate) fn into_list(self) -> Vec<(CString, Vec<u8>)> {
        self.list.into_iter().collect()
    }
}

/// Decimal digits and nothing else.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |n, b| match b {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

/// `[-]SECONDS[.FRACTION]`, cut to nanoseconds.
fn time(text: &[u8]) -> Option<Timespec> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = match text.iter().position(|b| *b == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[][..]),
    };
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    let mut nanos = 0_i64;
    for (i, digit) in fraction.iter().enumerate() {
        if !digit.is_ascii_digit() {
            return None;
        }
        if i < 9 {
            nanos += i64::from(digit - b'0') * 10_i64.pow(8 - i as u32);
        }
    }
    let (tv_sec, tv_nsec) = match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    };
    Some(Timespec { tv_sec, tv_nsec })
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = text.iter();
    let mut out = Vec::with_capacity(text.len());
    while let Some(&b) = bytes.next() {
        out.push(if b == b'%' {
            let mut digit = || char::from(*bytes.next()?).to_digit(16);
            (digit()? * 16 + digit()?) as u8
        } else {
            b
        });
    }
    Some(out)
}

/// RFC 4648, section 4; libarchive leaves the padding off.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for b in text.iter().take_while(|b| **b != b'=') {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = ((bits << 6 | u32::from(value)) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let body = [key.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len() + 2;
        while format!("{length} ").len() + body.len() != length {
            length += 1;
        }
        [format!("{length} ").as_bytes(), &body].concat()
    }

    #[test]
    fn values_are_bytes() {
        let data = [record("SCHILY.xattr.security.capability", b"\x01\n\0=\n"), record("path", b"a\nb")].concat();
        let extended = parse(&data).unwrap();
        assert_eq!(extended.path.unwrap(), b"a\nb");
        assert_eq!(extended.xattrs.into_list(), [(c"security.capability".to_owned(), b"\x01\n\0=\n".to_vec())]);
    }

    #[test]
    fn an_empty_value_takes_back() {
        let extended = parse(&[record("path", b"a"), record("path", b""), record("size", b"")].concat()).unwrap();
        assert!(extended.path.is_none() && extended.size.is_none());
    }

    #[test]
    fn overlay_and_host_xattrs_are_not_taken() {
        let data: Vec<u8> = [
            "SCHILY.xattr.trusted.overlay.opaque",
            "SCHILY.xattr.trusted.overlay.redirect",
            "SCHILY.xattr.user.overlay.whiteout",
            "LIBARCHIVE.xattr.trusted%2eoverlay.opaque",
            "SCHILY.xattr.security.selinux",
        ]
        .iter()
        .flat_map(|key| record(key, b"eQ"))
        .collect();
        assert!(parse(&data).unwrap().xattrs.into_list().is_empty());
    }

    /// To look for each among all before it took two seconds for a header of a megabyte.
    #[test]
    fn xattrs_are_as_many_as_a_file_can_have() {
        let names = |count: u32| -> Vec<u8> {
            (0..count).flat_map(|n| record(&format!("SCHILY.xattr.user.{n:05}"), b"x")).collect()
        };
        // A name is `user.00000` with its NUL, 11 bytes of 65536; of one that is there again the last value counts.
        let most = [names(5957), record("SCHILY.xattr.user.00000", b"last")].concat();
        let list = parse(&most).unwrap().xattrs.into_list();
        assert_eq!((list.len(), list[0].1.as_slice()), (5957, &b"last"[..]));
        assert_eq!(parse(&names(5958)).err().unwrap().code, Code::Limit);
    }

    #[test]
    fn libarchive_encodes_names_and_values() {
        let extended = parse(&record("LIBARCHIVE.xattr.user.a%3db", b"aGVsbG8")).unwrap();
        assert_eq!(extended.xattrs.into_list(), [(c"user.a=b".to_owned(), b"hello".to_vec())]);
    }

    #[test]
    fn times_to_the_nanosecond() {
        let at = |s: &str| time(s.as_bytes()).map(|t| (t.tv_sec, t.tv_nsec));
        assert_eq!(at("1750000000.123456789"), Some((1_750_000_000, 123_456_789)));
        assert_eq!(at("1.5"), Some((1, 500_000_000)));
        assert_eq!(at("1."), Some((1, 0)));
        assert_eq!(at("0.0000000019"), Some((0, 1)));
        assert_eq!(at("-1"), Some((-1, 0)));
        assert_eq!(at("-1.25"), Some((-2, 750_000_000)));
        for bad in ["", "-", ".5", "1.x", "1e9", "99999999999999999999"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in ["x", "5", "6 path", "3 a=b\n", "99 path=a\n", "9 size=x\n", "8 patha\n", "-1 a=b\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&data);
        }

        #[test]
        fn any_value_comes_back(value in proptest::collection::vec(any::<u8>(), 1..2000)) {
            prop_assert_eq!(&parse(&record("SCHILY.xattr.user.x", &value)).unwrap().xattrs.into_list()[0].1, &value);
        }
    }
}
