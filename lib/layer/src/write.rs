//! One entry of a tar as bytes: a ustar header, and before it a pax header for what its fields cannot hold.
//!
//! The same file gives the same bytes: no access time, no names of users, records in a fixed order.

use crate::{entry::Meta, header::BLOCK, name::show};
use ctr_core::{Code, Error, Result};
use rustix::fs::Timespec;

/// Longest pax header: what [`crate::archive`], and Go's reader too, take into memory.
const MAX_EXTENDED: usize = 1 << 20;

/// What stands in the headers of one file.
pub(crate) struct Item<'a> {
    /// The type flag of ustar.
    pub(crate) flag: u8,
    pub(crate) path: &'a [u8],
    /// What a link names.
    pub(crate) link: &'a [u8],
    /// Bytes of data that follow.
    pub(crate) size: u64,
    /// Of a sparse file its size with the holes: what follows begins with the map of its parts (GNU tar manual, "PAX Format,
    /// Version 1.0").
    pub(crate) sparse: Option<u64>,
    /// Major and minor number.
    pub(crate) device: (u32, u32),
    pub(crate) meta: &'a Meta,
}

impl Item<'_> {
    /// The blocks before the data.
    ///
    /// # Errors
    /// `limit` where the extended attributes are more than readers take.
    pub(crate) fn headers(&self) -> Result<Vec<u8>> {
        let mut records = Vec::new();
        let block = self.ustar(&mut records);
        if let Some(size) = self.sparse {
            let size = size.to_string();
            let keys: [(&[u8], &[u8]); 4] =
                [(b"major", b"1"), (b"minor", b"0"), (b"name", self.path), (b"realsize", size.as_bytes())];
            for (key, value) in keys {
                record(&mut records, &[b"GNU.sparse.", key].concat(), value);
            }
        }
        for (name, value) in &self.meta.xattrs {
            record(&mut records, &[b"SCHILY.xattr.", name.to_bytes()].concat(), value);
        }
        if records.len() > MAX_EXTENDED {
            let message = format!("{} has more than 1 MiB of extended attributes", show(self.path));
            return Err(Error::new(Code::Limit, message));
        }
        if records.is_empty() {
            return Ok(block.to_vec());
        }
        let name = crate::name::split(self.path.strip_suffix(b"/").unwrap_or(self.path)).1;
        let pax = Item {
            flag: b'x',
            path: &[b"PaxHeaders/", &name[..name.len().min(80)]].concat(),
            link: b"",
            size: records.len() as u64,
            sparse: None,
            device: (0, 0),
            meta: &Meta { mode: 0o644, ..Meta::default() },
        };
        let mut blocks = pax.ustar(&mut Vec::new()).to_vec();
        blocks.append(&mut records);
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
        blocks.extend_from_slice(&block);
        Ok(blocks)
    }

    /// The ustar header; what does not fit in it becomes a record.
    fn ustar(&self, records: &mut Vec<u8>) -> [u8; BLOCK] {
        let meta = self.meta;
        let mut header = tar::Header::new_ustar();
        if let Some(fields) = header.as_ustar_mut() {
            text(&mut fields.name, self.path, b"path", records);
            text(&mut fields.linkname, self.link, b"linkpath", records);
            fields.typeflag = [self.flag];
            octal(&mut fields.mode, meta.mode.into());
            number(&mut fields.size, self.size, b"size", records);
            number(&mut fields.uid, meta.uid.into(), b"uid", records);
            number(&mut fields.gid, meta.gid.into(), b"gid", records);
            // Minor numbers have 20 bits, major ones 12: both fit.
            octal(&mut fields.dev_major, self.device.0.into());
            octal(&mut fields.dev_minor, self.device.1.into());
            let whole = u64::try_from(meta.mtime.tv_sec).ok().filter(|_| meta.mtime.tv_nsec == 0);
            if !whole.is_some_and(|seconds| octal(&mut fields.mtime, seconds)) {
                octal(&mut fields.mtime, u64::try_from(meta.mtime.tv_sec).unwrap_or(0));
                record(records, b"mtime", moment(meta.mtime).as_bytes());
            }
        }
        header.set_cksum();
        *header.as_bytes()
    }
}

/// A name in its field, cut there and whole in a record where it is longer.
fn text(field: &mut [u8], value: &[u8], key: &[u8], records: &mut Vec<u8>) {
    let fits = value.len().min(field.len());
    field[..fits].copy_from_slice(&value[..fits]);
    if fits < value.len() {
        record(records, key, value);
    }
}

/// A number in its field, or in a record.
fn number(field: &mut [u8], value: u64, key: &[u8], records: &mut Vec<u8>) {
    if !octal(field, value) {
        octal(field, 0);
        record(records, key, value.to_string().as_bytes());
    }
}

