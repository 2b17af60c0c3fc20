//! What a run will do: which devices to issue, which to skip, and every fault at once, before the
//! first key is made.

use std::borrow::Cow;
use std::path::Path;

use time::OffsetDateTime;

use super::again::kinds_again;
use super::bundle::Bundle;
use super::destination::Destination;
use super::error::{ProvisionError, Result};
use super::former::Former;
use super::job::{Existing, RevokedDevices, Rules, Summary};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Hint, Setting};
use crate::list::new_ids;
use crate::list::{BadRow, BadRows, Device, DeviceKey, Devices};
use crate::name::Name;
use crate::pki::has_twin;
use crate::registry::{Record, Registry, Replaced, RowId, Standing, Status};

/// How many ids of incomplete or revoked devices a summary names.
const MOST_IDS: usize = 100;

/// What is to be done with each device of a list, by its position.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) due: Vec<Due>,
    /// How many devices are to be issued with a new key.
    pub(super) new_keys: usize,
    /// What is known of the run before it begins.
    pub(super) summary: Summary,
    /// Devices that cannot be issued as asked, where the others are issued all the same.
    failed: BadRows,
    total: usize,
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

/// A certificate that is to be replaced.
pub(super) struct Replaces {
    replaced: Replaced,
    ca: String,
    /// Where its files are, if that is another place than this run's.
    elsewhere: Option<String>,
}

/// What is done with one device.
pub(super) enum Decision {
    Issue(Option<Replaces>),
    Skip,
    /// Its certificate was revoked: no new one without being asked.
    Revoked(BadRow),
    Refuse(BadRow),
}

impl Plan {
    /// The devices that are to be issued.
    pub(super) fn due<'d>(&self, devices: &'d Devices) -> impl Iterator<Item = Cow<'d, Device>> {
        let due = self.due.iter().enumerate().filter(|(_, due)| **due != Due::Not);
        due.map(|(index, _)| devices.outline(index))
    }

    /// How many devices are to be issued.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    fn add(&mut self, device: &Device, decision: Decision, planner: &Planner<'_>) {
        let due = match decision {
            Decision::Issue(former) => {
                self.total += 1;
                self.new_keys += usize::from(device.key == DeviceKey::New);
                former.map_or(Due::New, |Replaces { replaced, ca, elsewhere }| {
                    self.summary.formers.add(ca, elsewhere);
                    Due::InPlaceOf(replaced)
                })
            }
            Decision::Revoked(_) => {
                self.summary.revoked += 1;
                if self.summary.revoked_ids.len() < MOST_IDS {
                    self.summary.revoked_ids.push(device.id.as_str().to_owned());
                }
                Due::Not
            }
            Decision::Skip => {
                self.summary.skipped += 1;
                if planner.is_incomplete(device) {
                    if let Some(place) = planner.live_elsewhere(device) {
                        *self.summary.elsewhere.entry(place).or_default() += 1;
                    }
                    self.summary.incomplete += 1;
                    if self.summary.incomplete_ids.len() < MOST_IDS {
                        self.summary.incomplete_ids.push(device.id.as_str().to_owned());
                    }
                }
                Due::Not
            }
            Decision::Refuse(fault) => {
                self.failed.add(fault);
                Due::Not
            }
        };
        self.due.push(due);
    }
}

/// Decides about devices.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a> {
    pub(super) registry: &'a Registry,
    pub(super) rules: Rules<'a>,
    pub(super) at: &'a dyn Destination,
    /// The beginning of the run that replaces devices and that this one resumes.
    pub(super) since: Option<OffsetDateTime>,
    /// The last row of the registry when this run began: what is newer was issued by another one meanwhile.
    pub(super) begun: RowId,
}

