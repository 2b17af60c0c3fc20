//! What a run would do, without the CA's key, a password or a change.

use serde::Serialize;
use time::OffsetDateTime;

use super::destination::{Out, check_growth, is_running};
use super::error::Result;
use super::job::Rules;
use super::plan::{Due, Planner};
use super::run::{check_ca, check_new_keys, check_place, check_rules, unfinished_since};
use crate::issue::Validity;
use crate::list::{BadRow, Devices};
use crate::pki::Pki;

/// How many ids a preview names.
const MOST_IDS: usize = 100;

/// What a run would do: numbers of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Preview {
    /// Those that would be issued.
    pub issued: usize,
    /// The first 100 of them.
    pub ids: Vec<String>,
    /// Those among them whose certificate would be replaced.
    pub replaced: usize,
    /// Those that have a live certificate already.
    pub skipped: usize,
    /// Those whose certificate was revoked: they get another one only when that is asked for.
    pub revoked: usize,
    /// The first 100 of them.
    pub revoked_ids: Vec<String>,
    /// Those that cannot be issued as asked, where the others would be.
    pub failed: usize,
    /// Why, for each of them.
    #[serde(skip)]
    pub failures: Vec<BadRow>,
    /// When the certificates would end, if they were issued now.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// The beginning of a replacing run that was stopped, and that the run would resume.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Whether a stopped run has left devices at the place, which the run would settle first.
    pub unsettled: bool,
}

/// Says what a run of these devices would do now. Nothing is changed, and nothing is kept for that run: others may come
/// before it.
///
/// Errors: as those of [`run`](super::run()) before it makes the first key, except what is wrong with the CA's key,
/// passwords and the key pool.
pub fn preview(
    pki: &Pki,
    rules: Rules<'_>,
    out: Out<'_>,
    devices: &Devices,
    now: OffsetDateTime,
) -> Result<Preview> {
    let at = &*out.destination();
    check_place(&rules, at)?;
    check_rules(&rules, devices)?;
    let (issuer, asked) = (rules.ca.certificate(), (rules.profile, rules.days));
    let not_after = Validity::under(issuer, asked, rules.beyond_issuer, now)?.not_after;
    check_ca(pki, rules.ca)?;
    let marker = at.replacing_marker().filter(|_| rules.existing.replaces());
    let since = marker.map(|path| unfinished_since(&path)).transpose()?.flatten();
    let registry = pki.registry();
    let planner = Planner { registry, rules, at, since, begun: registry.last_row()? };
    let plan = planner.plan(devices)?;
    check_new_keys(&rules, &plan)?;
    if rules.kinds.is_empty() {
        plan.due(devices).try_for_each(|device| planner.check_kinds_again(&device))?;
    }
    let archive = if let Out::Archive(path) = out { Some(path) } else { None };
    let growing = archive.into_iter().chain(rules.secrets);
    growing.into_iter().try_for_each(|path| check_growth(path, plan.total(), registry))?;
    let unsettled = match out {
        Out::Folders(dir) => is_running(dir, registry)? == Some(false),
        Out::Archive(_) | Out::Stream(_) => false,
    };
    let ids = plan.due(devices).take(MOST_IDS).map(|device| device.id.to_string()).collect();
    let replaced = plan.due.iter().filter(|due| matches!(due, Due::InPlaceOf(_))).count();
    let (issued, summary) = (plan.total(), plan.summary);
    Ok(Preview {
        issued,
        ids,
        replaced,
        skipped: summary.skipped,
        revoked: summary.revoked,
        revoked_ids: summary.revoked_ids,
        failed: summary.failed,
        failures: summary.failures,
        not_after,
        since,
        unsettled,
    })
}