/// Octal digits and a NUL; gives whether they fit. Not by `format!`, which would be a third of what a header costs.
fn octal(field: &mut [u8], mut value: u64) -> bool {
    let digits = field.len() - 1;
    if value.checked_shr(3 * digits as u32).unwrap_or(0) != 0 {
        return false;
    }
    for digit in field[..digits].iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
    true
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    for part in [key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

/// `[-]SECONDS[.FRACTION]`; the kernel counts nanoseconds forward from a second before the epoch too.
fn moment(time: Timespec) -> String {
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let text = format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{header::Header, pax};
    use proptest::prelude::*;

    /// The blocks as a reader sees them: pax records and the last header.
    fn read(blocks: &[u8]) -> (pax::Extended, [u8; BLOCK]) {
        let last: [u8; BLOCK] = blocks[blocks.len() - BLOCK..].try_into().unwrap();
        if blocks.len() == BLOCK {
            return (pax::Extended::default(), last);
        }
        let first: [u8; BLOCK] = blocks[..BLOCK].try_into().unwrap();
        let header = Header::new(&first).unwrap();
        assert_eq!(header.flag(), b'x');
        let size = header.size().unwrap() as usize;
        (pax::parse(&blocks[BLOCK..BLOCK + size]).unwrap(), last)
    }

    fn item<'a>(path: &'a [u8], meta: &'a Meta) -> Item<'a> {
        Item { flag: b'0', path, link: b"", size: 0, sparse: None, device: (0, 0), meta }
    }

    #[test]
    fn what_fits_needs_no_record() {
        let meta = Meta { mode: 0o4755, uid: 7, gid: 8, ..Meta::default() };
        let (extended, block) = read(&item(&[b'n'; 100], &meta).headers().unwrap());
        let header = Header::new(&block).unwrap();
        assert!(extended.path.is_none() && extended.mtime.is_none());
        assert_eq!((header.path().len(), header.mode().unwrap()), (100, 0o4755));
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (7, 8, 0));
    }

    #[test]
    fn what_does_not_fit_is_a_record() {
        let meta = Meta { uid: 0x20_0000, gid: u32::MAX - 1, ..Meta::default() };
        let long = [&[b'd'; 90][..], b"/", &[b'n'; 90]].concat();
        let big = Item { size: 1 << 33, link: &long, ..item(&long, &meta) };
        let (extended, _) = read(&big.headers().unwrap());
        assert_eq!((extended.path.unwrap(), extended.link.unwrap()), (long.clone(), long));
        assert_eq!((extended.size, extended.uid), (Some(1 << 33), Some(0x20_0000)));
        assert_eq!(extended.gid, Some(u64::from(u32::MAX - 1)));
    }

    #[test]
    fn lengths_count_their_own_digits() {
        // `9 k=vvvv\n` has nine bytes, one more byte makes eleven.
        for size in [1, 4, 5, 90, 93, 94, 95, 990, 993] {
            let mut records = Vec::new();
            record(&mut records, b"k", &vec![b'v'; size]);
            let digits = String::from_utf8(records.clone()).unwrap();
            assert_eq!(digits.split(' ').next().unwrap().parse::<usize>().unwrap(), records.len());
        }
    }

    #[test]
    fn more_xattrs_than_readers_take_are_refused() {
        let xattrs = (0..17).map(|n| (std::ffi::CString::new(format!("user.{n}")).unwrap(), vec![0; 65000])).collect();
        let meta = Meta { xattrs, ..Meta::default() };
        assert_eq!(item(b"f", &meta).headers().unwrap_err().code, Code::Limit);
    }

    proptest! {
        #[test]
        fn any_file_comes_back(
            path in "[a-z]{1,250}", tv_sec in -3_000_000_000_i64..20_000_000_000, tv_nsec in 0_i64..1_000_000_000,
            value in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mtime = Timespec { tv_sec, tv_nsec };
            let xattrs = vec![(c"user.x".to_owned(), value.clone())];
            let meta = Meta { mtime, xattrs, ..Meta::default() };
            let (extended, block) = read(&item(path.as_bytes(), &meta).headers().unwrap());
            let header = Header::new(&block).unwrap();
            let found = extended.mtime.unwrap_or(Timespec { tv_sec: header.mtime().unwrap(), tv_nsec: 0 });
            prop_assert_eq!((found.tv_sec, found.tv_nsec), (tv_sec, tv_nsec));
            prop_assert_eq!(extended.path.unwrap_or(header.path().into_owned()), path.as_bytes());
            prop_assert_eq!(&extended.xattrs.into_list()[0].1, &value);
        }
    }
}