impl Planner<'_> {
    /// Decides about each device of a list; all faults at once.
    pub(super) fn plan(&self, devices: &Devices) -> Result<Plan> {
        let mut standings = self.registry.standings()?;
        let mut plan = Plan {
            due: Vec::with_capacity(devices.len()),
            failed: devices.faults().into_owned(),
            ..Plan::default()
        };
        for index in 0..devices.len() {
            let device = devices.outline(index);
            // The directory is looked at before the registry: another process records a device before its
            // directory appears, so a directory of theirs that is seen here is found recorded below.
            let present = self.has_folder(&device.id);
            let standing = standings.of(&device.id)?;
            if matches!(standing, Standing::Live | Standing::Former) {
                plan.summary.old_ids.look_at(&device.id);
            }
            let decision = match standing {
                Standing::Twin => Decision::Refuse(BadRow::twin(&device)),
                Standing::Server => Decision::Refuse(BadRow::server(&device)),
                Standing::Live => self.of_live(&device)?,
                Standing::Unknown if !present => of_unknown(&device),
                _ => self.of_former(&device, present)?,
            };
            plan.add(&device, self.allowed(&device, decision)?, self);
        }
        plan.failed.first.sort_by_key(|f| f.line);
        if plan.failed.count > 0 && (!self.rules.keep_going || plan.failed.is_cut()) {
            let total = devices.len() + devices.faults().count;
            return Err(ProvisionError::Faults { faults: plan.failed, total });
        }
        plan.summary.failed = plan.failed.count;
        plan.summary.failures = std::mem::take(&mut plan.failed.first);
        plan.summary.since = self.since;
        Ok(plan)
    }

    /// Decides about one device.
    pub(super) fn decide(&self, device: &Device) -> Result<Decision> {
        let present = self.has_folder(&device.id);
        let decision = match self.registry.live_device(&device.id)? {
            _ if has_twin(self.registry, &device.id)? => Decision::Refuse(BadRow::twin(device)),
            Some(_) => self.of_live(device)?,
            None if self.registry.live_server_of(&device.id)?.is_some() => {
                Decision::Refuse(BadRow::server(device))
            }
            None if self.registry.history(&device.id)?.is_empty() && !present => of_unknown(device),
            None => self.of_former(device, present)?,
        };
        self.allowed(device, decision)
    }

    /// Holds a device that would be issued against the CA's signing policy, and what it keeps against the profile.
    fn allowed(&self, device: &Device, decision: Decision) -> Result<Decision> {
        if !matches!(decision, Decision::Issue(_)) {
            return Ok(decision);
        }
        let former = self.former(device)?;
        let checked = check_policy(&self.rules, device, former.subject.as_ref())
            .and_then(|()| former.check(device, (self.rules.profile, self.rules.kinds)));
        Ok(checked.map_or_else(Decision::Refuse, |()| decision))
    }

    /// What a device has from its former certificate.
    fn former(&self, device: &Device) -> Result<Former> {
        let rules = &self.rules;
        let last = match rules.keep.is_any() {
            true => self.registry.history(&device.id)?.pop(),
            false => None,
        };
        let of =
            |last: &Record| Former::of(last, device, rules.keep, (rules.profile, rules.subject));
        Ok(last.as_ref().map(of).transpose()?.unwrap_or_default())
    }

    /// Refuses what devices had and cannot get again, where the rules leave their files open.
    pub(super) fn check_kinds_again(&self, device: &Device) -> Result {
        let Some(last) = self.registry.history(&device.id)?.pop() else { return Ok(()) };
        let key_type = self.former(device)?.key_type.unwrap_or(self.rules.profile.key);
        let folder = self.at.folder_of(&device.id);
        kinds_again(&last, device, &self.rules, (key_type, folder.as_deref()))?;
        Ok(())
    }

    fn has_folder(&self, id: &DeviceId) -> bool {
        self.at.folder_of(id).is_some_and(|folder| folder.exists())
    }

    /// Whether a device that was issued before lacks files of this bundle.
    fn is_incomplete(&self, device: &Device) -> bool {
        let folder = self.at.folder_of(&device.id);
        folder.is_some_and(|folder| !is_complete(&folder, self.rules.kinds))
    }

    /// Where the files of a device that was issued before were put, if that is another place than that of this run.
    fn live_elsewhere(&self, device: &Device) -> Option<String> {
        self.elsewhere(device, &self.registry.live_device(&device.id).ok().flatten()?)
    }

    /// The same of a certificate that it has.
    fn elsewhere(&self, device: &Device, record: &Record) -> Option<String> {
        let place = record.location.as_ref()?;
        if self.at.location_of(&device.id).is_some_and(|here| here == *place) {
            return None;
        }
        let folder = place.file_name().is_some_and(|name| *name == *device.id.file_name());
        let place = if folder { place.parent()? } else { place };
        Some(place.display().to_string())
    }

    fn of_live(&self, device: &Device) -> Result<Decision> {
        let revoke = match self.rules.existing {
            Existing::Skip => return Ok(Decision::Skip),
            Existing::Fail => {
                let message = format!("{} has a live certificate already", device.named());
                let hint = Hint::omit("to skip such devices", Setting::FailOnExisting);
                return Ok(refuse(device, message, hint));
            }
            Existing::Replace { revoke } => revoke,
        };
        Ok(match self.registry.live_device(&device.id)? {
            Some(record)
                if self.since.is_none_or(|since| record.recorded < since)
                    && record.row <= self.begun =>
            {
                let elsewhere = self.elsewhere(device, &record);
                let replaced = Replaced { row: record.row, revoke };
                Decision::Issue(Some(Replaces { replaced, ca: record.ca, elsewhere }))
            }
            Some(_) => Decision::Skip,
            // Revoked a moment ago.
            None => Decision::Issue(None),
        })
    }

    /// A device that has no live certificate, but a former one or a directory.
    fn of_former(&self, device: &Device, present: bool) -> Result<Decision> {
        let last = self.registry.history(&device.id)?.pop();
        let replaces = self.rules.existing.replaces();
        let asked = match (&last, self.rules.revoked) {
            (None, _) | (_, RevokedDevices::LeaveOut) => false,
            (_, RevokedDevices::Issue) if replaces => true,
            (Some(last), _) => self.registry.is_ordered_since(&device.id, last)?,
        };
        if last.as_ref().is_some_and(|record| record.status == Status::Live) {
            // Issued by another process since the list was begun.
            return Planner { since: None, ..*self }.of_live(device);
        }
        if let Some((at, reason)) = last.as_ref().and_then(|record| record.revoked)
            && !asked
        {
            let (named, since, why) = (device.named(), at.date(), reason.name());
            let message = format!("{named} was revoked on {since} ({why})");
            let setting = if replaces { Setting::IssueRevoked } else { Setting::Replace };
            let hint =
                Some(Hint::give("if it is to get a new certificate, issue it by its id", setting));
            let fault = BadRow::of(device, message, hint);
            return Ok(match self.rules.existing {
                Existing::Fail => Decision::Refuse(fault),
                _ => Decision::Revoked(fault),
            });
        }
        if !present || (last.is_some() && (asked || replaces)) {
            return Ok(Decision::Issue(None));
        }
        let folder = self.at.folder_of(&device.id).unwrap_or_default();
        Ok(Decision::Refuse(not_issued(device, &folder)))
    }
}

