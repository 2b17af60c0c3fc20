//! What a run will do: which devices to issue, which to skip, and every fault at once, before the
//! first key is made.

use std::path::Path;

use super::bundle::Bundle;
use super::list::{Device, DeviceList};
use super::run::{Existing, Job};
use super::{BulkError, Fault};
use time::OffsetDateTime;

use crate::name::{Name, find_field};
use crate::registry::{Record, Registry, Replaced};

/// A device that is to be issued, and the live certificate that it has until then.
pub(super) struct Todo {
    pub(super) device: Device,
    pub(super) replaces: Option<Replaced>,
}

/// What is left to do.
pub(super) struct Plan {
    pub(super) todo: Vec<Todo>,
    pub(super) skipped: usize,
    pub(super) revoked: usize,
    /// Ids of skipped devices without all their files.
    pub(super) incomplete: Vec<String>,
}

/// What is done with one device.
pub(super) enum Fate {
    Issue(Option<Replaced>),
    Skip,
    /// Its certificate was revoked: no new one without being asked.
    Revoked {
        message: String,
        hint: Option<String>,
    },
    Refuse {
        message: String,
        hint: Option<String>,
    },
}

/// Splits the list into devices to issue and those to skip; all faults at once.
pub(super) fn plan(
    registry: &Registry,
    job: &Job<'_>,
    list: DeviceList,
    since: Option<OffsetDateTime>,
) -> Result<Plan, BulkError> {
    let total = list.devices.len() + list.faults.len();
    let mut faults = list.faults;
    let folder_of = |device: &Device| job.out.join(device.id.file_name());
    // Folders are looked at before the registry: another process records a device before its
    // folder appears, so a folder of theirs that is seen here is found recorded below.
    let present: Vec<bool> = list.devices.iter().map(|d| folder_of(d).exists()).collect();
    let folded: Vec<String> = list.devices.iter().map(|d| d.id.folded()).collect();
    let live = registry.live_among(&folded)?;
    let former = registry.former_among(&folded)?;
    let todo = Vec::with_capacity(list.devices.len());
    let mut plan = Plan { todo, skipped: 0, revoked: 0, incomplete: Vec::new() };
    for ((device, folded), present) in list.devices.into_iter().zip(folded).zip(present) {
        let fate = match live.contains(&folded) {
            true => of_live(registry, job, &device, &folded, since)?,
            false if !present && !former.contains(&folded) => Fate::Issue(None),
            false => of_new(registry, job, &device, &folded, present)?,
        };
        match allowed(job, &device, fate) {
            Fate::Revoked { .. } => plan.revoked += 1,
            Fate::Issue(replaces) => plan.todo.push(Todo { device, replaces }),
            Fate::Skip => {
                plan.skipped += 1;
                let complete = is_complete(&folder_of(&device), job.bundle.kinds);
                if !complete {
                    plan.incomplete.push(device.id.as_str().to_owned());
                }
            }
            Fate::Refuse { message, hint } => faults.push(fault(&device, message, hint)),
        }
    }
    faults.sort_by_key(|f| f.line);
    if !faults.is_empty() {
        return Err(BulkError::Faults { faults, total });
    }
    Ok(plan)
}

/// What will be done with one device.
pub(super) fn fate(registry: &Registry, job: &Job<'_>, device: &Device) -> Result<Fate, BulkError> {
    let folded = device.id.folded();
    let present = job.out.join(device.id.file_name()).exists();
    let fate = match registry.live_device(&folded)? {
        Some(_) => of_live(registry, job, device, &folded, None)?,
        None => of_new(registry, job, device, &folded, present)?,
    };
    Ok(allowed(job, device, fate))
}

/// Holds a device that would be issued against the CA's signing policy.
fn allowed(job: &Job<'_>, device: &Device, fate: Fate) -> Fate {
    match (&fate, check_policy(job, device)) {
        (Fate::Issue(_), Err((message, hint))) => Fate::Refuse { message, hint },
        _ => fate,
    }
}

