//! The run: everything is checked, then workers make devices and one thread commits them.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::bundle::{BundleSettings, Bundler};
use super::commit::{Committer, Pace, Portions, Sink, work};
use super::list::Devices;
use super::make::Maker;
use super::new_ids::Remarks;
use super::out::Out;
use super::plan::{Plan, plan};
use super::staging::{Staging, recover, replacing_since};
use super::{BadRow, BulkError, archive};
use crate::authority::policy::SigningPolicy;
use crate::authority::{Ca, Pki};
use crate::crypto::KeyPolicy;
use crate::files;
use crate::files::growing::{GROWS, Growing, part_of};
use crate::issue::{Issuer, Outliving, Template, Validity};
use crate::key::KeyError;
use crate::key::signer::Signer;
use crate::name::{NameBuilder, find_field};
use crate::profile::{Kind, Profile};
use crate::registry::{Newcomers, Registry, batch_name};
use crate::secret::Password;

/// What to do with a device that has a live certificate already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Leave it as it is.
    #[default]
    Skip,
    /// Refuse the whole run before the first key.
    Fail,
    /// Issue another one in its place; the former one stays in the registry as history.
    ///
    /// A run that was stopped, however it ended, is gone on with by the next one in the same folder:
    /// what was recorded since its beginning is left as it is.
    Replace {
        /// Whether the former certificate is revoked, with the reason `superseded`.
        revoke: bool,
    },
}

/// What to issue, and how.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The issuing CA.
    pub ca: &'a Ca,
    /// Its key.
    pub key: &'a dyn Signer,
    /// The profile, of kind `device`.
    pub profile: &'a Profile,
    /// Subject fields besides CN, which is the device identifier.
    pub subject: &'a NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do when a device would outlive its issuer.
    pub outliving: Outliving,
    /// Where their files go.
    pub out: Out<'a>,
    /// The files of a device.
    pub bundle: BundleSettings<'a>,
    /// What to do with devices that are issued already.
    pub existing: Existing,
    /// A CSV that gets a random store password for each device, in place of one password for all; see
    /// [`SECRETS_HEADER`](super::SECRETS_HEADER).
    pub secrets: Option<&'a Path>,
    /// Takes keys from the pool of the PKI folder, which this password opens, instead of making them.
    pub key_pool: Option<&'a Password>,
    /// Whether devices that can be issued are, though others have faults.
    pub keep_going: bool,
    /// What the CA may sign.
    pub policy: &'a SigningPolicy,
    /// Which keys are certified that were made elsewhere.
    pub keys: KeyPolicy,
    /// Number of worker threads; at least one is used.
    pub threads: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Devices that are issued: recorded, and their files in place.
    pub done: usize,
    /// Devices to be issued in this run.
    pub total: usize,
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Devices issued.
    pub issued: usize,
    /// Those among them whose former certificate was replaced.
    pub replaced: usize,
    /// Devices that had a live certificate already.
    pub skipped: usize,
    /// Devices whose certificate was revoked: they get another one only when that is asked for.
    pub revoked: usize,
    /// Those among them without all the files of the bundle: moved away, lost, or issued with
    /// another bundle.
    pub incomplete: usize,
    /// The first 100 of them.
    pub incomplete_ids: Vec<String>,
    /// What is to be said of the ids of devices that were issued before, where no new device may have them.
    pub old_ids: Remarks,
    /// Devices that could not be issued as asked, while the others were.
    pub failed: usize,
    /// Why, for each of them.
    #[serde(skip)]
    pub failures: Vec<BadRow>,
    /// Devices of an earlier, stopped run whose files were put into place.
    pub recovered: usize,
    /// The beginning of the replacing run that this one went on with.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// The name of the run in the registry, if it has issued any.
    pub batch: Option<String>,
    /// Whether the run was stopped before its end.
    pub stopped: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Issues the devices of a list.
