//! What a run will do: which devices to issue, which to skip, and every fault at once, before the
//! first key is made.

use std::path::Path;

use time::OffsetDateTime;

use super::bundle::Bundle;
use super::list::{Device, Devices, Outline};
use super::new_ids::Remarks;
use super::run::{Existing, Job};
use super::{BadRow, BadRows, BulkError};
use crate::authority::has_twin;
use crate::cert::oid;
use crate::failure::{Failure, Hint, Setting, Task};
use crate::name::{Name, find_field};
use crate::registry::{Registry, Replaced, Standing, Status};

/// How many ids of incomplete devices a summary names.
const MOST_IDS: usize = 100;

/// What is to be done with each device of a list, by its position.
pub(super) struct Plan {
    pub(super) due: Vec<Due>,
    pub(super) skipped: usize,
    pub(super) revoked: usize,
    /// Skipped devices without all their files, and the first ids of them.
    pub(super) incomplete: usize,
    pub(super) incomplete_ids: Vec<String>,
    /// What is to be said of the ids of devices that were issued before.
    pub(super) old_ids: Remarks,
    /// Devices that cannot be issued as asked, where the others are issued all the same.
    pub(super) failed: BadRows,
}

impl Plan {
    /// How many devices are to be issued.
    pub(super) fn total(&self) -> usize {
        self.due.iter().filter(|due| !matches!(due, Due::Not)).count()
    }
}

/// Whether a device is to be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is not.
    Not,
    /// It is.
    New,
    /// It is, in place of a certificate.
    InPlaceOf(Replaced),
}

/// What is done with one device.
pub(super) enum Fate {
    Issue(Option<Replaced>),
    Skip,
    /// Its certificate was revoked: no new one without being asked.
    Revoked {
        message: String,
        hint: Option<Hint>,
    },
    Refuse {
        message: String,
        hint: Option<Hint>,
    },
}

/// Decides about each device of the list; all faults at once.
pub(super) fn plan(
    registry: &Registry,
    job: &Job<'_>,
    devices: &Devices,
    since: Option<OffsetDateTime>,
) -> Result<Plan, BulkError> {
    let mut standings = registry.standings()?;
    let mut plan = Plan {
        due: Vec::with_capacity(devices.len()),
        skipped: 0,
        revoked: 0,
        incomplete: 0,
        incomplete_ids: Vec::new(),
        old_ids: Remarks::default(),
        failed: BadRows { first: devices.faults().to_vec(), count: devices.faulty() },
    };
    for index in 0..devices.len() {
        let device = devices.outline(index)?;
        let folded = device.id.folded();
        // The folder is looked at before the registry: another process records a device before its
        // folder appears, so a folder of theirs that is seen here is found recorded below.
        let present = job.out.folder_of(&device.id).is_some_and(|folder| folder.exists());
        let standing = standings.of(&folded)?;
        if standing != Standing::Unknown {
            plan.old_ids.look_at(&device.id);
        }
        let fate = match standing {
            Standing::Unknown if has_twin(registry, &device.id)? => twin(&device),
            Standing::Live => of_live(registry, job, &device, &folded, since)?,
            Standing::Unknown if !present => of_unknown(&device),
            _ => of_new(registry, job, &device, &folded, present)?,
        };
        let due = match allowed(job, &device, fate) {
            Fate::Issue(None) => Due::New,
            Fate::Issue(Some(replaced)) => Due::InPlaceOf(replaced),
            Fate::Revoked { .. } => {
                plan.revoked += 1;
                Due::Not
            }
            Fate::Skip => {
                plan.skipped += 1;
                plan.note_incomplete(job, &device);
                Due::Not
            }
            Fate::Refuse { message, hint } => {
                plan.failed.add(fault(&device, message, hint));
                Due::Not
            }
        };
        plan.due.push(due);
    }
    plan.failed.first.sort_by_key(|f| f.line);
    if plan.failed.count > 0 && (!job.keep_going || plan.failed.is_cut()) {
        let total = devices.len() + devices.faulty();
        return Err(BulkError::Faults { faults: plan.failed, total });
    }
    Ok(plan)
}

impl Plan {
    fn note_incomplete(&mut self, job: &Job<'_>, device: &Outline<'_>) {
        let Some(folder) = job.out.folder_of(&device.id) else { return };
        if is_complete(&folder, job.bundle.kinds) {
            return;
        }
        self.incomplete += 1;
        if self.incomplete_ids.len() < MOST_IDS {
            self.incomplete_ids.push(device.id.as_str().to_owned());
        }
    }
}

/// What will be done with one device.
pub(super) fn fate(registry: &Registry, job: &Job<'_>, device: &Device) -> Result<Fate, BulkError> {
    let (id, subject) = (device.id.clone(), device.subject.as_ref());
    let outline = Outline { id, line: device.line, subject };
    let folded = outline.id.folded();
    let present = job.out.folder_of(&outline.id).is_some_and(|folder| folder.exists());
    let fate = match registry.live_device(&folded)? {
        Some(_) => of_live(registry, job, &outline, &folded, None)?,
        None if has_twin(registry, &outline.id)? => twin(&outline),
        None if registry.history(&folded)?.is_empty() && !present => of_unknown(&outline),
        None => of_new(registry, job, &outline, &folded, present)?,
    };
    Ok(allowed(job, &outline, fate))
}

