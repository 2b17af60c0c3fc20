//! What is wrong with single devices, and the list of them for people with a spreadsheet.

use super::device::Device;
use crate::failure::{Hint, Task};
use crate::shown;

/// How many faults of single devices are kept; the others are only counted.
pub const MOST_FAULTS: usize = 10_000;

/// A fault in a device list, or a device that cannot be issued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// The device identifier as it was given.
    pub id: String,
    /// The line of the list (from 1), if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// A sentence that names the id, its place and the rule.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

impl BadRow {
    /// A fault of this device: the sentence, and what to do about it.
    pub(crate) fn of(device: &Device, message: String, hint: Option<Hint>) -> Self {
        Self { id: device.id.as_str().to_owned(), line: device.line, message, hint }
    }

    /// A device whose id is the name of a server, which has a certificate.
    pub(crate) fn server(device: &Device) -> Self {
        let message = format!(
            "{} is the name of a server: by its common name the platform would take one for the other",
            device.named()
        );
        Self::of(device, message, Some("give the device another id".into()))
    }

    /// A device whose id looks like that of another one, which has a certificate.
    pub(crate) fn twin(device: &Device) -> Self {
        let message = format!(
            "{} looks like that of a device that has a certificate: only the case of its letters is different, \
             or their form (Unicode, NFC and NFD)",
            device.named()
        );
        let hint = Hint::run("write it as it is listed", Task::ListDevices)
            .then("or give the device another id");
        Self::of(device, message, Some(hint))
    }
}

/// The faults of many devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadRows {
    /// The first [`MOST_FAULTS`] of them, in the order of the list.
    pub first: Vec<BadRow>,
    /// How many there are.
    pub count: usize,
}

impl BadRows {
    /// Adds one; it is kept as long as they are few.
    pub fn add(&mut self, fault: BadRow) {
        self.count += 1;
        if self.first.len() < MOST_FAULTS {
            self.first.push(fault);
        }
    }

    /// Whether there are more than were kept.
    pub fn is_cut(&self) -> bool {
        self.count > self.first.len()
    }
}

impl From<Vec<BadRow>> for BadRows {
    fn from(first: Vec<BadRow>) -> Self {
        Self { count: first.len(), first }
    }
}

/// A CSV with a header: line, id, what is wrong, what to do about it.
pub fn failed_csv(faults: &[BadRow]) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |cells: [&str; 4]| {
        let cells = cells.map(|text| shown::cell(&shown::one_line(text)).into_owned());
        // All rows have four cells, and memory takes what is written: neither fails.
        let _ = csv.write_record(cells);
    };
    row(["line", "id", "problem", "remedy"]);
    for fault in faults {
        let line = fault.line.map_or_else(String::new, |line| line.to_string());
        let hint = fault.hint.as_ref().map(Hint::to_string).unwrap_or_default();
        row([&line, &fault.id, &fault.message, &hint]);
    }
    csv.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_fault() {
        let fault = |id: &str, line| BadRow {
            id: id.to_owned(),
            line,
            message: format!("device id {id:?} is odd"),
            hint: None,
        };
        let odd = BadRow { hint: Some("-x\nerror: y".into()), ..fault("a", None) };
        let csv = failed_csv(&[fault("a,b", Some(3)), fault("=1+1", None), odd]);
        let expected = "line,id,problem,remedy\n3,\"a,b\",\"device id \"\"a,b\"\" is odd\",\n\
                        ,'=1+1,\"device id \"\"=1+1\"\" is odd\",\n\
                        ,a,\"device id \"\"a\"\" is odd\",'-x\\nerror: y\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
    }
}
