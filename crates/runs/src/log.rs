//! The log of a training run: a table of tab-separated values that grows row by row.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, write_atomically};

/// An open log. Its first column counts up (the step), every row is in the file when [`Log::append`] returns.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    columns: usize,
    /// Of the file, in bytes, after the last whole row.
    length: u64,
}

/// One value of a row. Numbers are written with the fewest digits that read back as exactly the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell(String);

/// The content of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// The names in the first line.
    pub columns: Vec<String>,
    /// The other lines, each with as many values as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Log {
    /// Opens a log to add rows, or begins it. Half a row at its end, left by a crash, is cut off.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or has other columns.
    pub fn open(path: &Path, columns: &[&str]) -> Result<Self, Error> {
        let expected = line(columns.iter().copied());
        let text = if path.exists() { read(path)? } else { String::new() };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.is_empty() {
            write_atomically(path, |file| file.write_all(expected.as_bytes()))?;
        } else if !whole.starts_with(&expected) {
            let found = whole.lines().next().unwrap_or_default().split('\t').map(String::from).collect();
            let expected = columns.iter().map(|c| c.to_string()).collect();
            return Err(Error::Columns { path: path.into(), found, expected });
        }
        let length = whole.len().max(expected.len()) as u64;
        let file = open_at(path, length).map_err(|reason| Error::write(path, reason))?;
        Ok(Self { path: path.into(), file, columns: columns.len(), length })
    }

    /// Adds a row and hands it to the operating system. When that fails, no part of the row stays.
    ///
    /// # Errors
    ///
    /// The row cannot be written, or has another number of values than there are columns.
    pub fn append(&mut self, row: &[Cell]) -> Result<(), Error> {
        if row.len() != self.columns {
            let what = format!("a row of {} values for the {} columns of the log", row.len(), self.columns);
            return Err(Error::Size { what });
        }
        let line = line(row.iter().map(|cell| cell.0.as_str()));
        if let Err(reason) = self.file.write_all(line.as_bytes()) {
            // If this fails too, the next `open` cuts the half row off.
            let _ = self.file.set_len(self.length);
            return Err(Error::write(&self.path, reason));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Forces all rows to the disk; to be called before a checkpoint is saved, so that a power cut loses no row before it.
    ///
    /// # Errors
    ///
    /// The operating system reports a failed write.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|reason| Error::write(&self.path, reason))
    }

    /// Drops the rows whose first value is greater than `step`: a run that goes on from a checkpoint of that step writes them again.
    ///
    /// # Errors
    ///
    /// The file cannot be replaced, or a row does not begin with a whole number.
    pub fn truncate_after(&mut self, step: u64) -> Result<(), Error> {
        let text = read(&self.path)?;
        let mut kept = String::with_capacity(text.len());
        for (number, row) in text.split_inclusive('\n').enumerate() {
            if number == 0 || self.step(row, number)? <= step {
                kept += row;
            }
        }
        if kept.len() < text.len() {
            write_atomically(&self.path, |file| file.write_all(kept.as_bytes()))?;
        }
        self.length = kept.len() as u64;
        self.file = open_at(&self.path, self.length).map_err(|reason| Error::write(&self.path, reason))?;
        Ok(())
    }

    fn step(&self, row: &str, number: usize) -> Result<u64, Error> {
        let first = row.split('\t').next().unwrap_or_default().trim_end();
        let why = || format!("line {} begins with '{first}' instead of a step", number + 1);
        first.parse().map_err(|_| Error::damaged(&self.path, why()))
    }
}

impl Rows {
    /// Reads a log. Half a row at its end is left out.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a row has another number of values than the first line.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.split('\n').map(|line| line.split('\t').map(String::from).collect::<Vec<_>>());
        let columns = lines.next().unwrap_or_default();
        let rows: Vec<_> = lines.collect();
        if let Some(row) = rows.iter().position(|row| row.len() != columns.len()) {
            let why =
                format!("line {} has {} values for {} columns", row + 2, rows[row].len(), columns.len());
            return Err(Error::damaged(path, why));
        }
        Ok(Self { columns, rows })
    }

    /// The numbers of one column; NaN where a value is not a number. None if there is no such column.
    pub fn numbers(&self, column: &str) -> Option<Vec<f64>> {
        let place = self.columns.iter().position(|name| name == column)?;
        Some(self.rows.iter().map(|row| row[place].parse().unwrap_or(f64::NAN)).collect())
    }

    /// Step and value of every row in which a column is a finite number; none if there is no such column.
    pub(crate) fn points(&self, column: &str) -> Vec<[f64; 2]> {
        let numbers = |column| self.numbers(column).unwrap_or_default();
        let points = numbers("step").into_iter().zip(numbers(column)).map(|(step, value)| [step, value]);
        points.filter(|point| point.iter().all(|number| number.is_finite())).collect()
    }
}

impl Cell {
    /// A value that is not known for this row.
    pub fn empty() -> Self {
        Self(String::new())
    }
}

