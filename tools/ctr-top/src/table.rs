//! Titles and rows, as text and as JSON.

use ctr_core::{Map, Value, json};
use std::fmt::Write;

/// Least width of a column and the space between two, as docker has them.
const NARROWEST: usize = 20;
const GAP: usize = 3;

/// A table; no row has more cells than there are titles.
pub struct Table {
    pub titles: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Aligned columns, the last one as it is. No newline at the end.
    pub fn text(&self) -> String {
        let lines = || std::iter::once(&self.titles).chain(&self.rows);
        let width = |column: usize| {
            let longest = lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
            NARROWEST.max(longest.unwrap_or_default() + GAP)
        };
        let widths: Vec<usize> = (0..self.titles.len()).map(width).collect();
        let mut text = String::new();
        for line in lines() {
            if !text.is_empty() {
                text.push('\n');
            }
            for (n, cell) in line.iter().enumerate() {
                let width = if n + 1 == line.len() { 0 } else { widths[n] };
                let _ = write!(text, "{cell:width$}");
            }
        }
        text
    }

    /// An object for each row, its keys the titles.
    pub fn objects(&self) -> Vec<Value> {
        let object = |row: &Vec<String>| {
            let pairs = self.titles.iter().cloned().zip(row.iter().map(|cell| json!(cell)));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_dockers_widths() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let table =
            Table { titles: row(&["UID", "PID", "CMD"]), rows: vec![row(&["a-user-of-18-bytes", "7", "sh -c x"])] };
        let text = "UID                  PID                 CMD\na-user-of-18-bytes   7                   sh -c x";
        assert_eq!(table.text(), text);
        assert_eq!(table.objects()[0]["CMD"], "sh -c x");
    }
}
