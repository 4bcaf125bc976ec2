//! Writer and reader against each other.

#![allow(clippy::unwrap_used)]

mod properties;
mod reader;
mod speed;
mod writer;

use crate::{Reader, Record, Series, Writer};
use ctr_core::{LogLimits, ident};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A directory for a log; removed when dropped.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ctr-log-{}", ident::token()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    fn series(&self) -> Series {
        Series::log_in(&self.0)
    }

    fn writer(&self, max_size: u64, max_file: u32) -> Writer {
        Writer::open(&self.log(), LogLimits { max_size, max_file }).unwrap()
    }

    /// All records that there are.
    fn records(&self) -> Vec<Record<'static>> {
        records(&mut Reader::open(self.series()).unwrap())
    }

    /// What they say, put together.
    fn text(&self) -> String {
        self.records().iter().map(|r| &*r.log).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn records(reader: &mut Reader) -> Vec<Record<'static>> {
    let mut records = Vec::new();
    let stopped = reader.read(|line| {
        let record = Record::parse(line).unwrap();
        records.push(Record {
            log: record.log.into_owned().into(),
            stream: record.stream,
            time: record.time.into_owned().into(),
        });
        Ok(true)
    });
    assert!(!stopped.unwrap());
    records
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}
