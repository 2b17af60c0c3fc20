//! Device lists: CSV with headers, or ids one by one; all faults at once.
//!
//! The column `id` (or `ID`, `client_id`, `serial`) is the device identifier; every other column is
//! kept with the device for the registration CSV. The separator (comma, semicolon or tab) is the
//! one that occurs most in the first line. Refused, each with its line: ids that
//! [`DeviceId::parse`] refuses, ids that occur twice or differ only in case, rows that are longer
//! or shorter than the header, and numbers that a spreadsheet has rounded, in any column. A file that is not
//! UTF-8 is refused as a whole. What spreadsheets add is left out: `sep=;`, empty rows and cells, and the dress
//! `="000123"`. A workbook (`.xlsx`) is read with the feature `workbook`.
//!
//! A [`DeviceList`] holds its devices. A [`ListFile`] holds their ids only, and reads the rest row by
//! row when it is needed: that is how a million devices are issued.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::ids::Ids;
use super::plan::Due;
use super::rows::Rows;
use super::{BadRow, BadRows, BulkError, MOST_FAULTS};
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::failure::Failure;
use crate::files;
use crate::name::Name;
use crate::secret::Password;

/// Largest workbook, in bytes: some 500,000 devices.
const LARGEST_WORKBOOK: u64 = 64 << 20;

/// Headers that name the column of ids, in lower case.
pub const ID_COLUMNS: [&str; 4] = ["id", "client_id", "device_id", "serial"];

/// How a list is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The header of the column of ids, to the letter; if there is none, one of [`ID_COLUMNS`].
    pub id_column: Option<String>,
}

impl ListOptions {
    /// Whether that is the header of the column of ids.
    pub(super) fn is_id(&self, header: &str) -> bool {
        match &self.id_column {
            Some(wanted) => header == wanted.trim(),
            None => ID_COLUMNS.contains(&header.to_lowercase().as_str()),
        }
    }
}

/// Where a device's key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceKey {
    /// A new one is made.
    #[default]
    New,
    /// The device keeps it; its request has proven that. No key is written.
    Requested(PublicKey),
    /// It is in a file, which keeps its form: an encrypted key stays encrypted under its password.
    File {
        /// The file.
        path: PathBuf,
        /// Its password, if it has one.
        password: Option<Password>,
    },
}

/// A device to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identifier.
    pub id: DeviceId,
    /// Where its key comes from.
    pub key: DeviceKey,
    /// Its whole subject, in place of the run's.
    pub subject: Option<Name>,
    /// Its line in the list (from 1), if it came from one.
    pub line: Option<u64>,
    /// The other columns of its row that are not empty.
    pub details: BTreeMap<String, String>,
}

/// What a list holds: the devices that can be issued, and the faults of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceList {
    /// Devices in the order of the list.
    pub devices: Vec<Device>,
    /// Faults in the order of the list.
    pub faults: Vec<BadRow>,
    /// What the user should know of how it was read, a sentence each.
    pub remarks: Vec<String>,
}

impl DeviceList {
    /// Takes ids one by one, as from a command line.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut list, mut seen) = (Self::default(), Ids::default());
        for text in ids {
            let device = DeviceId::parse(text).map_err(|e| BadRow {
                id: text.to_owned(),
                line: None,
                message: e.at("command line"),
                hint: e.hint(),
            });
            let device = device.and_then(|id| seen.add(&id, None, None).map(|()| id));
            match device {
                Ok(id) => list.devices.push(Device {
                    id,
                    key: DeviceKey::New,
                    subject: None,
                    line: None,
                    details: BTreeMap::new(),
                }),
                Err(fault) => list.faults.push(fault),
            }
        }
        list
    }

    /// Reads a CSV, or a workbook; `file` is what messages call it.
    pub fn from_csv(file: &str, bytes: &[u8]) -> Result<Self, BulkError> {
        Self::from_csv_with(file, bytes, &ListOptions::default())
    }

    /// The same, as the options say.
    pub fn from_csv_with(
        file: &str,
        bytes: &[u8],
        options: &ListOptions,
    ) -> Result<Self, BulkError> {
        let (bytes, remarks) = as_csv(file, bytes)?;
        let (mut list, mut seen) = (Self { remarks, ..Self::default() }, Ids::default());
        let mut rows = Rows::new(file, bytes.as_ref(), options, true)?;
        while let Some(row) = rows.read()? {
            let new = row.and_then(|d| seen.add(&d.id, d.line, Some(file)).map(|()| d));
            match new {
                Ok(device) => list.devices.push(device),
                Err(fault) => list.faults.push(fault),
            }
        }
        if list.devices.is_empty() && list.faults.is_empty() {
            return Err(no_device(file));
        }
        Ok(list)
    }
}