impl From<&str> for Cell {
    /// Tabs and line ends become spaces.
    fn from(text: &str) -> Self {
        Self(crate::table::one_line(text))
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Cell {
            fn from(number: $number) -> Self {
                // `Debug` is the shortest text that reads back exactly, with an exponent where that is shorter.
                Self(format!("{number:?}"))
            }
        }
    )*};
}

numbers!(u32 u64 usize i32 i64 f32 f64);

fn line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.collect::<Vec<_>>().join("\t") + "\n"
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|reason| match reason.kind() {
        io::ErrorKind::InvalidData => Error::damaged(path, "it is not text"),
        _ => Error::read(path, reason),
    })
}

/// Opens a file to append after its first `length` bytes.
fn open_at(path: &Path, length: u64) -> io::Result<File> {
    let file = OpenOptions::new().append(true).open(path)?;
    file.set_len(length)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: [&str; 3] = ["step", "loss", "note"];

    fn row(step: u64) -> [Cell; 3] {
        [step.into(), (1.0 / step as f64).into(), "ok".into()]
    }

    fn log_of(steps: std::ops::RangeInclusive<u64>) -> (tempfile::TempDir, PathBuf, Log) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/log.tsv");
        let mut log = Log::open(&path, &COLUMNS).unwrap();
        steps.for_each(|step| log.append(&row(step)).unwrap());
        (folder, path, log)
    }

    #[test]
    fn rows_are_in_the_file_at_once() {
        let (_guard, path, mut log) = log_of(1..=2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "step\tloss\tnote\n1\t1.0\tok\n2\t0.5\tok\n");
        log.append(&[3_usize.into(), Cell::empty(), "a\tb\nc".into()]).unwrap();
        let rows = Rows::read(&path).unwrap();
        assert_eq!(rows.columns, COLUMNS);
        assert_eq!(rows.rows[2], ["3", "", "a b c"]);
        let losses = rows.numbers("loss").unwrap();
        assert!(losses[..2] == [1.0, 0.5] && losses[2].is_nan());
        assert_eq!(rows.numbers("lr"), None);
    }

    #[test]
    fn a_resumed_log_equals_an_undisturbed_one() {
        let (_a, undisturbed, _log) = log_of(1..=10);
        let (_b, path, log) = log_of(1..=7);
        drop(log);
        let mut log = Log::open(&path, &COLUMNS).unwrap();
        log.truncate_after(5).unwrap();
        assert_eq!(Rows::read(&path).unwrap().rows.len(), 5);
        (6..=10).for_each(|step| log.append(&row(step)).unwrap());
        log.sync().unwrap();
        assert_eq!(fs::read(path).unwrap(), fs::read(undisturbed).unwrap());
    }

    #[test]
    fn half_a_row_is_cut_off() {
        let (_a, undisturbed, _log) = log_of(1..=3);
        let (_b, path, log) = log_of(1..=3);
        drop(log);
        let text = fs::read_to_string(&path).unwrap();
        for cut in [text.len() - 1, text.len() - 5, 8] {
            fs::write(&path, &text[..cut]).unwrap();
            let mut log = Log::open(&path, &COLUMNS).unwrap();
            let first = Rows::read(&path).unwrap().rows.len() as u64 + 1;
            (first..=3).for_each(|step| log.append(&row(step)).unwrap());
            assert_eq!(fs::read(&path).unwrap(), fs::read(&undisturbed).unwrap(), "{cut}");
        }
    }

    #[test]
    fn other_columns_are_refused_and_the_file_stays() {
        let (_guard, path, log) = log_of(1..=1);
        drop(log);
        let before = fs::read(&path).unwrap();
        let error = Log::open(&path, &["step", "loss"]).unwrap_err().to_string();
        assert!(error.contains("[step, loss, note]") && error.contains("[step, loss]"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        let mut log = Log::open(&path, &COLUMNS).unwrap();
        assert!(matches!(log.append(&[1_u64.into()]), Err(Error::Size { .. })));
    }

    #[test]
    fn a_damaged_log_is_named() {
        let (_guard, path, mut log) = log_of(1..=2);
        fs::write(&path, "step\tloss\tnote\n1\t2\tok\nx\t1\tok\n").unwrap();
        let error = log.truncate_after(1).unwrap_err().to_string();
        assert!(error.contains("line 3 begins with 'x'"), "{error}");
        fs::write(&path, "step\tloss\n1\t2\n2\n").unwrap();
        let error = Rows::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 3 has 1 values"), "{error}");
        fs::write(&path, [0xFF, 0xFE]).unwrap();
        assert!(matches!(Rows::read(&path), Err(Error::Damaged { .. })));
    }

    proptest! {
        #[test]
        fn numbers_read_back_exactly(wide: f64, narrow: f32, whole: i64) {
            let text = |cell: Cell| cell.0;
            prop_assert_eq!(text(wide.into()).parse::<f64>().unwrap().to_bits(), wide.to_bits());
            prop_assert_eq!(text(narrow.into()).parse::<f32>().unwrap().to_bits(), narrow.to_bits());
            prop_assert_eq!(text(whole.into()).parse::<i64>().unwrap(), whole);
        }
    }
}
