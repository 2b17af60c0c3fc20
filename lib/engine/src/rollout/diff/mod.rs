//! A plan as a difference: what the file wants and what is there, key by key. Nothing is changed here, and nothing is
//! called in place that was not looked at.
//!
//! | file | compares |
//! | --- | --- |
//! | `finding` | the result: one row for each difference, with what would apply it |
//! | `fields` | a certificate with what its profile would make of it now |
//! | `cas` | the CAs of the file with those of the PKI directory |
//! | `stores` | keystores and truststores with their password and what they are to hold |
//! | `folder` | the directory of one device |
//! | `devices` | the list with the registry and the directories |
//! | `sheet` | the registration CSV with the file that is there |

mod cas;
mod devices;
mod fields;
mod finding;
mod folder;
mod sheet;
mod stores;

pub(super) use cas::{compare as of_cas, hold_back, second_of_a_subject};
pub(super) use devices::{Held, look};
pub use finding::{Finding, Remedy, Sign};
pub(super) use sheet::compare as of_sheet;