/// Holds a device that would be issued against the CA's signing policy.
fn allowed(job: &Job<'_>, device: &Outline<'_>, fate: Fate) -> Fate {
    match (&fate, check_policy(job, device)) {
        (Fate::Issue(_), Err((message, hint))) => Fate::Refuse { message, hint },
        _ => fate,
    }
}

fn fault(device: &Outline<'_>, message: String, hint: Option<Hint>) -> BadRow {
    BadRow { id: device.id.as_str().to_owned(), line: device.line, message, hint }
}

fn twin(device: &Outline<'_>) -> Fate {
    Fate::Refuse {
        message: format!(
            "{} looks like that of a device that has a certificate: its letters are only put together in \
             another way (Unicode, NFC and NFD)",
            named(device)
        ),
        hint: Some(
            Hint::run("write it as it is listed", Task::ListDevices)
                .then("or give the device another id"),
        ),
    }
}

/// The id as messages name it: with its line, if it has one.
fn named(device: &Outline<'_>) -> String {
    let place = device.line.map_or_else(String::new, |line| format!(" (line {line})"));
    format!("device id {:?}{place}", device.id.as_str())
}

fn of_live(
    registry: &Registry,
    job: &Job<'_>,
    device: &Outline<'_>,
    folded: &str,
    since: Option<OffsetDateTime>,
) -> Result<Fate, BulkError> {
    match job.existing {
        Existing::Skip => Ok(Fate::Skip),
        Existing::Fail => Ok(Fate::Refuse {
            message: format!("{} has a live certificate already", named(device)),
            hint: Some(Hint::omit("to skip such devices", Setting::FailOnExisting)),
        }),
        Existing::Replace { revoke } => match registry.live_device(folded)? {
            Some(record) if since.is_none_or(|since| record.recorded < since) => {
                Ok(Fate::Issue(Some(Replaced { row: record.row, revoke })))
            }
            Some(_) => Ok(Fate::Skip),
            // Revoked a moment ago.
            None => Ok(Fate::Issue(None)),
        },
    }
}

/// A device that was never issued: its id may still be changed, so it has to be one that the platform takes.
fn of_unknown(device: &Outline<'_>) -> Fate {
    match device.id.check_new() {
        Ok(()) => Fate::Issue(None),
        Err(e) => {
            let message = match device.line {
                Some(line) => e.at(&format!("line {line}")),
                None => e.to_string(),
            };
            Fate::Refuse { message, hint: e.hint() }
        }
    }
}

fn of_new(
    registry: &Registry,
    job: &Job<'_>,
    device: &Outline<'_>,
    folded: &str,
    present: bool,
) -> Result<Fate, BulkError> {
    let last = registry.history(folded)?.pop();
    let asked = matches!(job.existing, Existing::Replace { .. });
    if last.as_ref().is_some_and(|record| record.status == Status::Live) {
        // Issued by another process since the list was begun.
        return of_live(registry, job, device, folded, None);
    }
    if let Some((at, reason)) = last.as_ref().and_then(|record| record.revoked)
        && !asked
    {
        let (message, since) = (named(device), at.date());
        let message = format!("{message} was revoked on {since} ({})", reason.name());
        let hint = "if it is to get a new certificate, issue it by its id";
        let hint = Some(Hint::give(hint, Setting::Replace));
        return Ok(match job.existing {
            Existing::Fail => Fate::Refuse { message, hint },
            _ => Fate::Revoked { message, hint },
        });
    }
    if !present || (last.is_some() && asked) {
        return Ok(Fate::Issue(None));
    }
    let folder = job.out.folder_of(&device.id).unwrap_or_default();
    Ok(Fate::Refuse {
        message: format!(
            "{} is not issued, but its folder {} is there",
            named(device),
            folder.display()
        ),
        hint: Some(
            Hint::say("move the folder away")
                .then(Hint::give("or choose another one", Setting::Output)),
        ),
    })
}

fn check_policy(job: &Job<'_>, device: &Outline<'_>) -> Result<(), (String, Option<Hint>)> {
    let constrained = job.ca.chain.iter().any(|ca| ca.extension(oid::NAME_CONSTRAINTS).is_some());
    if job.policy.is_open() && !constrained {
        return Ok(());
    }
    let checked = || -> Result<(), BulkError> {
        Ok(job.policy.check(job.ca, &device.id, &subject_of(job, device)?)?)
    };
    checked().map_err(|e| (format!("{}: {e}", named(device)), e.hint()))
}

/// A device's subject: its own, or the run's fields with its identifier.
fn subject_of(job: &Job<'_>, device: &Outline<'_>) -> Result<Name, BulkError> {
    if let Some(subject) = device.subject {
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
