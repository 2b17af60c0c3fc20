//! The run: everything is checked, then workers make devices and one thread commits them.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::bundle;
use super::claim::{Claim, Claimed, Named, wait};
use super::commit::Committer;
use super::context::{Context, Progress};
use super::destination::{self, Destination, Opening, Out, finish, grow};
use super::error::{ProvisionError, Result};
use super::job::{Job, Rules, Summary};
use super::kept::Kept;
use super::make::Maker;
use super::plan::{Due, Plan, Planner};
use super::share::{Share, Shared};
use super::work::Work;
use crate::client_id::DeviceId;
use crate::files;
use crate::files::growing::GROWS;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::list::Devices;
use crate::pki::{Ca, Pki};
use crate::profile::Kind;
use crate::registry::{Newcomers, Registry, batch_name};

/// Issues the devices of a list.
///
/// Nothing is made before everything is checked.
///
/// Errors: [`ProvisionError::Faults`] when a device cannot be issued as asked; failures of the file
/// system and the registry. What was committed before an error stays issued; nothing else is left.
pub fn run(
    pki: &mut Pki,
    job: &Job<'_>,
    devices: impl Into<Devices>,
    context: &Context<'_>,
) -> Result<Summary> {
    let newcomers = pki.registry().newcomers()?;
    run_since(pki, job, &devices.into(), (newcomers, None), context)
}

/// The same for an order that other stations make too: this run takes range after range of its list, until all of them
/// are done, by whichever station. `devices` are the whole list. It goes into directories, and nothing is replaced.
///
/// Errors: [`RegistryError::NotShared`](crate::registry::RegistryError::NotShared) if the registry is a file.
pub fn run_shared(
    pki: &mut Pki,
    job: &Job<'_>,
    share: Share<'_>,
    devices: impl Into<Devices>,
    context: &Context<'_>,
) -> Result<Summary> {
    let newcomers = pki.registry().newcomers()?;
    run_since(pki, job, &devices.into(), (newcomers, Some(share)), context)
}

