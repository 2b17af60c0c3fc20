//! What became of the devices at the tenant.

use std::path::PathBuf;

use serde::Serialize;

use crate::platform::register::RowResult;

/// What became of the devices at the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// The tenant's id.
    pub tenant: String,
    /// Rows of the registration CSV.
    pub rows: usize,
    /// Rows that this run has not sent, because the result file calls them done.
    pub before: usize,
    /// Devices that were created, now or before.
    pub created: usize,
    /// Devices that were there.
    pub updated: usize,
    /// Rows that the platform refused.
    pub failed: usize,
    /// Rows that were not sent because the run ended before.
    pub left: usize,
    /// The devices that were created or were there.
    #[serde(skip)]
    pub done: Vec<String>,
    /// The rows that the platform refused, and why.
    #[serde(skip)]
    pub refused: Vec<RowResult>,
    /// The file with the result of each row.
    pub result: PathBuf,
    /// Whether it was interrupted before the last row.
    pub stopped: bool,
}
