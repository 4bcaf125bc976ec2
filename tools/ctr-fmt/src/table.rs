//! Columns: cells are ended by tabs, docker's widths.

use std::fmt::Write;

/// Space between the longest cell of a column and the next column.
const GAP: usize = 3;
/// Least width of a column, its gap included.
const NARROWEST: usize = 10;

/// Lays out rows of cells that tabs end; what follows the last tab of a row is not padded. No newline at the end.
pub fn align(rows: &[String]) -> String {
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.split('\t').collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (i, cell) in row.iter().take(row.len() - 1).enumerate() {
            if widths.len() == i {
                widths.push(NARROWEST);
            }
            widths[i] = widths[i].max(cell.chars().count() + GAP);
        }
    }
    let mut lines = Vec::new();
    for row in &rows {
        let mut line = String::new();
        let last = row.len() - 1;
        for (cell, width) in row.iter().take(last).zip(&widths) {
            let _ = write!(line, "{cell:width$}");
        }
        line.push_str(row[last]);
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_have_dockers_widths() {
        let rows = ["REPOSITORY\tTAG\tIMAGE ID".to_owned(), "a-long-repository\t1\té".to_owned()];
        let text = "REPOSITORY          TAG       IMAGE ID\na-long-repository   1         é";
        assert_eq!(super::align(&rows), text);
    }
}
