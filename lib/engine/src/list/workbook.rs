//! Lists in workbooks (`.xlsx`): the first sheet that is not hidden, as the CSV that the spreadsheet would have
//! exported, with the number of the row in front of each.
//!
//! Texts come as they are. A number has no other digits than its value: zeros in front of it are only its
//! format, and beyond 15 digits they are rounded. The former is remarked, the latter refused with its row.

use std::collections::HashSet;
use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};
use time::Duration;

use super::hidden;
use super::lines::MOST_COLUMNS;
use super::merged::Merged;
use crate::failure::Underlying;

/// Largest it may be when it is unpacked, in bytes, as its own directory says.
const LARGEST_UNPACKED: u64 = 1 << 30;

/// Most digits that a number of a spreadsheet has (IEEE 754 double, as Excel shows it).
const EXACT: f64 = 1e15;

/// UTF-8, separated by tabs, each row after its number; and what the user should know of how it was read.
type Sheet = (Vec<u8>, Vec<String>);

/// Reads the first sheet that is not hidden. Errors: what is wrong, without the file's name.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet, Underlying> {
    check_size(bytes)?;
    let damaged = |e: calamine::XlsxError| {
        Underlying::worded(format!("it is no workbook that can be read: {e}"), e)
    };
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let (name, mut remarks) = chosen(&book)?;
    let merged = book.merge_cells_by_sheet_name(&name).map_err(damaged)?;
    let mut writer = Writer {
        csv: Vec::new(),
        row: 0,
        cells: Vec::new(),
        heads: Vec::new(),
        merged: Merged::new(merged, MOST_COLUMNS),
        hidden: hidden::rows(bytes, &name)?,
        numbers: Noted::default(),
        unseen: Noted::default(),
        uncounted: Noted::default(),
    };
    let mut cells = book.worksheet_cells_reader(&name).map_err(damaged)?;
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(damaged)? {
        writer.add(cell.pos, &cell.value, cell.formula.is_some())?;
    }
    writer.end_row()?;
    if writer.uncounted.number > 0 {
        return Err(writer.uncounted.of_formulas().into());
    }
    remarks.extend(writer.remarks());
    Ok((writer.csv, remarks))
}

/// The sheet that is read, and what is to be said of the others.
fn chosen<R: std::io::Read + std::io::Seek>(
    book: &Xlsx<R>,
) -> Result<(String, Vec<String>), Underlying> {
    let sheets = book.sheets_metadata();
    let seen = sheets
        .iter()
        .find(|sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible);
    let sheet = seen.ok_or("the workbook has no sheet that is shown")?;
    let name = sheet.name.clone();
    let remark = match sheets.len() {
        1 => None,
        n if sheets[0].name == name => {
            Some(format!("the first of its {n} sheets is read, {name:?}"))
        }
        n => Some(format!("of its {n} sheets {name:?} is read, the first that is not hidden")),
    };
    Ok((name, remark.into_iter().collect()))
}