/// The same for devices whose keys were looked up before, when the `newcomers` began; with others, if it is shared.
pub(super) fn run_since(
    pki: &mut Pki,
    job: &Job<'_>,
    devices: &Devices,
    (newcomers, share): (Newcomers, Option<Share<'_>>),
    context: &Context<'_>,
) -> Result<Summary> {
    let start = Instant::now();
    let at = &*job.out.destination();
    check_place(&job.rules(), at)?;
    check_rules(&job.rules(), devices)?;
    let mut maker = Maker::new(job, at, context.now)?;
    let begun = pki.registry().last_row()?;
    let mut recovered = at.recover(pki.registry())?;
    check_ca(pki, job.ca)?;
    let marker = at.replacing_marker().filter(|_| job.existing.replaces());
    let since = marker.as_deref().map(|path| replacing_since(path, context.now)).transpose()?;
    let since = since.flatten();
    let planner = Planner { registry: pki.registry(), rules: job.rules(), at, since, begun };
    let plan = match share {
        None => plan_alone(pki, (&planner, job.out), devices, &mut recovered, context),
        // Who makes which device is decided range by range.
        Some(_) => planner.plan(devices).map(|plan| Some((plan, None))),
    };
    let mut summary = Summary::default();
    let handing_over = Mutex::new(Duration::ZERO);
    let hand_over = |ids: &[DeviceId]| {
        let begun = Instant::now();
        (context.issued)(ids);
        *handing_over.lock().unwrap_or_else(PoisonError::into_inner) += begun.elapsed();
    };
    let done = plan.and_then(|plan| {
        let Some((plan, _claim)) = plan else {
            summary.stopped = true;
            return Ok(());
        };
        summary = plan.summary.clone();
        maker.make_ready(pki.registry(), devices, &plan)?;
        let context = Context { issued: &hand_over, ..*context };
        let run = Run { job, at, devices, plan: &plan, share, context };
        run.draw_and_issue(pki, &mut maker, newcomers, &mut summary)?;
        if summary.stopped {
            let made = summary.issued + summary.made_by_others;
            summary.left = plan.total().saturating_sub(made);
        }
        Ok(())
    });
    let has_begun = since.is_some() || summary.issued > 0;
    if let Some(marker) = marker.filter(|_| !has_begun || (done.is_ok() && !summary.stopped)) {
        files::remove_file(&marker)?;
    }
    done?;
    summary.recovered = recovered;
    let handing_over = *handing_over.lock().unwrap_or_else(PoisonError::into_inner);
    let own = start.elapsed().saturating_sub(handing_over);
    summary.seconds = own.max(Duration::from_nanos(1)).as_secs_f64();
    Ok(summary)
}

/// What this run is to do, once no other run of this PKI directory is making any of these devices: it waits for those
/// that are, and makes what they leave. None if it was stopped meanwhile.
fn plan_alone(
    pki: &Pki,
    (planner, out): (&Planner<'_>, Out<'_>),
    devices: &Devices,
    recovered: &mut usize,
    context: &Context<'_>,
) -> Result<Option<(Plan, Option<Claim>)>> {
    loop {
        let plan = planner.plan(devices)?;
        match Claim::take(pki, &Named::of(plan.due(devices)), out)? {
            Claimed::Own(claim) => return Ok(Some((plan, claim))),
            Claimed::Others(others) => wait(&others, context, || {
                let mut done = 0;
                for device in plan.due(devices) {
                    let live = pki.registry().live_device(&device.id)?;
                    done += usize::from(live.is_some_and(|live| live.row > planner.begun));
                }
                Ok(Progress::of(done, plan.total()))
            })?,
        }
        if context.is_stopped() {
            return Ok(None);
        }
        *recovered += planner.at.recover(pki.registry())?;
    }
}

/// Finishes what stopped runs have left at a place: devices that are recorded and not in place, an
/// archive and a list of passwords that only lack their end. Returns how many devices were put into place.
pub fn settle(pki: &mut Pki, out: Out<'_>, secrets: Option<&Path>) -> Result<usize> {
    let at = out.destination();
    let recovered = at.recover(pki.registry())?;
    at.settle(pki.registry_mut())?;
    if let Some(path) = secrets {
        destination::settle(path, &[], pki.registry_mut())?;
    }
    if let Some(marker) = at.replacing_marker() {
        files::remove_file(&marker)?;
    }
    Ok(recovered)
}

/// Refuses what a job and its place do not allow together.
pub(super) fn check_place(rules: &Rules<'_>, at: &dyn Destination) -> Result {
    if let Some(path) = rules.secrets {
        files::regular(path, GROWS)?;
    }
    at.check()?;
    match at.can_undo() {
        // Killed between the two, a key would be with the reader and in the pool.
        false if rules.draws_keys => Err(ProvisionError::Stream { what: "keys of the key pool" }),
        // Stopped, nobody could say where it has to go on.
        false if rules.existing.replaces() => {
            Err(ProvisionError::Stream { what: "devices that replace others" })
        }
        _ => Ok(()),
    }
}

/// Refuses a profile that is not of devices, and files that cannot be made, or not for the keys that they get.
pub(super) fn check_rules(rules: &Rules<'_>, devices: &Devices) -> Result {
    let profile = rules.profile;
    if profile.kind != Kind::Device {
        return Err(ProvisionError::WrongProfile { name: profile.name.clone() });
    }
    if devices.has_new_keys() {
        rules.kinds.iter().try_for_each(|kind| kind.check_key(profile.key))?;
    }
    match rules.kinds {
        // What each of them had is looked at one by one.
        [] => Ok(()),
        kinds => bundle::check(kinds, rules.has_trusted, rules.encrypts_keys),
    }
}

/// Refuses new keys of a type that cannot be made here.
pub(super) fn check_new_keys(rules: &Rules<'_>, plan: &Plan) -> Result {
    if plan.new_keys > 0 && !rules.draws_keys {
        let profile = rules.profile;
        profile.key.check_available_by(profile.rsa_keys).map_err(KeyError::from)?;
    }
    Ok(())
}

/// Refuses a CA that must not sign.
pub(super) fn check_ca(pki: &Pki, ca: &Ca) -> Result {
    pki.check_chain_length(ca)?;
    pki.check_not_revoked(ca)?;
    Ok(pki.check_not_rolled_back(ca)?)
}

/// A run whose devices are known.
struct Run<'a> {
    job: &'a Job<'a>,
    at: &'a dyn Destination,
    devices: &'a Devices,
    plan: &'a Plan,
    share: Option<Share<'a>>,
    context: Context<'a>,
}

