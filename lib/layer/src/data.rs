//! The data of an entry into its file.

use crate::{archive::Archive, name::show, sparse::Sparse};
use ctr_core::{Cannot, Result};
use rustix::{fd::BorrowedFd, fs, io::Errno};

/// Writes what the archive has of the current entry to `fd`, a new or emptied file.
pub(crate) fn write(archive: &mut Archive<'_>, fd: BorrowedFd<'_>, sparse: Option<Sparse>, path: &[u8]) -> Result<()> {
    let failed = || format!("write entry {}", show(path));
    match sparse {
        None => {
            while archive.left() > 0 {
                write_all(fd, archive.chunk(u64::MAX)?, None).cannot(failed)?;
            }
        }
        Some(Sparse { size, parts }) => {
            fs::ftruncate(fd, size).cannot(failed)?;
            for (mut offset, mut length) in parts {
                while length > 0 {
                    let chunk = archive.chunk(length)?;
                    write_all(fd, chunk, Some(offset)).cannot(failed)?;
                    offset += chunk.len() as u64;
                    length -= chunk.len() as u64;
                }
            }
        }
    }
    Ok(())
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8], mut offset: Option<u64>) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let written = match offset {
            None => rustix::io::write(fd, bytes),
            Some(at) => rustix::io::pwrite(fd, bytes, at),
        };
        let written = match written {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        bytes = &bytes[written..];
        offset = offset.map(|at| at + written as u64);
    }
    Ok(())
}
