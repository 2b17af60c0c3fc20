//! The call: its file is read, and each row becomes a device.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::answer::{Answer, Refusal};
use super::super::auth::{self, Caller, REGISTRATION};
use super::super::call::Call;
use super::super::state::{MANAGEMENT, Pending, Registration, World};
use super::row::{self, Wanted};
use super::table::Table;

/// What became of a row.
enum Outcome {
    Created,
    Updated,
}

/// The answer, as it grows.
#[derive(Default)]
struct Report {
    rows: usize,
    created: usize,
    successful: Vec<Value>,
    failed: Vec<Value>,
}

/// `POST /devicecontrol/bulkNewDeviceRequests`.
pub(in super::super) fn register(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(REGISTRATION)?;
    let file = call.csv_file()?;
    let table = Table::read(&file.bytes, caller.tenant == MANAGEMENT);
    let table = table
        .map_err(|reason| Refusal::unprocessable(format!("The file is refused: {reason}.")))?;
    let mut report = Report::default();
    let mut seen = BTreeSet::new();
    for (line, cells) in &table.rows {
        report.rows += 1;
        let id = table.cell(cells, "ID");
        let first = seen.insert(id.to_owned());
        let result = if first {
            row::read(&table, cells).and_then(|wanted| put(world, &caller, wanted, call.now))
        } else {
            Err("the file has this id twice".to_owned())
        };
        report.add(id, *line, result);
    }
    let noted = Registration {
        at: call.now,
        rows: report.rows,
        created: report.created,
        failed: report.failed.len(),
    };
    if let Some(tenant) = world.tenants.get_mut(&caller.tenant) {
        tenant.registrations.push(noted);
    }
    Ok(Answer::vendor(201, "bulknewdevicerequest", &report.answer()))
}

impl Report {
    fn add(&mut self, id: &str, line: u64, result: Result<Outcome, String>) {
        match result {
            Ok(Outcome::Created) => {
                self.created += 1;
                let entry = json!({ "bulkNewDeviceStatus": "CREATED", "deviceId": id });
                self.successful.push(entry);
            }
            Ok(Outcome::Updated) => {
                let entry = json!({ "bulkNewDeviceStatus": "CREDENTIAL_UPDATED", "deviceId": id });
                self.successful.push(entry);
            }
            Err(reason) => self.failed.push(json!({
                "bulkNewDeviceStatus": "FAILED", "deviceId": id, "failureReason": reason,
                "line": line.to_string(),
            })),
        }
    }

    fn answer(&self) -> Value {
        json!({
            "numberOfAll": self.rows,
            "numberOfCreated": self.created,
            "numberOfFailed": self.failed.len(),
            "numberOfSuccessful": self.successful.len(),
            "credentialUpdatedList": self.successful,
            "failedCreationList": self.failed,
        })
    }
}

/// Makes the device, or gives it its new credentials.
fn put(
    world: &mut World,
    caller: &Caller,
    wanted: Wanted,
    now: OffsetDateTime,
) -> Result<Outcome, String> {
    let name = match &wanted.tenant {
        Some(tenant) if caller.tenant == MANAGEMENT => tenant,
        None if caller.tenant == MANAGEMENT => return Err("TENANT is empty".to_owned()),
        _ => &caller.tenant,
    };
    let tenant = world.tenants.get_mut(name);
    let tenant = tenant.ok_or_else(|| format!("there is no tenant {name:?}"))?;
    let Wanted { id, device, one_time, .. } = wanted;
    // It is listed as accepted until it has enrolled.
    match one_time {
        Some(one_time) => {
            tenant.requests.insert(id.clone(), Pending::to_enrol(one_time, now));
        }
        None => drop(tenant.requests.remove(&id)),
    }
    if let Some(known) = tenant.devices.get_mut(&id) {
        known.auth_type = device.auth_type;
        known.credentials = device.credentials;
        known.updated += 1;
        return Ok(Outcome::Updated);
    }
    // Each group in the path is made when it is missing.
    let mut path = String::new();
    for group in &device.groups {
        let slash = if path.is_empty() { "" } else { "/" };
        path = format!("{path}{slash}{group}");
        tenant.groups.insert(path.clone());
    }
    tenant.devices.insert(id, device);
    Ok(Outcome::Created)
}