impl Run<'_> {
    /// Draws keys from the pool, if they come from there, and issues.
    fn draw_and_issue(
        &self,
        pki: &mut Pki,
        maker: &mut Maker<'_>,
        newcomers: Newcomers,
        summary: &mut Summary,
    ) -> Result {
        let batch = run_name(self.context.now)?;
        let job = maker.job;
        if let Some(password) = job.key_pool {
            let pool = pki.key_pool(job.profile.key);
            match self.plan.new_keys {
                // A run may have been killed at its very end.
                0 => pool.settle(pki.registry())?,
                keys => maker.pool = Some(pool.draw_for(&batch, keys, password, pki.registry())?),
            }
        }
        check_new_keys(&job.rules(), self.plan)?;
        let done = self.issue(maker, pki.registry_mut(), &batch, newcomers, summary);
        if let Some(pool) = maker.pool.take() {
            pool.close(pki.registry())?;
        }
        done?;
        summary.batch = (summary.issued > 0).then_some(batch);
        Ok(())
    }

    /// Issues what is due, and finishes the files that grew meanwhile.
    fn issue(
        &self,
        maker: &Maker<'_>,
        registry: &mut Registry,
        batch: &str,
        newcomers: Newcomers,
        summary: &mut Summary,
    ) -> Result {
        let (todo, context) = (self.plan.total(), self.context);
        let opening = Opening { batch, todo, now: context.now };
        let writer = self.at.open(&opening, registry)?;
        let ledger = match self.job.secrets.map(|path| grow(path, todo, registry)).transpose() {
            Ok(ledger) => ledger.flatten(),
            Err(e) => {
                writer.map(|writer| writer.leave(false, registry)).transpose()?;
                return Err(e);
            }
        };
        let Some(writer) = writer else {
            // There is nothing to do.
            return ledger.map_or(Ok(()), |file| finish(file, &[], registry));
        };
        let shared = |share| Shared::begin(share, registry, batch);
        let shared = self.share.map(shared).transpose();
        let kept = Kept::of(self.devices, self.job, registry)?;
        let mut committer = Committer {
            registry,
            writer: &*writer,
            can_undo: self.at.can_undo(),
            ledger,
            pool: maker.pool.as_ref(),
            kept,
            batch,
            order: self.job.order,
            issuers: &self.job.ca.chain,
            newcomers,
            context,
        };
        let sizes = self.at.sizes();
        let done = shared.and_then(|shared| {
            let shared = shared.as_ref();
            let (devices, plan) = (self.devices, self.plan);
            let work = Work { maker, devices, plan, sizes, context, shared };
            work.run(&mut committer, summary)?;
            if let Some(shared) = shared {
                let left = shared.leave()?;
                let left = left.iter().filter(|at| plan.due.get(**at) == Some(&Due::New)).count();
                summary.made_by_others = todo.saturating_sub(summary.issued + left);
            }
            Ok(())
        });
        let ledger = committer.ledger;
        if done.is_err() || summary.stopped {
            let left = writer.leave(done.is_err(), registry);
            let ledger = ledger.map_or(Ok(()), |file| Ok(file.leave()?));
            // Why the run has ended counts more.
            return done.and(left).and(ledger);
        }
        writer.finish(registry)?;
        ledger.map_or(Ok(()), |file| finish(file, &[], registry))
    }
}

/// Since when devices are being replaced: the beginning of a run that was not finished, of which
/// `marker` tells, or `now`, which is then noted durably. A run that resumes it leaves alone what
/// was recorded since.
fn replacing_since(marker: &Path, now: OffsetDateTime) -> Result<Option<OffsetDateTime>> {
    if let Some(since) = unfinished_since(marker)? {
        return Ok(Some(since));
    }
    files::note(marker, &format!("{}\n", now.unix_timestamp()))?;
    Ok(None)
}

/// The beginning of a run that was not finished.
pub(super) fn unfinished_since(marker: &Path) -> Result<Option<OffsetDateTime>> {
    if !marker.exists() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&files::read(marker)?).into_owned();
    // Without its line end it was not written to its end, and nothing was begun.
    let since = text.strip_suffix('\n').and_then(|text| text.parse().ok());
    Ok(since.and_then(|since| OffsetDateTime::from_unix_timestamp(since).ok()))
}

/// A name for the run: the time, so that people find it, and randomness, so that it is unique.
fn run_name(now: OffsetDateTime) -> Result<String> {
    Ok(batch_name(now).map_err(IssueError::from)?)
}
