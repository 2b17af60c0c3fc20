//! Lists in workbooks (`.xlsx`): the first sheet, as the CSV that the spreadsheet would have exported.
//!
//! Texts come as they are. A number has no other digits than its value: zeros in front of it are only its
//! format, and beyond 15 digits they are rounded. The former is remarked, the latter refused with its row.

use std::io::Cursor;

use calamine::{Cell, DataRef, Reader, Xlsx};

use super::lines::MOST_COLUMNS;
use crate::failure::Underlying;

/// Largest it may be when it is unpacked, in bytes, as its own directory says.
const LARGEST_UNPACKED: u64 = 1 << 30;

/// Most digits that a number of a spreadsheet has (IEEE 754 double, as Excel shows it).
const EXACT: f64 = 1e15;

/// UTF-8, separated by tabs, row `n` in line `n`; and what the user should know of how it was read.
type Sheet = (Vec<u8>, Vec<String>);

/// Reads the first sheet. Errors: what is wrong, without the file's name.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet, Underlying> {
    check_size(bytes)?;
    let damaged = |e: calamine::XlsxError| {
        Underlying::worded(format!("it is no workbook that can be read: {e}"), e)
    };
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let sheets = book.sheet_names();
    let name = sheets.first().cloned().ok_or("the workbook has no sheet")?;
    let mut remarks = Vec::new();
    if sheets.len() > 1 {
        remarks.push(format!("the first of its {} sheets is read, {name:?}", sheets.len()));
    }
    let mut writer = Writer::default();
    let mut cells = book.worksheet_cells_reader(&name).map_err(damaged)?;
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        writer.add(&cell)?;
    }
    if writer.numbers > 0 {
        remarks.push(format!(
            "{} of its cells are numbers, the first in row {}: zeros in front of them, which only their format \
             shows, are not read; format ids as text",
            writer.numbers, writer.first_number
        ));
    }
    writer.end_row()?;
    Ok((writer.csv, remarks))
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

/// Writes rows as they come.
#[derive(Default)]
struct Writer {
    csv: Vec<u8>,
    /// The row that is being filled, from 0.
    row: u32,
    cells: Vec<String>,
    /// How many cells the first row has, the header.
    width: usize,
    numbers: usize,
    first_number: u32,
}

impl Writer {
    fn add(&mut self, cell: &Cell<DataRef<'_>>) -> Result<(), Underlying> {
        let (row, column) = cell.get_position();
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
        let text = self.text(cell.get_value());
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
            DataRef::DateTime(date) => {
                let (year, month, day, ..) = date.to_ymd_hms_milli();
                return format!("{year:04}-{month:02}-{day:02}");
            }
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => return text.clone(),
            DataRef::Bool(value) => return value.to_string().to_uppercase(),
            DataRef::Error(error) => return format!("#{error}"),
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
        self.numbers += 1;
        if self.numbers == 1 {
            self.first_number = self.row + 1;
        }
        text
    }

    fn end_row(&mut self) -> Result<(), Underlying> {
        if self.cells.iter().any(|cell| !cell.is_empty()) {
            if self.width == 0 {
                self.width = self.cells.len();
            }
            // Empty cells at the end of a row are not in the file.
            self.cells.resize(self.cells.len().max(self.width), String::new());
            let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(&mut self.csv);
            writer.write_record(&self.cells).map_err(Underlying::of)?;
            writer.flush().map_err(Underlying::of)?;
        } else {
            self.csv.push(b'\n');
        }
        self.cells.clear();
        self.row += 1;
        Ok(())
    }
}
