//! `--device-read-bps DEVICE:SIZE` and its like.

use crate::limits::size_or_zero;
use ctr_core::{Cannot, Code, Error, Result, Value, json};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
};

/// What is counted each second.
#[derive(Clone, Copy)]
pub enum Rate {
    /// Bytes, as a size.
    Bytes,
    /// Operations, as a number.
    Operations,
}

/// Adds each word to a `throttle…Device` list of the runtime-spec; a device that is in it gets the new rate.
///
/// # Errors
/// `usage` for a word without a device, `not-found` for a device, `invalid` for what is no block device and no rate.
pub fn fill(list: &mut Value, words: &[String], rate: Rate) -> Result<()> {
    let list = list.as_array_mut().ok_or_else(|| Error::new(Code::Invalid, "document: a list of rates is no list"))?;
    for word in words {
        let (path, number) = word
            .rsplit_once(':')
            .ok_or_else(|| Error::new(Code::Usage, format!("rate {word:?} is not DEVICE:RATE")))?;
        let number = match rate {
            Rate::Bytes => size_or_zero(number)?,
            Rate::Operations => number.parse().map_err(|_| {
                Error::new(Code::Invalid, format!("invalid rate {number:?}")).hint("operations a second, a number")
            })?,
        };
        let meta = fs::metadata(path).cannot(|| format!("look at device {path}"))?;
        if !meta.file_type().is_block_device() {
            return Err(Error::new(Code::Invalid, format!("{path} is no block device")));
        }
        let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
        list.retain(|entry| entry["major"] != major || entry["minor"] != minor);
        list.push(json!({"major": major, "minor": minor, "rate": number}));
    }
    Ok(())
}
