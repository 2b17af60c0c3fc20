//! A rollout as one page for people: the CAs with their dates, the devices and how they stand, when
//! what expires, what failed and why.
//!
//! [`Picture::gather`] collects what the page shows, from the registry and from what a run says of
//! itself; [`Picture::html`] is the page. It loads nothing and runs nothing, so it can be mailed and
//! kept. There is nothing secret on it.

mod chart;
mod devices;
mod differences;
mod expiry;
mod failures;
mod head;
mod html;
mod kinds;
mod summary;
mod words;

use std::collections::{BTreeMap, HashMap};

use devices::devices;
use kinds::together;
use time::{Date, OffsetDateTime};

use super::RolloutError;
use super::connect::NotConnected;
use super::diff::Finding;
use super::outcome::Report;
use super::plan::Step;
use super::shortened::ShortenedOf;
use super::spec::Spec;
use crate::cert::Certificate;
use crate::chain;
use crate::device::diagnosis::Cause;
use crate::failure::Failure;
use crate::list::BadRow;
use crate::pki::{Ca, Pki};
use crate::platform::register::RowResult;
use crate::provision::ProvisionError;

/// Most devices, and most failures, that have a row of their own.
pub const MOST_ROWS: usize = 2_000;

/// Most devices that are named, all failures together: they are there to be copied.
pub const MOST_IDS: usize = 10_000;

/// What the page begins with: a file that begins otherwise is none of ours.
pub const MARK: &str = "<!DOCTYPE html><!-- c8y-pki rollout -->";

/// All that the page shows.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The rollout file.
    pub file: String,
    /// At which tenant.
    pub tenant: At,
    /// When it was made.
    pub at: OffsetDateTime,
    /// How long the run took, if that is known.
    pub took: Option<std::time::Duration>,
    /// Why the run ended early, and what to do about it.
    pub ended: Option<(String, Option<String>)>,
    /// What was done.
    pub steps: Vec<Step>,
    /// What is not as the file wants it and was left so, the first [`MOST_ROWS`], with what would apply each, in
    /// words: commands between backquotes.
    pub left: Vec<(Finding, Option<String>)>,
    /// How much was left so.
    pub differences: usize,
    /// The keys of the file that were not looked at, those of the tenant left out: they are told otherwise.
    pub not_looked_at: Vec<String>,
    /// What was made for less time than its profile says, a sentence each.
    pub shortened: Vec<String>,
    /// The CAs, each after the one above it.
    pub cas: Vec<CaRow>,
    /// The devices of the list.
    pub devices: Devices,
    /// What failed, those of one kind together.
    pub failures: Vec<FailedStep>,
    /// How many kinds there are: the page has the first [`MOST_ROWS`].
    pub kinds: usize,
    /// How often something failed.
    pub failed: usize,
}

/// Where a rollout was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// At no tenant.
    Nowhere,
    /// At a sandbox: it was a rehearsal.
    Sandbox,
    /// At this tenant: `t12345@acme.example.com`.
    Tenant(String),
}

/// A CA.
#[derive(Debug, Clone)]
pub struct CaRow {
    /// Its name.
    pub name: String,
    /// How many stand above it.
    pub depth: usize,
    /// Its subject.
    pub subject: String,
    /// What its key is.
    pub key: String,
    /// How many CAs may stand between it and a device; none for any number.
    pub path_length: Option<u32>,
    /// SHA-1 of the certificate, as the platform shows it.
    pub fingerprint: String,
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
    /// Devices of the list that have a live certificate of it.
    pub issued: usize,
    /// Whether the tenant trusts it by what this run has done; none if that was not wanted.
    pub trusted: Option<bool>,
    /// The same for proof of possession.
    pub proven: Option<bool>,
    /// Which rules its certificate breaks without harm, or why no device under it can connect.
    pub verdict: std::result::Result<Vec<String>, String>,
}

