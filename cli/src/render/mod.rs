//! Text for people from the library's values.

mod cert;
mod store;
mod text;
mod verdict;

pub(crate) use c8y_pki_core::shown::count;
pub(crate) use cert::items;
pub(crate) use store::listing;
pub(crate) use text::{
    Columns, as_line, colons, date, day, days_until, printable, quoted, table, until,
};
pub(crate) use verdict::verdicts;