fn fault(device: &Device, message: String, hint: Option<String>) -> Fault {
    Fault { id: device.id.as_str().to_owned(), line: device.line, message, hint }
}

/// The id as messages name it: with its line, if it has one.
fn named(device: &Device) -> String {
    let place = device.line.map_or_else(String::new, |line| format!(" (line {line})"));
    format!("client id {:?}{place}", device.id.as_str())
}

fn of_live(
    registry: &Registry,
    job: &Job<'_>,
    device: &Device,
    folded: &str,
    since: Option<OffsetDateTime>,
) -> Result<Fate, BulkError> {
    match job.existing {
        Existing::Skip => Ok(Fate::Skip),
        Existing::Fail => Ok(Fate::Refuse {
            message: format!("{} has a live certificate already", named(device)),
            hint: Some("leave out --existing fail to skip such devices".to_owned()),
        }),
        Existing::Replace { revoke } => match registry.live_device(folded)? {
            Some(record) if since.is_none_or(|since| record.recorded < since) => {
                Ok(Fate::Issue(Some(replaced(&record, revoke)?)))
            }
            Some(_) => Ok(Fate::Skip),
            // Revoked a moment ago.
            None => Ok(Fate::Issue(None)),
        },
    }
}

/// A registry's row as that which is to be replaced.
fn replaced(record: &Record, revoke: bool) -> Result<Replaced, BulkError> {
    let issuer = record.certificate()?.issuer;
    Ok(Replaced { issuer, serial: record.serial.clone(), revoke })
}

fn of_new(
    registry: &Registry,
    job: &Job<'_>,
    device: &Device,
    folded: &str,
    present: bool,
) -> Result<Fate, BulkError> {
    let last = registry.history(folded)?.pop();
    let asked = matches!(job.existing, Existing::Replace { .. });
    if let Some((at, reason)) = last.as_ref().and_then(|record| record.revoked)
        && !asked
    {
        let (message, since) = (named(device), at.date());
        let message = format!("{message} was revoked on {since} ({})", reason.name());
        let hint = "if it is to get a new certificate, issue it by its id with --existing replace";
        let hint = Some(hint.to_owned());
        return Ok(match job.existing {
            Existing::Fail => Fate::Refuse { message, hint },
            _ => Fate::Revoked { message, hint },
        });
    }
    if !present || (last.is_some() && asked) {
        return Ok(Fate::Issue(None));
    }
    let folder = job.out.join(device.id.file_name());
    Ok(Fate::Refuse {
        message: format!(
            "{} is not issued, but its folder {} is there",
            named(device),
            folder.display()
        ),
        hint: Some("move the folder away, or choose another --out".to_owned()),
    })
}

fn check_policy(job: &Job<'_>, device: &Device) -> Result<(), (String, Option<String>)> {
    if job.policy.is_open() {
        return Ok(());
    }
    let checked = || -> Result<(), BulkError> {
        job.policy.check_id(&device.id)?;
        let subject = subject_of(job, device)?;
        Ok(job.policy.check_subject(&job.ca.certificate().subject, &subject)?)
    };
    checked().map_err(|e| (format!("{}: {e}", named(device)), e.hint()))
}

/// A device's subject: its own, or the run's fields with its identifier.
pub(super) fn subject_of(job: &Job<'_>, device: &Device) -> Result<Name, BulkError> {
    if let Some(subject) = &device.subject {
        return Ok(subject.clone());
    }
    let mut builder = job.subject.clone();
    builder.push(find_field("CN")?, device.id.as_str())?;
    Ok(builder.build()?)
}

/// Whether a device's folder has all the files of a bundle.
pub(crate) fn is_complete(folder: &Path, kinds: &[Bundle]) -> bool {
    kinds.iter().flat_map(|kind| kind.file_names()).all(|name| folder.join(name).exists())
}