/// The devices of the list.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// How many there are.
    pub listed: usize,
    /// How many have a live certificate.
    pub issued: usize,
    /// How many have none because theirs was revoked.
    pub revoked: usize,
    /// How many were issued before, and have not all their files.
    pub incomplete: usize,
    /// How many the tenant knows; none if they were not to be registered.
    pub registered: Option<usize>,
    /// How many of these were registered by earlier runs, as the result file says.
    pub registered_before: usize,
    /// How many connect, and how many tried; none if that was not wanted.
    pub connected: Option<(usize, usize)>,
    /// Where they tried it.
    pub place: Option<String>,
    /// How many certificates end on a day.
    pub expiry: BTreeMap<Date, usize>,
    /// The first [`MOST_ROWS`], those with a failure before all others.
    pub rows: Vec<DeviceRow>,
}

/// A device.
#[derive(Debug, Clone, Default)]
pub struct DeviceRow {
    /// Its identifier.
    pub id: String,
    /// The serial number of its live certificate, and its validity.
    pub certificate: Option<(String, OffsetDateTime, OffsetDateTime)>,
    /// When its last certificate was revoked, if it has no live one.
    pub revoked: Option<OffsetDateTime>,
    /// Whether the tenant knows it.
    pub registered: Option<bool>,
    /// Whether it connects.
    pub connected: Option<bool>,
}

impl Devices {
    /// How many are to have a certificate: all but those that were revoked.
    fn wanted(&self) -> usize {
        self.listed - self.revoked
    }
}

