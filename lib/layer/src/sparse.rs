//! Sparse files: which parts of a file its data fills, the rest being holes.
//!
//! GNU tar knows four forms: the old one, with its map in the header and in blocks after it, and three
//! by pax records (0.0 and 0.1 with the map in records, 1.0 with the map before the data).

use crate::{
    corrupt,
    header::{self, BLOCK, Header},
    name::show,
    pax::{SparseRecords, decimal},
    stream::{Stream, cut},
};
use ctr_core::{Code, Error, Result};

/// Most parts of one file: 4 MiB of memory.
pub(crate) const MAX_PARTS: usize = 1 << 18;

/// A file's size and where its data goes.
#[derive(Debug, PartialEq)]
pub(crate) struct Sparse {
    /// Size of the file, holes counted.
    pub(crate) size: u64,
    /// Offset and length of each part, ascending.
    pub(crate) parts: Vec<(u64, u64)>,
}

impl Sparse {
    /// Checks a map: parts ascend, do not overlap, lie in the file, and together are the `stored` bytes.
    fn new(size: u64, parts: Vec<(u64, u64)>, stored: u64) -> Result<Self> {
        let mut end = 0;
        let mut sum = 0_u64;
        for (offset, length) in &parts {
            if *offset < end {
                return Err(bad());
            }
            end = offset.checked_add(*length).filter(|end| *end <= size).ok_or_else(bad)?;
            sum += length; // at most `end`
        }
        if sum != stored || size > i64::MAX as u64 {
            return Err(bad());
        }
        Ok(Self { size, parts })
    }

    /// The map of an old GNU sparse file; reads the blocks that continue it. `stored` bytes of data follow.
    pub(crate) fn old_gnu(header: &Header<'_>, stream: &mut Stream<'_>, stored: u64) -> Result<Self> {
        let fields = header.gnu().ok_or_else(bad)?;
        let mut parts = Vec::new();
        let mut take = |list: &[tar::GnuSparseHeader]| -> Result<()> {
            for part in list.iter().filter(|p| p.offset[0] != 0 && p.numbytes[0] != 0) {
                push(&mut parts, header::unsigned(&part.offset, "hole")?, header::unsigned(&part.numbytes, "hole")?)?;
            }
            Ok(())
        };
        take(&fields.sparse)?;
        let mut more = fields.isextended[0] != 0;
        while more {
            let mut continued = tar::GnuExtSparseHeader::new();
            *continued.as_mut_bytes() = stream.block()?.ok_or_else(cut)?;
            take(continued.sparse())?;
            more = continued.is_extended();
        }
        Self::new(header::unsigned(&fields.realsize, "size")?, parts, stored)
    }

    /// The map of a pax sparse file in the form that its records say. Where the map lies before the data it is read and
    /// taken off `stored`. Without a size of its own the file has that of what is stored.
    pub(crate) fn pax(form: Form, records: SparseRecords, stream: &mut Stream<'_>, stored: &mut u64) -> Result<Self> {
        let size = records.size.or(records.real_size).unwrap_or(*stored);
        let parts = match form {
            Form::InRecords => {
                let map = if records.pairs.is_empty() { records.map } else { records.pairs };
                if !map.len().is_multiple_of(2) || records.blocks != Some(map.len() as u64 / 2) {
                    return Err(bad());
                }
                let mut parts = Vec::new();
                for pair in map.chunks_exact(2) {
                    push(&mut parts, pair[0], pair[1])?;
                }
                parts
            }
            Form::BeforeData => map_before_data(stream, stored)?,
        };
        Self::new(size, parts, *stored)
    }
}

/// Where a pax sparse file has its map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// In the extended header: formats 0.0 and 0.1.
    InRecords,
    /// Before the data: format 1.0.
    BeforeData,
}

impl Form {
    /// The form that records of a sparse file have; `None`: the file is not one, whatever else they say.
    ///
    /// # Errors
    /// `unsupported` for a version that is none of the known: what some read as a file others read as its map.
    pub(crate) fn of(records: &SparseRecords) -> Result<Option<Self>> {
        match (records.major.as_deref(), records.minor.as_deref()) {
            (Some(b"0"), Some(b"0" | b"1")) => Ok(Some(Self::InRecords)),
            (Some(b"1"), Some(b"0")) => Ok(Some(Self::BeforeData)),
            // The first two formats came without a version.
            (None, None) => Ok((!records.map.is_empty() || !records.pairs.is_empty()).then_some(Self::InRecords)),
            (major, minor) => {
                let [major, minor] = [major, minor].map(|part| show(part.unwrap_or(b"?")));
                Err(Error::new(Code::Unsupported, format!("sparse format {major}.{minor} is not known")))
            }
        }
    }
}

/// Decimal numbers, one a line: how many parts, then offset and length of each; padded to a whole block.
fn map_before_data(stream: &mut Stream<'_>, stored: &mut u64) -> Result<Vec<(u64, u64)>> {
    let mut block = [0; BLOCK];
    let mut at = BLOCK;
    let mut number = || -> Result<u64> {
        let mut digits = Vec::with_capacity(20);
        loop {
            if at == BLOCK {
                *stored = stored.checked_sub(BLOCK as u64).ok_or_else(bad)?;
                block = stream.block()?.ok_or_else(cut)?;
                at = 0;
            }
            at += 1;
            match block[at - 1] {
                b'\n' => return decimal(&digits).ok_or_else(bad),
                _ if digits.len() == 20 => return Err(bad()),
                b => digits.push(b),
            }
        }
    };
    let mut parts = Vec::new();
    for _ in 0..number()? {
        let offset = number()?;
        push(&mut parts, offset, number()?)?;
    }
    Ok(parts)
}

fn push(parts: &mut Vec<(u64, u64)>, offset: u64, length: u64) -> Result<()> {
    if parts.len() == MAX_PARTS {
        return Err(Error::new(Code::Limit, format!("a sparse file has more than {MAX_PARTS} parts")));
    }
    parts.push((offset, length));
    Ok(())
}

fn bad() -> Error {
    corrupt("the tar is damaged: the map of a sparse file does not fit its data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_must_fit() {
        assert!(Sparse::new(10, vec![(0, 2), (5, 5), (10, 0)], 7).is_ok());
        assert!(Sparse::new(0, vec![], 0).is_ok());
        assert!(Sparse::new(10, vec![(5, 5), (0, 2)], 7).is_err(), "descends");
        assert!(Sparse::new(10, vec![(0, 5), (4, 2)], 7).is_err(), "overlaps");
        assert!(Sparse::new(10, vec![(8, 5)], 5).is_err(), "past the end");
        assert!(Sparse::new(10, vec![(0, 5)], 6).is_err(), "not all data");
        assert!(Sparse::new(u64::MAX, vec![], 0).is_err(), "size beyond off_t");
        assert!(Sparse::new(10, vec![(u64::MAX, u64::MAX)], 7).is_err(), "overflow");
    }
}
