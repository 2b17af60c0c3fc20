//! Lists in workbooks (`.xlsx`): the first sheet that is neither hidden nor empty, as the CSV that the spreadsheet would
//! have exported, with the number of the row in front of each.
//!
//! Texts come as they are. A number has no other digits than its value: zeros in front of it are only its
//! format, and beyond 15 digits they are rounded. The former is remarked, the latter refused with its row.

use std::collections::BTreeSet;
use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};
use time::Duration;

use super::cell::{letters, long_number};
use super::error::Unread;
use super::hidden::{self, Hidden};
use super::lines::MOST_COLUMNS;
use super::merged::Merged;
use crate::failure::Underlying;

/// Largest it may be when it is unpacked, in bytes, as its own directory says.
const LARGEST_UNPACKED: u64 = 1 << 30;

/// What is done about a workbook that nothing can be read of.
const SAVE_AGAIN: &str = "open it in a spreadsheet program, and save it there again";

/// UTF-8, separated by tabs, each row after its number; which sheet it is, if there are others; and what the user should
/// know of how it was read.
type Sheet = (Vec<u8>, Option<String>, Vec<String>);

fn damaged(e: calamine::XlsxError) -> Unread {
    let problem = format!("it is no workbook that can be read: {e}");
    Unread::new(Underlying::worded(problem, e), SAVE_AGAIN)
}

/// Reads the first sheet that is neither hidden nor empty. Errors: what is wrong, without the file's name.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet, Unread> {
    check_size(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let sheets = book.sheets_metadata().to_vec();
    let is_shown = |sheet: &&calamine::Sheet| {
        sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible
    };
    let shown: Vec<&str> = sheets.iter().filter(is_shown).map(|s| s.name.as_str()).collect();
    for (at, name) in shown.iter().enumerate() {
        let (csv, remarks) = read_sheet(&mut book, bytes, name)?;
        if csv.is_empty() && at + 1 < shown.len() {
            continue;
        }
        let which = match sheets.len() {
            1 => None,
            n if sheets[0].name == *name => {
                Some(format!("the first of its {n} sheets is read, {name:?}"))
            }
            n => {
                let first = if at == 0 { "not hidden" } else { "neither hidden nor empty" };
                Some(format!("of its {n} sheets {name:?} is read, the first that is {first}"))
            }
        };
        return Ok((csv, which, remarks));
    }
    Err(Unread::new("the workbook has no sheet that is shown", "show the sheet with the devices"))
}

/// Reads a sheet; nothing if it is empty.
fn read_sheet(
    book: &mut Xlsx<Cursor<&[u8]>>,
    bytes: &[u8],
    name: &str,
) -> Result<(Vec<u8>, Vec<String>), Unread> {
    let merged = book.merge_cells_by_sheet_name(name).map_err(damaged)?;
    let mut writer = Writer {
        csv: Vec::new(),
        row: 0,
        cells: Vec::new(),
        heads: Vec::new(),
        merged: Merged::new(merged, MOST_COLUMNS),
        hidden: hidden::of(bytes, name)?,
        filled: BTreeSet::new(),
        numbers: Noted::default(),
        unseen: Noted::default(),
        uncounted: Noted::default(),
    };
    let mut cells = book.worksheet_cells_reader(name).map_err(damaged)?;
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(damaged)? {
        writer.add(cell.pos, &cell.value, cell.formula.is_some())?;
    }
    writer.end_row()?;
    if writer.uncounted.number > 0 {
        return Err(Unread::new(writer.uncounted.of_formulas(), SAVE_AGAIN));
    }
    let remarks = writer.remarks().collect();
    Ok((writer.csv, remarks))
}

/// Refuses what would fill the memory when it is unpacked.
fn check_size(bytes: &[u8]) -> Result<(), Unread> {
    let damaged = |e: zip::result::ZipError| {
        let problem = format!("it is no workbook that can be read: {e}");
        Unread::new(Underlying::worded(problem, e), SAVE_AGAIN)
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut unpacked = 0_u64;
    for index in 0..archive.len() {
        unpacked = unpacked.saturating_add(archive.by_index_raw(index).map_err(damaged)?.size());
    }
    match unpacked <= LARGEST_UNPACKED {
        true => Ok(()),
        false => {
            let problem = format!(
                "the workbook has {unpacked} bytes when it is unpacked; at most {LARGEST_UNPACKED} are read"
            );
            Err(Unread::new(problem, "save it as CSV UTF-8"))
        }
    }
}

/// How many there are of something, and where the first is.
#[derive(Default)]
struct Noted {
    number: usize,
    /// The row, from 1, and the column, from 0.
    first: (u32, usize),
}

impl Noted {
    fn add(&mut self, row: u32, column: usize) {
        if self.number == 0 {
            self.first = (row + 1, column);
        }
        self.number += 1;
    }

    /// Where the first is.
    fn place(&self) -> String {
        format!("row {}, column {}", self.first.0, letters(self.first.1))
    }

    fn of_formulas(&self) -> String {
        let (has, first) = match self.number {
            1 => ("1 of its formulas has".to_owned(), "it is"),
            n => (format!("{n} of its formulas have"), "the first is"),
        };
        format!("{has} no stored value: {first} in {}", self.place())
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
    hidden: Hidden,
    /// Columns with anything in them.
    filled: BTreeSet<usize>,
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
            self.uncounted.add(row, column);
        }
        let text = self.text(value, column);
        if !text.is_empty() {
            self.filled.insert(column);
        }
        self.cells.resize(column, String::new());
        self.cells.push(text);
        Ok(())
    }

    fn text(&mut self, value: &DataRef<'_>, column: usize) -> String {
        match value {
            DataRef::Int(n) => self.number(n.to_string(), column),
            // As what a spreadsheet has not all digits of.
            DataRef::Float(n) => {
                long_number(*n).unwrap_or_else(|| self.number(n.to_string(), column))
            }
            DataRef::String(text) => text.clone(),
            DataRef::SharedString(text) => (*text).to_owned(),
            DataRef::DateTime(date) => moment(*date),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
            DataRef::Bool(value) => value.to_string().to_uppercase(),
            DataRef::Error(error) => error.to_string(),
            DataRef::Empty => String::new(),
        }
    }

    fn number(&mut self, text: String, column: usize) -> String {
        self.numbers.add(self.row, column);
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
            } else if self.hidden.rows.contains(&self.row) {
                self.unseen.add(self.row, 0);
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
            let (which, them, their) = match self.numbers.number {
                1 => ("1 of its cells is a number, in".to_owned(), "it", "its"),
                n => (format!("{n} of its cells are numbers, the first in"), "them", "their"),
            };
            format!(
                "{which} {}: zeros in front of {them}, which only {their} format shows, are not read; format ids as text",
                self.numbers.place()
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
        numbers.into_iter().chain(unseen).chain(self.hidden_columns())
    }

    fn hidden_columns(&self) -> Option<String> {
        let is_hidden = |at: &&usize| self.hidden.columns.iter().any(|some| some.contains(*at));
        let hidden: Vec<String> =
            self.filled.iter().filter(is_hidden).map(|at| letters(*at)).collect();
        let (first, number) = (hidden.first()?, hidden.len());
        let are = match number {
            1 => format!("column {first} is"),
            _ => format!("{number} columns are"),
        };
        let which = if number == 1 { String::new() } else { format!(", the first is {first}") };
        Some(format!("{are} hidden{which}: hidden columns of a list are read too"))
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
