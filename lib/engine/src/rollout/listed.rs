//! The devices of the list: which of them have a certificate, and which are to get one.

use std::collections::HashSet;
use std::path::Path;

use time::OffsetDateTime;

use super::RolloutError;
use super::diff::{Finding, Remedy, Sign};
use super::spec::Spec;
use super::step::{Action, DEVICES, Step};
use crate::client_id::DeviceId;
use crate::list::{BadRow, BadRows, Device, new_ids};
use crate::pki::Pki;
use crate::provision::bundle::Bundle;
use crate::provision::{ProvisionError, not_issued};
use crate::registry::Standing;

/// The step of the devices, and what was found on the way.
pub(super) struct DeviceStep {
    pub(super) step: Step,
    pub(super) finding: Vec<Finding>,
    pub(super) first_new: Option<usize>,
    /// The folded ids of those that were revoked: unless they are issued again, they are neither registered nor connected.
    pub(super) revoked: HashSet<String>,
}

/// What the registry has of the devices of a list.
#[derive(Default)]
struct Standings {
    /// Issued, or revoked.
    known: HashSet<String>,
    revoked: Vec<String>,
    faults: BadRows,
}

fn standings(spec: &Spec, devices: &[Device], pki: &Pki) -> Result<Standings, RolloutError> {
    let mut found = Standings::default();
    let mut standings = pki.registry().standings()?;
    for device in devices {
        // Looked at before the registry: another process records a device before its directory appears.
        let folder = spec.devices.out.join(device.id.file_name());
        let is_there = folder.exists();
        let known = match standings.of(&device.id)? {
            Standing::Unknown => {
                new_ids::fault(device).into_iter().for_each(|fault| found.faults.add(fault));
                if is_there {
                    found.faults.add(not_here(spec, device, &folder));
                }
                false
            }
            Standing::Twin => {
                found.faults.add(BadRow::twin(device));
                true
            }
            Standing::Server => {
                found.faults.add(BadRow::server(device));
                true
            }
            Standing::Live => true,
            // Revoked devices are left alone.
            Standing::Former => {
                let is_revoked = revoked_at(pki, &device.id)?.is_some();
                found.revoked.extend(is_revoked.then(|| device.id.as_str().to_owned()));
                is_revoked
            }
        };
        if known {
            found.known.insert(device.id.folded());
        }
    }
    Ok(found)
}

/// When the last certificate of a device without a live one was revoked; none if it ended otherwise, or there was none.
pub(super) fn revoked_at(pki: &Pki, id: &DeviceId) -> Result<Option<OffsetDateTime>, RolloutError> {
    let last = pki.registry().history(id)?.pop();
    Ok(last.and_then(|record| Some(record.revoked?.0)))
}

/// The same where there is no registry yet.
fn without_registry(spec: &Spec, devices: &[Device]) -> Standings {
    let mut faults = new_ids::refused(devices);
    for device in devices {
        let folder = spec.devices.out.join(device.id.file_name());
        if folder.exists() {
            faults.add(not_here(spec, device, &folder));
        }
    }
    Standings { faults, ..Standings::default() }
}

/// The fault of a device whose directory is there, but which the registry of the file's PKI directory does not have.
fn not_here(spec: &Spec, device: &Device, folder: &Path) -> BadRow {
    let hint = format!(
        "if `pki` in {} ({}) is not the PKI directory that has issued it, correct it; else move that directory away, or \
         choose another one with `out` under [devices]",
        spec.file.display(),
        spec.pki.display()
    );
    BadRow { hint: Some(hint.into()), ..not_issued(device, folder) }
}

/// Which devices of the list are to be issued.
pub(super) fn device_step(
    spec: &Spec,
    devices: &[Device],
    pki: Option<&Pki>,
) -> Result<DeviceStep, RolloutError> {
    let found = match pki {
        None => without_registry(spec, devices),
        Some(pki) => standings(spec, devices, pki)?,
    };
    if found.faults.count > 0 {
        return Err(ProvisionError::Faults { faults: found.faults, total: devices.len() }.into());
    }
    let issued = &found.known;
    let live = issued.len() - found.revoked.len();
    let new = devices.len() - issued.len();
    let bundle: Vec<&str> = Bundle::ALL
        .iter()
        .filter(|(kind, _)| spec.devices.bundle.contains(kind))
        .map(|(_, name)| *name)
        .collect();
    let action = if new > 0 { Action::Create } else { Action::Keep };
    let by = format!("by {}: {}", spec.devices.ca, bundle.join(", "));
    let without = match found.revoked.len() {
        0 => String::new(),
        n => format!(", {n} revoked"),
    };
    let detail = format!("{new} new, {live} issued before{without}, {by}");
    let first_new = devices.iter().position(|d| !issued.contains(&d.id.folded()));
    let name = spec.devices.out.display().to_string();
    let mut finding = Vec::new();
    if new > 0 {
        let mut missing =
            Finding::new(Sign::Missing, "devices.from", &name, format!("to be issued {by}"));
        let due = devices.iter().filter(|device| !issued.contains(&device.id.folded()));
        due.for_each(|device| missing.count(device.id.as_str()));
        finding.push(missing.by(Remedy::Apply));
    }
    if !found.revoked.is_empty() {
        let detail = match spec.allowed.issue_revoked {
            true => "in the list, but revoked: they are issued again",
            false => "in the list, but revoked: they get no certificate and are not registered",
        };
        let mut revoked = Finding::new(Sign::Differs, "devices.from", &name, detail);
        found.revoked.iter().for_each(|id| revoked.count(id));
        let remedy = if spec.allowed.issue_revoked { Remedy::Apply } else { Remedy::IssueRevoked };
        finding.push(revoked.by(remedy));
    }
    let step = Step::new(action, DEVICES, name, detail);
    let revoked = found.revoked.iter().map(|id| DeviceId::known(id.as_str()).folded()).collect();
    Ok(DeviceStep { step: step.of(new), finding, first_new, revoked })
}