/// A list as CSV, whatever it came as, and what is to be said of that.
fn as_csv<'b>(file: &str, bytes: &'b [u8]) -> Result<(Cow<'b, [u8]>, Vec<String>), BulkError> {
    if !is_workbook(bytes) {
        return Ok((Cow::Borrowed(bytes), Vec::new()));
    }
    #[cfg(feature = "workbook")]
    let sheet = super::workbook::read(bytes);
    #[cfg(not(feature = "workbook"))]
    let sheet = Err::<(Vec<u8>, Vec<String>), _>(
        "this program reads no workbooks: save it as CSV UTF-8".to_owned(),
    );
    let fail = |problem| BulkError::List { file: file.to_owned(), problem };
    let (csv, remarks) = sheet.map_err(fail)?;
    let named = remarks.into_iter().map(|remark| format!("{file}: {remark}")).collect();
    Ok((Cow::Owned(csv), named))
}

/// Whether bytes begin as a workbook does: all are zip archives (APPNOTE 4.3.7).
fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

fn no_device(file: &str) -> BulkError {
    BulkError::List { file: file.to_owned(), problem: "it lists no device".to_owned() }
}

/// A list in a file, whose rows are read again when they are needed.
///
/// Opening it reads it once, whole, for its faults. The file stays open: one that is put in its place
/// in the meantime is not looked at, and one that is changed is noticed.
#[derive(Debug)]
pub struct ListFile {
    name: String,
    file: File,
    pub(super) ids: Ids,
    options: ListOptions,
    faults: Vec<BadRow>,
    faulty: usize,
    remarks: Vec<String>,
}

impl ListFile {
    /// Opens a list and finds its faults.
    pub fn open(path: &Path, options: ListOptions) -> Result<Self, BulkError> {
        Self::survey(path.display().to_string(), files::open_for_passes(path)?, options)
    }

    /// Takes a list from a stream, which is kept in a file without a name until the list is dropped.
    pub fn take(name: &str, stream: impl Read, options: ListOptions) -> Result<Self, BulkError> {
        Self::survey(name.to_owned(), files::spool(name, stream)?, options)
    }

    fn survey(name: String, file: File, options: ListOptions) -> Result<Self, BulkError> {
        let (file, remarks) = unpack(&name, file)?;
        let (mut ids, mut faults, mut faulty) = (Ids::default(), Vec::new(), 0);
        let mut rows = Rows::new(&name, &file, &options, false)?;
        while let Some(row) = rows.read()? {
            let new = row.and_then(|device| ids.add(&device.id, device.line, Some(&name)));
            if let Err(fault) = new {
                faulty += 1;
                if faults.len() < MOST_FAULTS {
                    faults.push(fault);
                }
            }
        }
        if ids.len() == 0 && faulty == 0 {
            return Err(no_device(&name));
        }
        Ok(Self { name, file, ids, options, faults, faulty, remarks })
    }

    /// Visits its devices in their order, with all that the list says of them, without holding them all. An
    /// error of `visit` ends it.
    pub fn each<E: From<BulkError>>(
        &self,
        mut visit: impl FnMut(Device) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rows = self.rows()?;
        (0..self.ids.len()).try_for_each(|index| visit(self.read(&mut rows, index)?))
    }

