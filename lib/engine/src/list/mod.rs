//! Device lists: a CSV, a workbook, or ids one by one; all faults at once.
//!
//! The column `id` (or `ID`, `client_id`, `serial`) is the device identifier; every other column is
//! kept with the device for the registration CSV. The separator (comma, semicolon or tab) is the
//! one that occurs most in the first line. Refused, each with its line: ids that
//! [`DeviceId::parse`](crate::client_id::DeviceId::parse) refuses, ids that occur twice or differ only in case,
//! rows that are longer or shorter than the header, and in any column errors of formulas and numbers that a spreadsheet
//! has rounded. A file that is not UTF-8 is refused as a whole. What spreadsheets add is left out: `sep=;`, empty rows
//! and cells, and the dress `="000123"`. A workbook (`.xlsx`) is read with the feature `workbook`.
//!
//! | file | for |
//! | --- | --- |
//! | `device` | one device, and where its key comes from |
//! | `fault` | what is wrong with one device, and the CSV of such faults |
//! | `error` | why a list cannot be used at all |
//! | `lines` | separators and line numbers of any CSV |
//! | `cell` | what spreadsheets do to texts and numbers |
//! | `workbook`, `merged`, `hidden` | the sheet of a workbook; its merged cells; its hidden rows and columns |
//! | `header` | where the header of a list is |
//! | `rows` | the rows of a list, one after the other |
//! | `ids` | the ids of a list, each once |
//! | `whole`, `file` | a list in memory; a list that stays in its file |
//! | `devices` | either of them |
//! | `new_ids` | ids that the platform refuses in new devices |

mod cell;
mod device;
mod devices;
mod error;
mod fault;
mod file;
mod header;
#[cfg(feature = "workbook")]
mod hidden;
mod ids;
pub(crate) mod lines;
#[cfg(feature = "workbook")]
mod merged;
pub mod new_ids;
mod rows;
mod whole;
#[cfg(feature = "workbook")]
mod workbook;

pub use device::{Device, DeviceKey};
pub use devices::Devices;
pub(crate) use devices::Reader;
pub use error::ListError;
pub use fault::{BadRow, BadRows, MOST_FAULTS, failed_csv};
pub use file::ListFile;
pub use header::{ID_COLUMNS, ListOptions};
pub use lines::Counted;
pub use whole::DeviceList;
