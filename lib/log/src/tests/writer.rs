//! What the writer makes of what a container wrote, and what becomes of it on the disk.

use super::*;
use crate::Stream::{Stderr, Stdout};
use std::{fs::OpenOptions, io::Write, os::unix::fs::symlink};

const MAX: u64 = 10 << 20;

fn said(dir: &Dir) -> Vec<(String, &'static str)> {
    dir.records().into_iter().map(|r| (r.log.into_owned(), r.stream.name())).collect()
}

fn pairs(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    list.iter().map(|(text, stream)| ((*text).to_owned(), *stream)).collect()
}

#[test]
fn lines_are_records_and_the_rest_is_held() {
    let dir = Dir::new();
    let mut log = dir.writer(MAX, 3);
    log.write(Stdout, b"a\n\nbegun");
    log.write(Stderr, b"err");
    assert_eq!(said(&dir), pairs(&[("a\n", "stdout"), ("\n", "stdout")]));
    log.write(Stdout, b", ended\nprompt> ");
    log.write(Stderr, b"or\n");
    log.flush();
    log.flush();
    let all = [
        ("a\n", "stdout"),
        ("\n", "stdout"),
        ("begun, ended\n", "stdout"),
        ("error\n", "stderr"),
        ("prompt> ", "stdout"),
    ];
    assert_eq!(said(&dir), pairs(&all));
}

#[test]
fn a_record_is_as_docker_writes_it() {
    let dir = Dir::new();
    dir.writer(MAX, 3).write(Stdout, b"a \"b\"\t\\\n");
    let text = fs::read_to_string(dir.log()).unwrap();
    let (head, time) = text.split_once("\"time\":").unwrap();
    assert_eq!(head, r#"{"log":"a \"b\"\t\\\n","stream":"stdout","#);
    assert_eq!(time.len(), "\"2026-11-25T10:00:00.123456789Z\"}\n".len());
    time[1..31].parse::<jiff::Timestamp>().unwrap();
}

#[test]
fn a_character_that_two_reads_part_is_whole() {
    let dir = Dir::new();
    let mut log = dir.writer(MAX, 3);
    for byte in "é漢🦀\n".bytes() {
        log.write(Stdout, &[byte]);
        log.write(Stderr, b"x");
    }
    log.write(Stdout, b"\xf0\x9f\n");
    assert_eq!(said(&dir), pairs(&[("é漢🦀\n", "stdout"), ("\u{fffd}\n", "stdout")]));
}

#[test]
fn a_line_of_megabytes_is_several_records() {
    let dir = Dir::new();
    let mut log = dir.writer(MAX, 3);
    // 漢 has three bytes, which do not divide 1 MiB.
    let line = "漢".repeat(1 << 20) + "\n";
    for part in line.as_bytes().chunks(60_000) {
        log.write(Stdout, part);
    }
    log.write(Stdout, line.as_bytes());
    log.write(Stdout, b"next\n");
    let records = dir.records();
    assert_eq!(records.iter().filter(|r| r.log.ends_with('\n')).count(), 3);
    assert!(records.iter().all(|r| r.log.len() <= 1 << 20), "longer than 1 MiB");
    assert_eq!(dir.text(), format!("{line}{line}next\n"));
    assert_eq!(dir.records().len(), 3 * 2 + 3);
}

#[test]
fn full_files_are_renamed_between_records() {
    let dir = Dir::new();
    let mut log = dir.writer(1000, 4);
    for n in 0..100 {
        log.write(Stdout, format!("{n}\n").as_bytes());
    }
    let names = ["log", "log.1", "log.2", "log.3"];
    for name in names {
        let path = dir.0.join(name);
        assert!(size(&path) <= 1000 && size(&path) > 0, "{name}: {}", size(&path));
        assert!(fs::read(&path).unwrap().ends_with(b"}\n"));
    }
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), names.len());
    let numbers: Vec<u32> = dir.text().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&99));
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");
    assert!(numbers.len() > 40, "{numbers:?}");
}

#[test]
fn one_write_may_fill_several_files() {
    let dir = Dir::new();
    let lines = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n") + "\n";
    dir.writer(1000, 1000).write(Stdout, lines.as_bytes());
    assert_eq!(dir.text(), lines);
    assert!(dir.0.join("log.60").exists());
    for entry in fs::read_dir(&dir.0).unwrap() {
        assert!(size(&entry.unwrap().path()) <= 1000);
    }
}

#[test]
fn one_file_begins_anew_and_none_is_none() {
    let dir = Dir::new();
    let mut log = dir.writer(200, 1);
    for n in 0..9 {
        log.write(Stdout, format!("{n}\n").as_bytes());
    }
    assert_eq!(dir.text(), "8\n");
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);

    let dir = Dir::new();
    let mut log = dir.writer(200, 0);
    log.write(Stdout, b"a\nb");
    log.flush();
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 0);
}

#[test]
fn a_restart_goes_on_and_cuts_off_what_a_crash_tore() {
    let dir = Dir::new();
    dir.writer(MAX, 3).write(Stdout, b"one\n");
    let mut file = OpenOptions::new().append(true).open(dir.log()).unwrap();
    write!(file, "{{\"log\":\"{}", "x".repeat(10_000)).unwrap();
    assert_eq!(dir.text(), "one\n");
    dir.writer(MAX, 3).write(Stdout, b"two\n");
    assert_eq!(dir.text(), "one\ntwo\n");
    fs::write(dir.log(), "torn from the beginning").unwrap();
    dir.writer(MAX, 3).write(Stdout, b"three\n");
    assert_eq!(dir.text(), "three\n");
}

#[test]
fn what_the_disk_does_not_take_is_counted_and_tried_again() {
    let dir = Dir::new();
    symlink("/dev/full", dir.log()).unwrap();
    let mut log = dir.writer(MAX, 3);
    log.write(Stdout, b"lost\n");
    log.write(Stdout, b"lost too\nlo");
    assert!(log.lost() > 150, "{}", log.lost());
    fs::remove_file(dir.log()).unwrap();
    log.write(Stdout, b"st\nkept\n");
    assert_eq!(dir.text(), "lost\nkept\n");
}
