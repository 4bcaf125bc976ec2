//! Reading while others write and rotate.

use super::*;
use crate::{Stream::Stdout, Woken};
use std::{fs::OpenOptions, io::Write, thread, time::Duration};

const NONE: [u64; 0] = [];
const LONG: Duration = Duration::from_mins(1);

fn numbers(reader: &mut Reader) -> Vec<u64> {
    records(reader).iter().map(|r| r.log.trim_end().parse().unwrap()).collect()
}

/// Writes the numbers `from..to`.
fn write(log: &mut Writer, from: u64, to: u64) {
    for n in from..to {
        log.write(Stdout, format!("{n}\n").as_bytes());
    }
}

/// Follows while a thread writes `0..count`; gives what was read and how many files were missed.
fn follow_to(dir: &Dir, count: u64, max_size: u64, max_file: u32) -> (Vec<u64>, u64) {
    let mut reader = Reader::follow(dir.series()).unwrap();
    let mut log = dir.writer(max_size, max_file);
    let writer = thread::spawn(move || write(&mut log, 0, count));
    let mut read = Vec::new();
    while read.last() != Some(&(count - 1)) {
        read.extend(numbers(&mut reader));
        if read.last() != Some(&(count - 1)) {
            reader.wait(None, Some(LONG)).unwrap();
        }
    }
    writer.join().unwrap();
    (read, reader.missed())
}

#[test]
fn follows_through_rotations_and_misses_nothing() {
    let dir = Dir::new();
    let (read, missed) = follow_to(&dir, 20_000, 20_000, u32::MAX);
    assert_eq!(read, (0..20_000).collect::<Vec<_>>());
    assert_eq!(missed, 0);
}

#[test]
fn what_is_gone_is_said_and_nothing_comes_twice() {
    for max_file in [1, 2, 3] {
        let dir = Dir::new();
        let (read, missed) = follow_to(&dir, 20_000, 2000, max_file);
        assert!(read.windows(2).all(|two| two[0] < two[1]), "max_file {max_file}: out of order or twice");
        assert_eq!(read.len() < 20_000, missed > 0, "max_file {max_file}: {} read, {missed} missed", read.len());
    }
}

#[test]
fn several_rotations_while_it_sleeps() {
    let dir = Dir::new();
    let mut log = dir.writer(1000, 4);
    write(&mut log, 100, 102);
    let mut reader = Reader::follow(dir.series()).unwrap();
    assert_eq!(numbers(&mut reader), [100, 101]);
    // 13 records of 74 bytes fit in a file: three rotations.
    write(&mut log, 102, 140);
    assert_eq!(reader.wait(None, Some(LONG)).unwrap(), Woken::Changed);
    assert_eq!(numbers(&mut reader), (102..140).collect::<Vec<_>>());
    assert_eq!(reader.missed(), 0);
    // 152, 165, 178 began files that are gone; 191, 204, 217, 230 those that are there.
    write(&mut log, 140, 240);
    reader.wait(None, Some(LONG)).unwrap();
    let read = numbers(&mut reader);
    assert_eq!(read.last(), Some(&239));
    assert_eq!(reader.missed(), 3, "{read:?}");
    // What was left of the file that it had open came first.
    assert_eq!(read[0], 140);
    let gaps: Vec<_> = read.windows(2).filter(|two| two[1] != two[0] + 1).collect();
    assert_eq!(gaps, [[151, 191]]);
}

#[test]
fn files_are_held_from_when_they_are_seen() {
    let dir = Dir::new();
    let mut log = dir.writer(1000, 3);
    write(&mut log, 100, 130);
    let mut reader = Reader::open(dir.series()).unwrap();
    write(&mut log, 130, 200);
    write(&mut dir.writer(1000, 3), 200, 300);
    let read = numbers(&mut reader);
    assert!(read.len() >= 30 && read.len() < 43, "{read:?}");
    assert_eq!(read, (100..).take(read.len()).collect::<Vec<_>>());
    assert_eq!(numbers(&mut reader), NONE);
}

