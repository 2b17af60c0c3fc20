//! What a list in a file does not say of its devices: their order has it, or the registry since they were issued last.

use std::collections::{BTreeMap, HashSet};

use super::error::Result;
use super::job::Job;
use crate::client_id::DeviceId;
use crate::list::Devices;
use crate::registry::Registry;

/// Fills in what a list has no column for, device by device: a list may be longer than memory.
pub(super) struct Kept {
    /// The columns that the list has; what it says there counts, also that it says nothing.
    columns: HashSet<String>,
}

impl Kept {
    /// None where nothing can be kept of the devices, or all of it was looked up before.
    pub(super) fn of(
        devices: &Devices,
        job: &Job<'_>,
        registry: &Registry,
    ) -> Result<Option<Self>> {
        let Some(columns) = devices.columns() else { return Ok(None) };
        if !job.existing.replaces() && registry.orders()?.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { columns: columns.iter().map(|header| same(header)).collect() }))
    }

    /// Adds to a row what is kept of its device.
    pub(super) fn add(
        &self,
        registry: &Registry,
        id: &DeviceId,
        details: &mut BTreeMap<String, String>,
    ) -> Result {
        let kept = registry.kept_details(id)?;
        details
            .extend(kept.into_iter().filter(|(header, _)| !self.columns.contains(&same(header))));
        Ok(())
    }
}

/// What two headers have in common that mean the same column of the platform.
fn same(header: &str) -> String {
    let lower = header.to_lowercase();
    match lower.as_str() {
        "group" => "path".to_owned(),
        "otp" | "one-time-password" | "one_time_password" => "enrollment_otp".to_owned(),
        _ => lower,
    }
}
