//! A device list that stays in its file: its ids are held, the rest is read row by row when it is needed. That is how
//! a million devices are issued.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::device::Device;
use super::error::{ListError, Result};
use super::fault::BadRows;
use super::header::ListOptions;
use super::ids::Ids;
use super::lines::Counted;
use super::rows::Rows;
use super::whole::{AsCsv, as_csv, is_workbook, no_device};
use crate::failure::Underlying;
use crate::files;

/// Largest workbook, in bytes: some 500,000 devices.
const LARGEST_WORKBOOK: u64 = 64 << 20;

/// A list in a file, whose rows are read again when they are needed.
///
/// Opening it reads it once, whole, for its faults. The file stays open: one that is put in its place
/// in the meantime is not looked at, and one that is changed is noticed.
#[derive(Debug)]
pub struct ListFile {
    name: String,
    file: File,
    counted: Counted,
    ids: Ids,
    columns: Vec<String>,
    options: ListOptions,
    faults: BadRows,
    remarks: Vec<String>,
}

impl ListFile {
    /// Opens a list and finds its faults.
    pub fn open(path: &Path, options: ListOptions) -> Result<Self> {
        Self::survey(path.display().to_string(), files::open_for_passes(path)?, options)
    }

    /// Takes a list from a stream, which is kept in a file without a name until the list is dropped.
    pub fn take(name: &str, stream: impl Read, options: ListOptions) -> Result<Self> {
        Self::survey(name.to_owned(), files::spool(name, stream)?, options)
    }

    fn survey(name: String, file: File, options: ListOptions) -> Result<Self> {
        let Unpacked { file, counted, sheet, mut remarks } = unpack(&name, file)?;
        let (mut ids, mut faults) = (Ids::default(), BadRows::default());
        let rows = Rows::new(&name, &file, &options, counted, false);
        let mut rows = rows.map_err(|e| e.of_sheet(sheet.as_deref()))?;
        remarks.extend(rows.remark());
        while let Some(row) = rows.read()? {
            let new = row.and_then(|device| ids.add(&device, Some(&name)));
            new.err().into_iter().for_each(|fault| faults.add(fault));
        }
        if ids.len() == 0 && faults.count == 0 {
            return Err(no_device(&name).of_sheet(sheet.as_deref()));
        }
        let columns = rows.columns();
        Ok(Self { name, file, counted, ids, columns, options, faults, remarks })
    }

    /// Visits its devices in their order, with all that the list says of them, without holding them all. An
    /// error of `visit` ends it.
    pub fn each<E: From<ListError>>(
        &self,
        mut visit: impl FnMut(Device) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reading = self.reading()?;
        (0..self.ids.len()).try_for_each(|index| visit(reading.read(index)?))
    }

    /// BadRows of single devices.
    pub fn faults(&self) -> &BadRows {
        &self.faults
    }

    /// What the user should know of how it was read, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many devices it has, without those with faults.
    pub fn devices(&self) -> usize {
        self.ids.len()
    }

    /// Its columns beside that of the ids.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The device at a position, without its details.
    pub(super) fn outline(&self, index: usize) -> Device {
        let (line, counted) = (self.ids.line(index), self.counted);
        Device { line, counted, ..Device::from(self.ids.id(index)) }
    }

    /// Begins to read its devices, with all their columns.
    pub(super) fn reading(&self) -> Result<Reading<'_>> {
        (&self.file).rewind().map_err(|e| ListError::unreadable(&self.name, Underlying::of(e)))?;
        let rows = Rows::new(&self.name, &self.file, &self.options, self.counted, true)?;
        Ok(Reading { list: self, rows: Box::new(rows) })
    }
}

/// Reads the devices of a list in their order. What is read was looked at before: the ids are those of then.
pub(crate) struct Reading<'a> {
    list: &'a ListFile,
    rows: Box<Rows<'a, &'a File>>,
}

impl Reading<'_> {
    /// The device at position `index` of those without faults, behind the one that was read last.
    pub(super) fn read(&mut self, index: usize) -> Result<Device> {
        let ListFile { ids, faults, name, .. } = self.list;
        let changed = || ListError::Changed { file: name.clone() };
        loop {
            let device = match self.rows.read()?.ok_or_else(changed)? {
                Ok(device) => device,
                Err(_) if faults.count > 0 => continue,
                Err(_) => return Err(changed()),
            };
            match ids.find(&device.id) {
                Some(found) if found == index && ids.text(index) == device.id.as_str() => {
                    return Ok(device);
                }
                // One that is not due, or a duplicate, which is a fault that was told.
                Some(found) if found < index => {}
                _ => return Err(changed()),
            }
        }
    }
}

/// A list as CSV in a file.
struct Unpacked {
    file: File,
    counted: Counted,
    sheet: Option<String>,
    remarks: Vec<String>,
}

/// Puts the CSV of a workbook in its place.
fn unpack(name: &str, mut file: File) -> Result<Unpacked> {
    let fail = |e: std::io::Error| ListError::unreadable(name, Underlying::of(e));
    let mut head = Vec::new();
    (&file).take(4).read_to_end(&mut head).map_err(fail)?;
    file.rewind().map_err(fail)?;
    if !is_workbook(&head) {
        let (counted, remarks) = (Counted::Lines, Vec::new());
        return Ok(Unpacked { file, counted, sheet: None, remarks });
    }
    let mut bytes = Vec::new();
    (&file).take(LARGEST_WORKBOOK + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_WORKBOOK {
        let problem = format!("a workbook has at most {LARGEST_WORKBOOK} bytes");
        return Err(ListError::unreadable(name, problem).with("save it as CSV UTF-8"));
    }
    let AsCsv { csv, counted, sheet, remarks } = as_csv(name, &bytes)?;
    Ok(Unpacked { file: files::spool(name, csv.as_ref())?, counted, sheet, remarks })
}