/// The fault of a device that the registry does not have, though its directory is there.
pub(crate) fn not_issued(device: &Device, folder: &Path) -> BadRow {
    let (named, folder) = (device.named(), folder.display());
    let message = format!("{named} is not issued, but its directory {folder} is there");
    let hint = Hint::say("move the directory away")
        .then(Hint::give("or choose another one", Setting::Output));
    BadRow::of(device, message, Some(hint))
}

/// A device that was never issued: its id may still be changed, so it has to be one that the platform takes.
fn of_unknown(device: &Device) -> Decision {
    new_ids::fault(device).map_or(Decision::Issue(None), Decision::Refuse)
}

/// Holds a device to what the CA may sign.
fn check_policy(
    rules: &Rules<'_>,
    device: &Device,
    kept: Option<&Name>,
) -> std::result::Result<(), BadRow> {
    let subject = device.subject.as_ref().or(kept);
    let checked = rules.terms().check(&device.id, subject);
    checked.map_err(|e| BadRow::of(device, format!("{}: {e}", device.named()), e.hint()))
}

fn refuse(device: &Device, message: String, hint: Hint) -> Decision {
    Decision::Refuse(BadRow::of(device, message, Some(hint)))
}

/// Whether a device's directory has all the files of a bundle.
pub(crate) fn is_complete(folder: &Path, kinds: &[Bundle]) -> bool {
    kinds.iter().flat_map(|kind| kind.file_names()).all(|name| folder.join(name).exists())
}
