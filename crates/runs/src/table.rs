//! A small table of text: aligned for a terminal, tab-separated for a file.

use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::path::Path;

use crate::{Error, write_atomically};

/// A header and rows of text. Shorter rows are filled up with empty cells.
///
/// `Display` aligns the columns: numbers to the right, text to the left, two spaces between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// One name per column.
    pub header: Vec<String>,
    /// The cells, row by row.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// The table as tab-separated lines. Tabs and line ends within a cell become spaces.
    pub fn to_tsv(&self) -> String {
        let lines = self.lines().map(|line| {
            let cells: Vec<_> = (0..self.width()).map(|column| one_line(cell(line, column))).collect();
            cells.join("\t") + "\n"
        });
        lines.collect()
    }

    /// Writes [`Table::to_tsv`] to a file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_tsv(&self, path: &Path) -> Result<(), Error> {
        write_atomically(path, |file| file.write_all(self.to_tsv().as_bytes()))
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    fn width(&self) -> usize {
        self.lines().map(Vec::len).max().unwrap_or(0)
    }

    /// Width in characters, and whether the column holds numbers.
    fn layout(&self, column: usize) -> (usize, bool) {
        let width = self.lines().map(|line| one_line(cell(line, column)).chars().count()).max().unwrap_or(0);
        let numeric = self.rows.iter().all(|row| is_number(cell(row, column)));
        (width, numeric && !self.rows.is_empty())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let layouts: Vec<_> = (0..self.width()).map(|column| self.layout(column)).collect();
        for line in self.lines() {
            let mut text = String::new();
            for (column, &(width, numeric)) in layouts.iter().enumerate() {
                let cell = one_line(cell(line, column));
                let gap = if column == 0 { "" } else { "  " };
                text +=
                    &if numeric { format!("{gap}{cell:>width$}") } else { format!("{gap}{cell:<width$}") };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// The text without tabs and line ends, which would break a row.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}

fn cell(line: &[String], column: usize) -> &str {
    line.get(column).map_or("", String::as_str)
}

fn is_number(cell: &str) -> bool {
    let digits = cell.trim_end_matches([' ', '%']);
    matches!(digits, "" | "-" | "–") || digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Table {
        let mut table = Table::new(["class", "F1", "pixels"]);
        table.push(["skin", "97.21", "120345"]);
        table.push(["Oberlippe ü", "8.5", "-"]);
        table.push(["hat"]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let want = "class           F1  pixels\n\
                    skin         97.21  120345\n\
                    Oberlippe ü    8.5       -\n\
                    hat\n";
        assert_eq!(scores().to_string(), want);
    }

    #[test]
    fn tsv_has_the_same_cells() {
        assert_eq!(
            scores().to_tsv(),
            "class\tF1\tpixels\nskin\t97.21\t120345\nOberlippe ü\t8.5\t-\nhat\t\t\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.tsv");
        scores().write_tsv(&path).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), scores().to_tsv());
    }

    #[test]
    fn odd_tables_do_no_harm() {
        assert_eq!(Table::default().to_string(), "\n");
        let mut table = Table::new(["a"]);
        table.push(["x\ty\nz", "more"]);
        assert_eq!(table.to_tsv(), "a\t\nx y z\tmore\n");
        assert_eq!(table.to_string(), "a\nx y z  more\n");
    }
}