///
/// Nothing is made before everything is checked. `stop` ends the run after what is being made;
/// `progress` is called after each chunk.
///
/// Errors: [`BulkError::Faults`] when a device cannot be issued as asked; failures of the file
/// system and the registry. What was committed before an error stays issued; nothing else is left.
pub fn run(
    pki: &mut Pki,
    job: &Job<'_>,
    devices: impl Into<Devices>,
    now: OffsetDateTime,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Summary, BulkError> {
    let newcomers = pki.registry().newcomers()?;
    run_since(pki, job, devices.into(), newcomers, now, stop, progress)
}

/// The same for devices whose keys were looked up before, when the `newcomers` began.
pub(super) fn run_since(
    pki: &mut Pki,
    job: &Job<'_>,
    devices: Devices,
    newcomers: Newcomers,
    now: OffsetDateTime,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Summary, BulkError> {
    let start = Instant::now();
    check_out(job)?;
    let mut maker = maker(job, now)?;
    let recovered = match job.out {
        Out::Folders(dir) => recover(dir, pki.registry())?,
        Out::Archive(_) | Out::Stream(_) => 0,
    };
    pki.check_chain_length(job.ca)?;
    pki.check_not_revoked(job.ca)?;
    pki.check_not_rolled_back(job.ca)?;
    let marker = match job.existing {
        Existing::Replace { .. } => job.out.replacing_marker(),
        Existing::Skip | Existing::Fail => None,
    };
    let since = marker.as_deref().map(|path| replacing_since(path, now)).transpose()?.flatten();
    let mut summary = Summary::default();
    let makes = (&mut maker, newcomers);
    let done = run_planned(pki, makes, &devices, (since, now), &mut summary, stop, progress);
    let begun = since.is_some() || summary.issued > 0;
    if let Some(marker) = marker.filter(|_| !begun || (done.is_ok() && !summary.stopped)) {
        files::remove_file(&marker)?;
    }
    done?;
    summary.recovered = recovered;
    summary.seconds = elapsed(start);
    Ok(summary)
}

/// Finishes what stopped runs have left at a place: devices that are recorded and not in place, an
/// archive and a list of passwords that only lack their end. Returns how many devices were put into place.
pub fn settle(pki: &mut Pki, out: Out<'_>, secrets: Option<&Path>) -> Result<usize, BulkError> {
    let recovered = match out {
        Out::Folders(dir) => recover(dir, pki.registry())?,
        Out::Archive(_) | Out::Stream(_) => 0,
    };
    let archive = match out {
        Out::Archive(path) => Some((path, archive::END.as_slice())),
        Out::Folders(_) | Out::Stream(_) => None,
    };
    for (path, end) in archive.into_iter().chain(secrets.map(|path| (path, [].as_slice()))) {
        let part = part_of(path);
        if let Some(mark) = pki.registry().mark(&part)?.filter(|_| part.exists()) {
            finish(Growing::open(path, Some(&mark))?, end, pki.registry_mut())?;
        }
    }
    if let Some(marker) = out.replacing_marker() {
        files::remove_file(&marker)?;
    }
    Ok(recovered)
}

/// The run, once it is known since when devices are replaced.
fn run_planned(
    pki: &mut Pki,
    (maker, newcomers): (&mut Maker<'_>, Newcomers),
    devices: &Devices,
    (since, now): (Option<OffsetDateTime>, OffsetDateTime),
    summary: &mut Summary,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    let job = maker.job;
    let plan = plan(pki.registry(), job, devices, since)?;
    *summary = Summary {
        skipped: plan.skipped,
        revoked: plan.revoked,
        incomplete: plan.incomplete,
        incomplete_ids: plan.incomplete_ids.clone(),
        old_ids: plan.old_ids.clone(),
        failed: plan.failed.count,
        failures: plan.failed.first.clone(),
        since,
        ..Summary::default()
    };
    let batch = run_name(now)?;
    let new_keys = devices.new_keys(&plan.due);
    if let Some(password) = job.key_pool {
        let pool = pki.key_pool(job.profile.key);
        match new_keys {
            // A run may have been killed at its very end.
            0 => pool.settle(pki.registry())?,
            _ => maker.pool = Some(pool.draw_for(&batch, new_keys, password, pki.registry())?),
        }
    } else if new_keys > 0 {
        let profile = job.profile;
        profile.key.check_available_by(profile.rsa_keys).map_err(KeyError::from)?;
    }
    let run = Run { maker, devices, plan: &plan, stop, progress };
    let done = run.issue(pki.registry_mut(), &batch, newcomers, now, summary);
    if let Some(pool) = maker.pool.take() {
        pool.close(pki.registry())?;
    }
    done?;
    summary.batch = (summary.issued > 0).then_some(batch);
    Ok(())
}

/// Refuses places that cannot take what is asked.
fn check_out(job: &Job<'_>) -> Result<(), BulkError> {
    if job.profile.kind != Kind::Device {
        return Err(BulkError::WrongProfile { name: job.profile.name.clone() });
    }
    let archive = match job.out {
        Out::Archive(path) => Some(path),
        Out::Folders(_) | Out::Stream(_) => None,
    };
    for path in job.secrets.iter().copied().chain(archive.filter(|path| !path.is_dir())) {
        files::regular(path, GROWS)?;
    }
    match job.out {
        Out::Folders(dir) if dir.join("pki.toml").exists() => {
            let problem = "it is a PKI folder; devices go into a folder of their own";
            Err(BulkError::Output { path: dir.to_owned(), problem })
        }
        Out::Archive(path) if path.is_dir() => {
            let problem = "it is a folder; an archive is a file";
            Err(BulkError::Output { path: path.to_owned(), problem })
        }
        // Killed between the two, a key would be with the reader and in the pool.
        Out::Stream(_) if job.key_pool.is_some() => {
            Err(BulkError::Stream { what: "keys of the key pool" })
        }
        // Stopped, nobody could say where it has to go on.
        Out::Stream(_) if matches!(job.existing, Existing::Replace { .. }) => {
            Err(BulkError::Stream { what: "devices that replace others" })
        }
        _ => Ok(()),
    }
}

/// Makes ready what all devices share.
fn maker<'a>(job: &'a Job<'a>, now: OffsetDateTime) -> Result<Maker<'a>, BulkError> {
    let issuer = Issuer::new(job.ca.certificate(), job.key, now)?;
    let wanted = Validity::of(job.profile, now, job.days);
    let validity = issuer.fit(wanted, job.outliving)?;
    Ok(Maker {
        job,
        template: Template::new(job.profile, validity, None, &issuer)?,
        subject: job.subject.clone().build_without(find_field("CN")?),
        bundler: Bundler::new(job.bundle, &job.ca.chain, job.secrets.is_some(), now)?,
        location: job.out.location(),
        pool: None,
        headers: archive::Headers::new(u64::try_from(now.unix_timestamp()).unwrap_or(0)),
    })
}

/// A run whose devices are known.
struct Run<'a> {
    maker: &'a Maker<'a>,
    devices: &'a Devices,
    plan: &'a Plan,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Run<'_> {
    /// Issues what is due, and finishes the files that grew meanwhile.
    fn issue(
        &self,
        registry: &mut Registry,
        batch: &str,
        newcomers: Newcomers,
        now: OffsetDateTime,
        summary: &mut Summary,
    ) -> Result<(), BulkError> {
        let job = self.maker.job;
        let archive = match job.out {
            Out::Archive(path) => self.grow(path, registry)?,
            Out::Folders(_) | Out::Stream(_) => None,
        };
        let ledger = match job.secrets.map(|path| self.grow(path, registry)).transpose() {
            Ok(ledger) => ledger.flatten(),
            Err(e) => {
                archive.map(Growing::leave).transpose()?;
                return Err(e);
            }
        };
        let staging = match job.out {
            Out::Folders(dir) if self.plan.total() > 0 => {
                Some(Staging::open(dir, batch, registry)?)
            }
            _ => None,
        };
        let sink = match (&staging, archive, job.out) {
            (Some(staging), ..) => Sink::Folders(staging),
            (None, Some(archive), _) => Sink::Archive(archive),
            (None, None, Out::Stream(stream)) => Sink::Stream(stream),
            // There is nothing to do.
            (None, None, _) => return finish_all(None, ledger, registry),
        };
        let pool = self.maker.pool.as_ref();
        let registry_mut = &mut *registry;
        let mut committer =
            Committer { registry: registry_mut, sink, ledger, pool, batch, newcomers, now };
        let done = self.work(&mut committer, summary);
        let Committer { sink, ledger, .. } = committer;
        let archive = match sink {
            Sink::Archive(archive) => Some(archive),
            Sink::Folders(_) | Sink::Stream(_) => None,
        };
        if done.is_err() || summary.stopped {
            let files = archive.into_iter().chain(ledger);
            let left: Vec<_> = files.map(Growing::leave).collect();
            // Why the run has ended counts more.
            self.leave(staging, registry, done)?;
            return Ok(left.into_iter().collect::<Result<(), _>>()?);
        }
        if let Some(staging) = staging {
            staging.close()?;
        }
        if let Out::Stream(stream) = job.out {
            stream.write([archive::END.as_slice()]).map_err(BulkError::Write)?;
        }
        finish_all(archive, ledger, registry)
    }

    fn work(&self, committer: &mut Committer<'_>, summary: &mut Summary) -> Result<(), BulkError> {
        let job = self.maker.job;
        let makes_keys = self.devices.has_new_keys() && job.key_pool.is_none();
        let pace = match (job.profile.key.is_rsa() && makes_keys, job.secrets) {
            (true, _) => Pace::MakesRsa,
            (false, Some(_)) => Pace::Derives,
            (false, None) => Pace::Fast,
        };
        let portions = Portions::new(pace, job.out);
        let due = (self.plan.due.as_slice(), self.plan.total());
        let how = (portions, committer);
        work(self.maker, self.devices, due, how, summary, self.stop, self.progress)
    }

    /// Opens a file that grows with the run; none if there is nothing to go into it, or to finish.
    fn grow(&self, path: &Path, registry: &mut Registry) -> Result<Option<Growing>, BulkError> {
        let part = part_of(path);
        let todo = self.plan.total();
        if todo > 0 && path.exists() {
            return Err(BulkError::Finished { path: path.to_owned(), todo });
        }
        if !part.exists() {
            // Of a file of that name that was finished, or is gone.
            registry.forget_mark(&part)?;
        }
        let mark = registry.mark(&part)?;
        if todo == 0 && mark.is_none() {
            return Ok(None);
        }
        let file = Growing::open(path, mark.as_ref())?;
        if todo > 0 && path.exists() {
            // Finished by another process a moment ago.
            file.leave()?;
            return Err(BulkError::Finished { path: path.to_owned(), todo });
        }
        registry.remember_mark(&mark.unwrap_or_else(|| file.first_mark()))?;
        Ok(Some(file))
    }

    /// After an error or an interruption.
    fn leave(
        &self,
        staging: Option<Staging>,
        registry: &Registry,
        done: Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        match (staging, self.maker.job.out) {
            (Some(staging), Out::Folders(dir)) if done.is_err() => {
                // What was recorded must not go with the rest: it is put into place, or stays.
                drop(staging);
                let _ = recover(dir, registry);
            }
            (Some(staging), _) => staging.close()?,
            (None, _) => {}
        }
        done
    }
}

/// Ends the files that grew with a run.
fn finish_all(
    archive: Option<Growing>,
    ledger: Option<Growing>,
    registry: &mut Registry,
) -> Result<(), BulkError> {
    archive.map(|file| finish(file, &archive::END, registry)).transpose()?;
    ledger.map(|file| finish(file, &[], registry)).transpose()?;
    Ok(())
}

fn finish(file: Growing, end: &[u8], registry: &mut Registry) -> Result<(), BulkError> {
    let part = file.part().to_owned();
    file.finish(end)?;
    Ok(registry.forget_mark(&part)?)
}

fn elapsed(start: Instant) -> f64 {
    start.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

/// A name for the run: the time, so that people find it, and randomness, so that it is unique.
fn run_name(now: OffsetDateTime) -> Result<String, BulkError> {
    Ok(batch_name(now).map_err(crate::issue::IssueError::from)?)
}
