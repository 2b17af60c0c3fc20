//! The CSV of the platform's bulk registration: made, and checked (platform: "Bulk registration").
//!
//! UTF-8, the first line holds the headers, the separator is a tab, `;` or `,`, which the platform
//! detects by itself. For devices with certificates: `ID` is the device identifier, `AUTH_TYPE` is
//! `CERTIFICATES`, `CREDENTIALS` is absent or empty. `ICCID`, `IDTYPE`, `PATH` and `SHELL` need
//! `TYPE` and `NAME`. `com_cumulocity_model_Agent.active` = `true` lets the device receive
//! operations. One more external id goes into a last column `external-<idtype>`. Any other header
//! is a custom property; dots in it nest.
//!
//! | file | for |
//! | --- | --- |
//! | `columns` | the platform's columns, and how those of a device list are understood |
//! | `one_time` | one-time passwords |
//! | `row`, `sheet` | a device's row; the whole CSV |
//! | `check`, `records` | a CSV that is there: what is wrong with it, and its rows byte for byte |

mod check;
mod columns;
mod error;
mod one_time;
mod records;
mod row;
mod sheet;

pub(crate) use crate::list::lines::separator;
pub use check::{Finding, Level, Report, check, check_existing};
#[cfg(feature = "serve")]
pub(crate) use columns::has_password;
pub use columns::{AGENT, SEPARATORS, column_of};
pub use error::RegistrationError;
pub use one_time::{OneTimeError, OneTimePassword};
pub(crate) use records::{Record, records};
pub(crate) use row::check_placeholders;
pub use row::{Settings, column, id_types, one_time_password, said_last};
pub use sheet::{Sheet, Survey, create};
