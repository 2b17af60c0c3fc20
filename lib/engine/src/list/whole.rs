//! A device list in memory.

use std::borrow::Cow;

use super::device::Device;
use super::error::{ListError, Result, Unread};
use super::fault::BadRow;
use super::header::ListOptions;
use super::ids::Ids;
use super::lines::Counted;
use super::rows::Rows;
use crate::client_id::DeviceId;
use crate::failure::Failure;

/// What a list holds: the devices that can be issued, and the faults of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceList {
    /// Devices in the order of the list.
    #[doc(hidden)]
    pub devices: Vec<Device>,
    /// BadRows in the order of the list.
    #[doc(hidden)]
    pub faults: Vec<BadRow>,
    /// What the user should know of how it was read, a sentence each.
    #[doc(hidden)]
    pub remarks: Vec<String>,
}

impl DeviceList {
    /// Takes ids one by one, as from a command line.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut list, mut seen) = (Self::default(), Ids::default());
        for text in ids {
            let id = DeviceId::parse(text);
            // It may have been meant to be another one.
            if let Ok(id) = &id
                && seen.find(id).is_some_and(|at| seen.text(at) == id.as_str())
            {
                let message = format!("device id {:?} (command line) is named twice", id.as_str());
                let hint = Some("name it once, or the other one that was meant".into());
                list.faults.push(BadRow { id: id.to_string(), line: None, message, hint });
                continue;
            }
            let device = id.map_err(|e| BadRow {
                id: text.to_owned(),
                line: None,
                message: e.at("command line"),
                hint: e.hint(),
            });
            list.add(device.map(Device::from), None, &mut seen);
        }
        list
    }

    /// Adds a device, if it is good and not there yet, or its fault.
    fn add(&mut self, row: Result<Device, BadRow>, file: Option<&str>, seen: &mut Ids) {
        match row.and_then(|device| seen.add(&device, file).map(|()| device)) {
            Ok(device) => self.devices.push(device),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// The list, if no row of it has a fault.
    pub fn without_faults(self) -> Result<Self> {
        match self.faults.is_empty() {
            true => Ok(self),
            false => {
                let total = self.devices.len() + self.faults.len();
                Err(ListError::Rows { faults: self.faults.into(), total })
            }
        }
    }

    /// Reads a CSV, or a workbook; `file` is what messages call it.
    pub fn from_csv(file: &str, bytes: &[u8]) -> Result<Self> {
        Self::from_csv_with(file, bytes, &ListOptions::default())
    }

    /// The same, as the options say.
    #[doc(hidden)]
    pub fn from_csv_with(file: &str, bytes: &[u8], options: &ListOptions) -> Result<Self> {
        let AsCsv { csv, counted, sheet, remarks } = as_csv(file, bytes)?;
        let (mut list, mut seen) = (Self { remarks, ..Self::default() }, Ids::default());
        let rows = Rows::new(file, csv.as_ref(), options, counted, true);
        let mut rows = rows.map_err(|e| e.of_sheet(sheet.as_deref()))?;
        list.remarks.extend(rows.remark());
        while let Some(row) = rows.read()? {
            list.add(row, Some(file), &mut seen);
        }
        if list.devices.is_empty() && list.faults.is_empty() {
            return Err(no_device(file).of_sheet(sheet.as_deref()));
        }
        Ok(list)
    }
}

/// A list as CSV, whatever it came as, and what is to be said of that.
pub(super) struct AsCsv<'b> {
    pub(super) csv: Cow<'b, [u8]>,
    /// Of rows, each begins with its number.
    pub(super) counted: Counted,
    /// Which sheet it was, if there are others.
    pub(super) sheet: Option<String>,
    pub(super) remarks: Vec<String>,
}

/// Makes CSV of a workbook, and leaves CSV as it is.
pub(super) fn as_csv<'b>(file: &str, bytes: &'b [u8]) -> Result<AsCsv<'b>> {
    if !is_workbook(bytes) {
        let (counted, remarks) = (Counted::Lines, Vec::new());
        return Ok(AsCsv { csv: bytes.into(), counted, sheet: None, remarks });
    }
    #[cfg(feature = "workbook")]
    let read = super::workbook::read(bytes);
    #[cfg(not(feature = "workbook"))]
    let read = Err::<(Vec<u8>, Option<String>, Vec<String>), _>(Unread::new(
        "this program reads no workbooks",
        "save it as CSV UTF-8",
    ));
    let (csv, sheet, remarks) = read.map_err(|Unread { problem, hint }| {
        let error = ListError::unreadable(file, problem);
        match hint {
            Some(hint) => error.with(hint),
            None => error,
        }
    })?;
    let remarks = sheet.iter().cloned().chain(remarks);
    let remarks = remarks.map(|remark| format!("{file}: {remark}")).collect();
    Ok(AsCsv { csv: csv.into(), counted: Counted::Rows, sheet, remarks })
}

/// Whether bytes begin as a workbook does: all are zip archives (APPNOTE 4.3.7).
pub(super) fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// A list without a device, good or bad.
pub(super) fn no_device(file: &str) -> ListError {
    ListError::no_list(file, "it lists no device")
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
                "the row of \"short\" (d.csv line 6) has 1 column, the header 2",
            ]
        );
    }

    #[test]
    fn lines_are_right_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
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
        let text = |encode: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}id,name\ngw-1,\u{c4}\n".encode_utf16().flat_map(encode).collect()
        };
        for bytes in [text(u16::to_le_bytes), text(u16::to_be_bytes)] {
            let refused = DeviceList::from_csv("x.csv", &bytes).unwrap_err();
            assert!(matches!(refused, ListError::Utf16 { .. }), "{refused}");
            let hint = refused.hint().map(|hint| hint.to_string());
            assert_eq!(hint.as_deref(), Some("save it as CSV UTF-8"));
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
