//! The tar of a new layer into the store: compressed, and hashed as it is and as it was, while it is written.

use crate::compressor::{Compression, Compressor};
use ctr_core::{Cannot, Result};
use ctr_store::{Digest, Hasher, Spooled, Spools};
use std::io::{self, Write};

/// A layer that was written, and is not published yet.
#[derive(Debug)]
pub struct Blob {
    /// The file.
    pub file: Spooled,
    /// The digest of the tar inside.
    pub diff_id: Digest,
    /// How it is compressed, as a media type.
    pub media_type: &'static str,
}

/// Lets `fill` write a tar, and spools it. Gives what `fill` gave, too.
///
/// # Errors
/// `limit` where the disk is full; those of `fill`.
pub fn blob<T>(
    spools: &Spools,
    compression: Compression,
    fill: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<(T, Blob)> {
    let mut spool = spools.file(Hasher::sha256())?;
    let mut hashing = Hashing { out: Compressor::new(&mut spool, compression), hasher: Hasher::sha256() };
    let filled = fill(&mut hashing)?;
    let Hashing { out, hasher } = hashing;
    out.finish().cannot(|| "write the layer")?;
    Ok((filled, Blob { file: spool.finish(), diff_id: hasher.finish(), media_type: compression.media_type() }))
}

/// Hashes what is written through it.
struct Hashing<'a> {
    out: Compressor<'a>,
    hasher: Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
