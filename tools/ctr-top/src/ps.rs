//! ps(1) of the host, and the lines of it that are about a container.

use crate::table::Table;
use ctr_core::{Cannot, Code, Error, Result};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    process::{Command, Stdio},
};

/// What ps prints of all processes; `None` where there is no ps.
pub fn list(options: &[String]) -> Result<Option<String>> {
    let mut ps = Command::new("ps");
    if options.is_empty() {
        ps.arg("-ef");
    }
    let output = match ps.args(options).stdin(Stdio::null()).output() {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.cannot(|| "run ps")?,
    };
    if output.status.success() {
        return Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
    Err(Error::new(Code::Invalid, format!("ps {}: {}", options.join(" "), first.trim())))
}

/// The header of `text` and the lines of the processes in `members`.
///
/// # Errors
/// `invalid` where there is no column PID, or a line has no cell in it.
pub fn pick(text: &str, members: &BTreeSet<i32>) -> Result<Table> {
    let invalid = |why: String| Error::new(Code::Invalid, format!("cannot use what ps prints: {why}"));
    let mut lines = text.lines();
    let titles: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let pid = titles.iter().position(|title| title == "PID").ok_or_else(|| invalid("no column PID".to_owned()))?;
    let mut rows = Vec::new();
    let mut inside = false;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let row = cells(line, titles.len());
        // Threads have lines of their own, with a dash, below their process (ps -m).
        match row.get(pid).map(|cell| cell.parse::<i32>()) {
            Some(Ok(number)) => inside = members.contains(&number),
            Some(Err(_)) if row[pid] == "-" => {}
            _ => return Err(invalid(format!("no PID in the line {line:?}"))),
        }
        if inside {
            rows.push(row);
        }
    }
    Ok(Table { titles, rows })
}

/// Words; the last cell is all that is left.
fn cells(line: &str, count: usize) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = line.trim();
    while cells.len() + 1 < count {
        let Some((cell, more)) = rest.split_once(char::is_whitespace) else { break };
        cells.push(cell.to_owned());
        rest = more.trim_start();
    }
    cells.push(rest.to_owned());
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_picked_by_their_pid() {
        let text =
            "UID          PID    PPID CMD\nroot          10       1 sleep 7\nroot          11       1 sh -c  x\n";
        let table = pick(text, &BTreeSet::from([11])).unwrap();
        assert_eq!(table.titles, ["UID", "PID", "PPID", "CMD"]);
        assert_eq!(table.rows, [["root", "11", "1", "sh -c  x"]]);
        let threads = "  PID   LWP\n   10     -\n    -    10\n   11     -\n    -    11\n    -    12\n";
        assert_eq!(pick(threads, &BTreeSet::from([11])).unwrap().rows.len(), 3);
    }

    #[test]
    fn what_has_no_pid_is_refused() {
        for text in ["", "CMD\nsh\n", "UID PID\nroot\n", "UID PID\nroot x\n"] {
            assert!(pick(text, &BTreeSet::new()).is_err(), "{text:?}");
        }
    }
}