#[test]
fn a_writer_killed_amid_a_rotation_leaves_a_gap() {
    let dir = Dir::new();
    let mut log = dir.writer(1000, 9);
    write(&mut log, 100, 130);
    let mut reader = Reader::follow(dir.series()).unwrap();
    assert_eq!(numbers(&mut reader).len(), 30);
    drop(log);
    fs::rename(dir.0.join("log.2"), dir.0.join("log.3")).unwrap();
    fs::rename(dir.0.join("log.1"), dir.0.join("log.2")).unwrap();
    write(&mut dir.writer(1000, 9), 130, 160);
    reader.wait(None, Some(LONG)).unwrap();
    assert_eq!(numbers(&mut reader), (130..160).collect::<Vec<_>>());
    assert_eq!(records(&mut Reader::open(dir.series()).unwrap()).len(), 60);
}

#[test]
fn a_torn_line_is_waited_for() {
    let dir = Dir::new();
    dir.writer(1 << 20, 3).write(Stdout, b"1\n");
    let line = fs::read(dir.log()).unwrap();
    let mut reader = Reader::follow(dir.series()).unwrap();
    let mut file = OpenOptions::new().append(true).open(dir.log()).unwrap();
    file.write_all(&line[..20]).unwrap();
    assert_eq!(numbers(&mut reader), [1]);
    reader.wait(None, Some(LONG)).unwrap();
    assert_eq!(numbers(&mut reader), NONE);
    file.write_all(&line[20..]).unwrap();
    reader.wait(None, Some(LONG)).unwrap();
    assert_eq!(numbers(&mut reader), [1]);
    // Torn, cut off by the next writer, and another record in its place.
    file.write_all(&line[..20]).unwrap();
    assert_eq!(numbers(&mut reader), NONE);
    dir.writer(1 << 20, 3).write(Stdout, b"2\n");
    assert_eq!(numbers(&mut reader), [2]);
}

#[test]
fn a_log_that_begins_later() {
    let dir = Dir::new();
    let mut reader = Reader::follow(dir.series()).unwrap();
    assert_eq!(numbers(&mut reader), NONE);
    write(&mut dir.writer(1000, 3), 0, 3);
    reader.wait(None, Some(LONG)).unwrap();
    assert_eq!(numbers(&mut reader), [0, 1, 2]);
    // The directory of a container that is removed is renamed first.
    let aside = dir.0.with_extension("removed");
    fs::rename(&dir.0, &aside).unwrap();
    reader.wait(None, Some(LONG)).unwrap();
    assert_eq!(numbers(&mut reader), NONE);
    assert_eq!(reader.missed(), 0);
    fs::rename(&aside, &dir.0).unwrap();
}

#[test]
fn goes_back_from_the_end() {
    let dir = Dir::new();
    let mut log = dir.writer(1000, 99);
    write(&mut log, 100, 200);
    for (count, first) in [(0, 200), (1, 199), (5, 195), (12, 188), (13, 187), (50, 150), (100, 100), (1000, 100)] {
        let mut reader = Reader::open(dir.series()).unwrap();
        let mut left = count;
        reader
            .rewind(|_| {
                left -= 1;
                left >= 0
            })
            .unwrap();
        assert_eq!(numbers(&mut reader), (first..200).collect::<Vec<_>>(), "{count}");
    }
}

#[test]
fn goes_back_over_lines_longer_than_a_block() {
    let dir = Dir::new();
    let mut log = dir.writer(10 << 20, 3);
    let long = "x".repeat(300_000) + "\n";
    for text in ["1\n", &long, "2\n", &long, &long] {
        log.write(Stdout, text.as_bytes());
    }
    let mut file = OpenOptions::new().append(true).open(dir.log()).unwrap();
    file.write_all(&b"torn".repeat(50_000)).unwrap();
    for count in 0..=5 {
        let mut reader = Reader::open(dir.series()).unwrap();
        let mut seen = 0;
        reader
            .rewind(|_| {
                seen += 1;
                seen <= count
            })
            .unwrap();
        let lengths: Vec<usize> = records(&mut reader).iter().map(|r| r.log.len()).collect();
        assert_eq!(lengths, [2, 300_001, 2, 300_001, 300_001][5 - count..]);
    }
}