    /// Faults of single devices.
    pub fn faults(&self) -> BadRows {
        BadRows { first: self.faults.clone(), count: self.faulty }
    }

    /// What the user should know of how it was read, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// How many devices it has, without those with faults.
    pub fn devices(&self) -> usize {
        self.ids.len()
    }

    /// The rows from the first one on, with all their columns.
    pub(super) fn rows(&self) -> Result<Rows<'_, &File>, BulkError> {
        let fail =
            |e: std::io::Error| BulkError::List { file: self.name.clone(), problem: e.to_string() };
        (&self.file).rewind().map_err(fail)?;
        Rows::new(&self.name, &self.file, &self.options, true)
    }

    /// The next device that is to be issued: the one at position `index` of those without faults.
    pub(super) fn read(
        &self,
        rows: &mut Rows<'_, &File>,
        index: usize,
    ) -> Result<Device, BulkError> {
        let changed = || BulkError::ListChanged { file: self.name.clone() };
        loop {
            let device = match rows.read()?.ok_or_else(changed)? {
                Ok(device) => device,
                Err(_) if self.faulty > 0 => continue,
                Err(_) => return Err(changed()),
            };
            match self.ids.find(&device.id) {
                Some(found) if found == index && self.ids.text(index) == device.id.as_str() => {
                    return Ok(device);
                }
                // One that is not due, or a duplicate, which is a fault that was told.
                Some(found) if found < index => {}
                _ => return Err(changed()),
            }
        }
    }
}

/// Puts the CSV of a workbook in its place.
fn unpack(name: &str, mut file: File) -> Result<(File, Vec<String>), BulkError> {
    let fail =
        |e: std::io::Error| BulkError::List { file: name.to_owned(), problem: e.to_string() };
    let mut head = Vec::new();
    (&file).take(4).read_to_end(&mut head).map_err(fail)?;
    file.rewind().map_err(fail)?;
    if !is_workbook(&head) {
        return Ok((file, Vec::new()));
    }
    let mut bytes = Vec::new();
    (&file).take(LARGEST_WORKBOOK + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_WORKBOOK {
        let problem =
            format!("a workbook has at most {LARGEST_WORKBOOK} bytes: save it as CSV UTF-8");
        return Err(BulkError::List { file: name.to_owned(), problem });
    }
    let (csv, remarks) = as_csv(name, &bytes)?;
    Ok((files::spool(name, csv.as_ref())?, remarks))
}

/// The devices of a run: at hand, or in a file.
#[derive(Debug)]
pub enum Devices {
    /// At hand.
    List(DeviceList),
    /// In a file.
    File(ListFile),
}

impl From<DeviceList> for Devices {
    fn from(list: DeviceList) -> Self {
        Self::List(list)
    }
}

impl From<ListFile> for Devices {
    fn from(file: ListFile) -> Self {
        Self::File(file)
    }
}

impl Devices {
    /// How many devices it has, without those with faults.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.devices.len(),
            Self::File(file) => file.ids.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Faults of single devices, the first [`MOST_FAULTS`] of them.
    pub fn faults(&self) -> &[BadRow] {
        match self {
            Self::List(list) => &list.faults,
            Self::File(file) => &file.faults,
        }
    }

    /// How many have faults.
    pub fn faulty(&self) -> usize {
        match self {
            Self::List(list) => list.faults.len(),
            Self::File(file) => file.faulty,
        }
    }

    /// Whether some devices get a key here, or bring one along.
    pub fn has_keys(&self) -> bool {
        match self {
            Self::List(list) => {
                list.devices.iter().any(|d| !matches!(d.key, DeviceKey::Requested(_)))
            }
            Self::File(_) => true,
        }
    }

    /// Whether some devices get a new key here.
    pub fn has_new_keys(&self) -> bool {
        match self {
            Self::List(list) => list.devices.iter().any(|d| d.key == DeviceKey::New),
            Self::File(_) => true,
        }
    }

    /// How many of the devices that are due get a new key.
    pub(super) fn new_keys(&self, due: &[Due]) -> usize {
        let is_new = |index: usize| match self {
            Self::List(list) => list.devices[index].key == DeviceKey::New,
            Self::File(_) => true,
        };
        let due = due.iter().enumerate().filter(|(_, due)| **due != Due::Not);
        due.filter(|(index, _)| is_new(*index)).count()
    }

    /// The device at a position, without its details.
    pub(super) fn outline(&self, index: usize) -> Result<Outline<'_>, BulkError> {
        match self {
            Self::List(list) => {
                let device = &list.devices[index];
                let (id, line) = (device.id.clone(), device.line);
                Ok(Outline { id, line, subject: device.subject.as_ref() })
            }
            Self::File(file) => {
                let id = DeviceId::parse(file.ids.text(index)).map_err(|e| BulkError::List {
                    file: file.name.clone(),
                    problem: e.to_string(),
                })?;
                Ok(Outline { id, line: file.ids.line(index), subject: None })
            }
        }
    }
}

