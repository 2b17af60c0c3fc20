//! The registry in an SQLite file: WAL, synchronous=FULL, one transaction per change.

pub(in crate::registry) mod connections;
pub(in crate::registry) mod copy;
pub(in crate::registry) mod opening;
pub(in crate::registry) mod reading;
pub(in crate::registry) mod schema;
mod statements;

pub(in crate::registry) use statements::{begin, error};
pub(super) use statements::{each, execute, first, insert};