impl DeviceRow {
    fn has_failed(&self) -> bool {
        self.certificate.is_none() && self.revoked.is_none()
            || self.registered == Some(false)
            || self.connected == Some(false)
    }
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// Its devices, as far as [`MOST_IDS`] reach.
    pub ids: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// What they failed at, and why.
    pub why: Why,
    /// Whether `ID` stands in it for the id of each device, and for the name of its directory.
    pub of_each: bool,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Why {
    /// What it failed at.
    pub step: String,
    /// What was seen.
    pub what: String,
    /// The likeliest cause, if it is known better than that.
    pub cause: Option<String>,
    /// Whether it is certain.
    pub certain: bool,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Picture {
    /// Collects what there is: what a run has done, or why it could not; the CAs and the devices as
    /// they stand in the registry after it.
    pub fn gather(
        spec: &Spec,
        run: Result<&Report, &RolloutError>,
        tenant: At,
        now: OffsetDateTime,
    ) -> Result<Self, RolloutError> {
        let report = run.ok();
        let error = run.err().or(report.and_then(|r| r.failure.as_ref()));
        let steps = report.map(|r| r.steps.clone()).unwrap_or_default();
        let left = report.map_or(&[][..], |r| r.left.as_slice());
        let pki = match spec.pki.join("pki.toml").exists() {
            true => Some(Pki::open_to_read(&spec.pki, now)?),
            false => None,
        };
        let mut all = faults(error);
        all.extend(report.into_iter().flat_map(of_report));
        let failed = all.len();
        let mut failures = together(all, &spec.devices.out);
        let kinds = failures.len();
        failures.truncate(MOST_ROWS);
        let (devices, by_ca) = devices(spec, pki.as_ref(), report)?;
        let cas = pki.as_ref().map(Pki::cas).transpose()?.unwrap_or_default();
        Ok(Self {
            file: spec.file.display().to_string(),
            tenant,
            at: now,
            took: None,
            ended: error.map(|e| (e.to_string(), e.hint().map(|hint| hint.to_string()))),
            left: left.iter().take(MOST_ROWS).map(|finding| (finding.clone(), None)).collect(),
            differences: left.len(),
            not_looked_at: not_looked_at(report),
            shortened: report
                .iter()
                .flat_map(|r| r.shortened.iter().map(ShortenedOf::sentence))
                .collect(),
            cas: ca_rows(&cas, &steps, &by_ca, now),
            steps,
            devices,
            failures,
            kinds,
            failed,
        })
    }

    /// The same of a run that took so long.
    #[must_use]
    pub fn took(self, took: std::time::Duration) -> Self {
        Self { took: Some(took), ..self }
    }

    /// The same with what would apply what was left as it is, in words.
    #[must_use]
    pub fn applied_by(mut self, words: impl Fn(&Finding) -> Option<String>) -> Self {
        self.left.iter_mut().for_each(|(finding, by)| *by = words(finding));
        self
    }

    /// The page: HTML 5, complete in itself.
    pub fn html(&self) -> String {
        html::page(self)
    }
}

fn not_looked_at(report: Option<&Report>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for finding in report.into_iter().flat_map(|report| &report.not_looked_at) {
        if !finding.key.starts_with("tenant") && !keys.contains(&finding.key) {
            keys.push(finding.key.clone());
        }
    }
    keys
}

/// The faults of a list, for which nothing was made.
fn faults(error: Option<&RolloutError>) -> Vec<(String, Why)> {
    let Some(RolloutError::Provision(ProvisionError::Faults { faults, .. })) = error else {
        return Vec::new();
    };
    let why = |fault: &BadRow| Why {
        step: "list".to_owned(),
        what: fault.message.clone(),
        cause: None,
        certain: false,
        remedy: fault.hint.as_ref().map(ToString::to_string),
    };
    faults.first.iter().map(|fault| (fault.id.clone(), why(fault))).collect()
}

fn of_report(report: &Report) -> Vec<(String, Why)> {
    let refused = |row: &RowResult| {
        let (step, what) = ("registration".to_owned(), row.reason.to_string());
        (row.id.clone(), Why { step, what, cause: None, certain: false, remedy: None })
    };
    let unconnected = |failed: &NotConnected| {
        let cause = failed.cause.as_ref();
        let why = Why {
            step: failed.step.to_string(),
            what: failed.detail.clone(),
            // What was seen in the device's files is its own cause.
            cause: cause.map(|c| c.cause.clone()).filter(|c| *c != failed.detail),
            certain: cause.is_some_and(Cause::is_certain),
            remedy: cause.map(|c| c.remedy.to_string()),
        };
        (failed.id.clone(), why)
    };
    let registered = report.registered.iter().flat_map(|r| r.refused.iter().map(refused));
    let connected = report.connected.iter().flat_map(|c| c.failed.iter().map(unconnected));
    registered.chain(connected).collect()
}

/// What servers make of a CA, the first of the chain: those above it have rows of their own.
fn verdict(chain: &[Certificate], at: OffsetDateTime) -> std::result::Result<Vec<String>, String> {
    let warnings = chain::check_ca(chain, at).map_err(|refusal| refusal.to_string())?;
    let own = warnings.iter().filter(|w| w.position == 0 && !w.rule.is_advice());
    Ok(own.map(ToString::to_string).collect())
}

/// The CAs as a tree: each followed by those below it.
fn ca_rows(
    cas: &[Ca],
    steps: &[Step],
    by_ca: &HashMap<String, usize>,
    at: OffsetDateTime,
) -> Vec<CaRow> {
    let done = |kind: &str, name: &str| {
        steps.iter().find(|s| s.kind == kind && s.name == name).map(|s| s.done)
    };
    let row = |ca: &Ca, depth: usize| {
        let certificate = ca.certificate();
        CaRow {
            name: ca.name.clone(),
            depth,
            subject: certificate.subject.to_string(),
            key: certificate
                .public_key
                .as_ref()
                .map_or_else(|_| "unknown".to_owned(), |key| key.algorithm().to_string()),
            path_length: certificate.basic_constraints.as_ref().and_then(|b| b.path_length),
            fingerprint: certificate.fingerprint_sha1(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            issued: by_ca.get(&ca.name).copied().unwrap_or_default(),
            trusted: done("trust", &ca.name),
            proven: done("proof", &ca.name),
            verdict: verdict(&ca.chain, at),
        }
    };
    let mut rows = Vec::new();
    let is_top = |ca: &&Ca| {
        ca.parent.as_ref().is_none_or(|parent| cas.iter().all(|other| other.name != *parent))
    };
    let mut open: Vec<(&Ca, usize)> = cas.iter().filter(is_top).map(|ca| (ca, 0)).collect();
    open.reverse();
    while let Some((ca, depth)) = open.pop() {
        rows.push(row(ca, depth));
        let below = cas.iter().filter(|other| other.parent.as_ref() == Some(&ca.name));
        open.extend(below.map(|ca| (ca, depth + 1)).rev());
    }
    rows
}

#[cfg(test)]
mod tests;