/// Refuses what would fill the memory when it is unpacked.
fn check_size(bytes: &[u8]) -> Result<(), Underlying> {
    let damaged = |e: zip::result::ZipError| {
        Underlying::worded(format!("it is no workbook that can be read: {e}"), e)
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut unpacked = 0_u64;
    for index in 0..archive.len() {
        unpacked = unpacked.saturating_add(archive.by_index_raw(index).map_err(damaged)?.size());
    }
    match unpacked <= LARGEST_UNPACKED {
        true => Ok(()),
        false => Err(format!(
            "the workbook has {unpacked} bytes when it is unpacked; at most {LARGEST_UNPACKED} are read"
        )
        .into()),
    }
}

/// How many there are of something, and where the first is.
#[derive(Default)]
struct Noted {
    number: usize,
    /// The row, from 1, and what its column is called.
    first: (u32, String),
}

impl Noted {
    fn add(&mut self, row: u32, column: impl FnOnce() -> String) {
        if self.number == 0 {
            self.first = (row + 1, column());
        }
        self.number += 1;
    }

    fn of_formulas(&self) -> String {
        let (has, first) = match self.number {
            1 => ("1 of its formulas has".to_owned(), "it is"),
            n => (format!("{n} of its formulas have"), "the first is"),
        };
        let (row, column) = &self.first;
        format!(
            "{has} no stored value: {first} in row {row}, column {column}; open the workbook in a spreadsheet program and \
             save it there"
        )
    }
}

/// Writes rows as they come.
struct Writer {
    csv: Vec<u8>,
    /// The row that is being filled, from 0.
    row: u32,
    cells: Vec<String>,
    /// The cells of the first row that has some, the header.
    heads: Vec<String>,
    merged: Merged,
    hidden: HashSet<u32>,
    /// Cells that are numbers.
    numbers: Noted,
    /// Rows with devices that are hidden.
    unseen: Noted,
    /// Formulas without a value.
    uncounted: Noted,
}

impl Writer {
    fn add(
        &mut self,
        (row, column): (u32, u32),
        value: &DataRef<'_>,
        is_formula: bool,
    ) -> Result<(), Underlying> {
        let column = column as usize;
        if row < self.row || (row == self.row && column < self.cells.len()) {
            return Err(format!("its row {} comes twice", row + 1).into());
        }
        if column >= MOST_COLUMNS {
            return Err(format!("its row {} has more than {MOST_COLUMNS} columns", row + 1).into());
        }
        while self.row < row {
            self.end_row()?;
        }
        if is_formula && matches!(value, DataRef::Empty) {
            self.uncounted.add(row, || match self.heads.get(column).map_or("", String::as_str) {
                "" => (column + 1).to_string(),
                head => format!("{head:?}"),
            });
        }
        let text = self.text(value);
        self.cells.resize(column, String::new());
        self.cells.push(text);
        Ok(())
    }

    fn text(&mut self, value: &DataRef<'_>) -> String {
        let number = match value {
            DataRef::Int(n) => return self.number(n.to_string()),
            DataRef::Float(n) => *n,
            DataRef::String(text) => return text.clone(),
            DataRef::SharedString(text) => return (*text).to_owned(),
            DataRef::DateTime(date) => return moment(*date),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => return text.clone(),
            DataRef::Bool(value) => return value.to_string().to_uppercase(),
            DataRef::Error(error) => return error.to_string(),
            DataRef::Empty => return String::new(),
        };
        if number.abs() < EXACT {
            return self.number(number.to_string());
        }
        // As a spreadsheet shows what it has not all digits of.
        let text = format!("{number:.5E}");
        match text.split_once('E') {
            Some((digits, exponent)) => format!("{digits}E+{exponent}"),
            None => text,
        }
    }

    fn number(&mut self, text: String) -> String {
        self.numbers.add(self.row, String::new);
        text
    }

    fn end_row(&mut self) -> Result<(), Underlying> {
        let mut cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.merged.fill(self.row, &mut cells);
            // Empty cells at the end of a row are not in the file.
            cells.resize(cells.len().max(self.heads.len()), String::new());
            let number = (u64::from(self.row) + 1).to_string();
            let fields = std::iter::once(&number).chain(&cells);
            let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(&mut self.csv);
            writer.write_record(fields).map_err(Underlying::of)?;
            writer.flush().map_err(Underlying::of)?;
            drop(writer);
            if self.heads.is_empty() {
                self.heads = std::mem::take(&mut cells);
            } else if self.hidden.contains(&self.row) {
                self.unseen.add(self.row, String::new);
            }
        }
        cells.clear();
        self.cells = cells;
        self.row += 1;
        Ok(())
    }

    /// What the user should know of the cells, a sentence each.
    fn remarks(&self) -> impl Iterator<Item = String> {
        let numbers = (self.numbers.number > 0).then(|| {
            format!(
                "{} of its cells are numbers, the first in row {}: zeros in front of them, which only their format \
                 shows, are not read; format ids as text",
                self.numbers.number, self.numbers.first.0
            )
        });
        let unseen = (self.unseen.number > 0).then(|| {
            format!(
                "{} hidden, the first is row {}: hidden rows of a list are read too",
                match self.unseen.number {
                    1 => "1 row is".to_owned(),
                    n => format!("{n} rows are"),
                },
                self.unseen.first.0
            )
        });
        numbers.into_iter().chain(unseen)
    }
}

/// A date, a time or both, as ISO 8601 writes them but with a space between; a length of time as hours, minutes and
/// seconds.
fn moment(at: ExcelDateTime) -> String {
    if at.is_duration() {
        let seconds =
            Duration::saturating_seconds_f64((at.as_f64() * 86_400.0).round()).whole_seconds();
        let (sign, whole) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
        return format!("{sign}{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    }
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let part = if milli > 0 { format!(".{milli:03}") } else { String::new() };
    let time = format!("{hour:02}:{minute:02}:{second:02}{part}");
    match (at.as_f64() < 1.0, (hour, minute, second, milli) == (0, 0, 0, 0)) {
        (true, _) => time,
        (false, true) => date,
        (false, false) => format!("{date} {time}"),
    }
}