/// What has to be known of a device to say whether it may be issued.
pub(super) struct Outline<'a> {
    pub(super) id: DeviceId,
    pub(super) line: Option<u64>,
    pub(super) subject: Option<&'a Name>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_are_found() {
        for (text, id) in [
            ("id,name\na,b;c\n", "a"),
            ("name;ID\nx,y;a\n", "a"),
            ("\u{feff}serial\tname\na\tb\n", "a"),
            ("id\na\n", "a"),
        ] {
            let list = DeviceList::from_csv("x.csv", text.as_bytes()).unwrap();
            assert_eq!(list.faults, []);
            assert_eq!(list.devices[0].id.as_str(), id, "{text:?}");
        }
    }

    #[test]
    fn faults_name_place_and_remedy() {
        let text = "id,name\nok-1,\nAA:BB,\nok-1,\nOK-1,\nshort\n";
        let list = DeviceList::from_csv("d.csv", text.as_bytes()).unwrap();
        assert_eq!(list.devices.len(), 1);
        let messages: Vec<&str> = list.faults.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "device id \"AA:BB\" (d.csv line 3) contains ':', which the platform reserves",
                "device id \"ok-1\" (d.csv line 4) is there already in line 2",
                "device id \"OK-1\" (d.csv line 5) differs from \"ok-1\" in line 2 only in case",
                "the row of \"short\" (d.csv line 6) has 1 column(s), the header 2",
            ]
        );
    }

    #[test]
    fn lines_are_right_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["id,name", "a,", "", "\"x", "y\",", "b:b,"].join(end);
            let list = DeviceList::from_csv("d.csv", text.as_bytes()).unwrap();
            let lines: Vec<_> = list.faults.iter().map(|f| f.line).collect();
            assert_eq!(lines, [Some(4), Some(6)], "{end:?}");
        }
    }

    #[test]
    fn lists_without_ids_are_refused() {
        for text in ["", "name,type\na,b\n", "id,name\n"] {
            assert!(DeviceList::from_csv("x.csv", text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn another_encoding_is_named() {
        let text = |octets: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}id,name\ngw-1,\u{c4}\n".encode_utf16().flat_map(octets).collect()
        };
        for bytes in [text(u16::to_le_bytes), text(u16::to_be_bytes)] {
            let refused = DeviceList::from_csv("x.csv", &bytes).unwrap_err();
            assert!(matches!(refused, BulkError::Utf16 { .. }), "{refused}");
            assert_eq!(
                refused.hint().map(|h| h.to_string()).as_deref(),
                Some("save it as CSV UTF-8")
            );
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = DeviceList::from_csv("x.csv", &bytes);
            let with_header = [b"id,name\n", bytes.as_slice()].concat();
            let _ = DeviceList::from_csv("x.csv", &with_header);
        }
    }
}
