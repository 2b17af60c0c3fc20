//! The devices of the list as they stand: their certificates by the registry, and what a run says of them. All numbers of the
//! page are counted here, in the rows of its table.

use std::collections::{HashMap, HashSet};

use super::super::RolloutError;
use super::super::connect::Connected;
use super::super::listed::revoked_at;
use super::super::outcome::Report;
use super::super::plan::read_list;
use super::super::registered::Registered;
use super::super::spec::Spec;
use super::{DeviceRow, Devices, MOST_ROWS};
use crate::client_id::DeviceId;
use crate::pki::Pki;
use crate::registry::{Filter, Role, Status};

/// The devices of the list, and how many each CA has issued of them.
pub(super) fn devices(
    spec: &Spec,
    pki: Option<&Pki>,
    report: Option<&Report>,
) -> Result<(Devices, HashMap<String, usize>), RolloutError> {
    let Ok(list) = read_list(spec) else {
        // Its faults are told.
        return Ok((Devices::default(), HashMap::new()));
    };
    let places: HashMap<String, usize> =
        list.devices.iter().enumerate().map(|(at, device)| (device.id.folded(), at)).collect();
    let mut rows: Vec<DeviceRow> = list
        .devices
        .iter()
        .map(|device| DeviceRow { id: device.id.to_string(), ..DeviceRow::default() })
        .collect();
    let incomplete = report.map_or(0, |report| report.devices.incomplete);
    let mut devices = Devices { listed: rows.len(), incomplete, ..Devices::default() };
    let mut by_ca = HashMap::new();
    if let Some(pki) = pki {
        let live =
            Filter { role: Some(Role::Device), status: Some(Status::Live), ..Filter::default() };
        pki.registry().each::<RolloutError>(&live, |record| {
            let folded = record.holder.device().map(DeviceId::folded);
            let row = folded.and_then(|id| places.get(&id)).and_then(|at| rows.get_mut(*at));
            if let Some(row) = row {
                *devices.expiry.entry(record.not_after.date()).or_default() += 1;
                *by_ca.entry(record.ca).or_default() += 1;
                devices.issued += 1;
                let serial = record.serial.to_string();
                row.certificate = Some((serial, record.not_before, record.not_after));
            }
            Ok(())
        })?;
        for (row, device) in rows.iter_mut().zip(&list.devices) {
            if row.certificate.is_none() {
                row.revoked = revoked_at(pki, &device.id)?;
            }
        }
        devices.revoked = rows.iter().filter(|row| row.revoked.is_some()).count();
    }
    if let Some(registered) = report.and_then(|r| r.registered.as_ref()) {
        mark_registered(&mut rows, registered);
        devices.registered = Some(rows.iter().filter(|row| row.registered == Some(true)).count());
        devices.registered_before = registered.before;
    }
    if let Some(connected) = report.and_then(|r| r.connected.as_ref()) {
        devices.connected = Some((connected.connected, connected.devices));
        devices.place = Some(connected.place());
        mark_connected(&mut rows, connected);
    }
    rows.sort_by_key(|row| (!row.has_failed(), row.revoked.is_none()));
    rows.truncate(MOST_ROWS);
    devices.rows = rows;
    Ok((devices, by_ca))
}

/// Of a device without a row in the registration, or whose row was not sent, nothing is said.
fn mark_registered(rows: &mut [DeviceRow], registered: &Registered) {
    let done: HashSet<&str> = registered.done.iter().map(String::as_str).collect();
    let refused: HashSet<&str> = registered.refused.iter().map(|r| r.id.as_str()).collect();
    for row in rows {
        row.registered = match row.id.as_str() {
            id if done.contains(id) => Some(true),
            id if refused.contains(id) => Some(false),
            _ => None,
        };
    }
}

fn mark_connected(rows: &mut [DeviceRow], connected: &Connected) {
    let does: HashSet<&str> = connected.ids.iter().map(|id| id.as_str()).collect();
    let does_not: HashSet<&str> = connected.failed.iter().map(|f| f.id.as_str()).collect();
    for row in rows {
        row.connected = match row.id.as_str() {
            id if does.contains(id) => Some(true),
            id if does_not.contains(id) => Some(false),
            _ => None,
        };
    }
}
