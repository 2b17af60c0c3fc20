//! The run: everything is checked, then workers make devices and one thread commits them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::BulkError;
use super::bundle::{BundleSettings, Bundler};
use super::list::{DeviceKey, DeviceList};
use super::plan::{Plan, Todo, plan, subject_of};
use super::staging::{Staged, Staging, recover, replaced_all, replacing_since};
use crate::authority::policy::SigningPolicy;
use crate::authority::{Ca, Pki};
use crate::cert::Serial;
use crate::crypto::{PublicKey, fill_random, hex};
use crate::files;
use crate::issue::{self, Issuer, Order, Outliving, Validity};
use crate::key::PrivateKey;
use crate::key::read::is_encrypted;
use crate::name::NameBuilder;
use crate::profile::{Kind, Profile};
use crate::registry::{NewRecord, Registry, RegistryError};
use crate::secret::{Password, SecretBytes};
use crate::store::DEFAULT_ITERATIONS;

/// Devices that are committed together: large enough to share a sync, small enough to lose little.
const CHUNK: usize = 512;

/// How many ids a summary names.
const MOST_IDS: usize = 100;

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
    pub key: &'a PrivateKey,
    /// The profile, of kind `device`.
    pub profile: &'a Profile,
    /// Subject fields besides CN, which is the device identifier.
    pub subject: &'a NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do when a device would outlive its issuer.
    pub outliving: Outliving,
    /// The folder that gets one folder per device.
    pub out: &'a Path,
    /// The files of a device.
    pub bundle: BundleSettings<'a>,
    /// What to do with devices that are issued already.
    pub existing: Existing,
    /// What the CA may sign.
    pub policy: &'a SigningPolicy,
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
    list: DeviceList,
    now: OffsetDateTime,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Summary, BulkError> {
    let start = Instant::now();
    if job.profile.kind != Kind::Device {
        return Err(BulkError::WrongProfile { name: job.profile.name.clone() });
    }
    if job.out.join("pki.toml").exists() {
        let problem = "it is a PKI folder; devices go into a folder of their own";
        return Err(BulkError::Output { path: job.out.to_owned(), problem });
    }
    let issuer = Issuer::new(job.ca.certificate(), job.key, now)?;
    let wanted = Validity::of(job.profile, now, job.days);
    let validity = issuer.fit(wanted, job.outliving)?;
    let bundler = Bundler::new(job.bundle, &job.ca.chain, now)?;
    let recovered = recover(job.out, pki.registry())?;
    pki.check_not_revoked(job.ca)?;
    let replaces = matches!(job.existing, Existing::Replace { .. });
    let since = if replaces { replacing_since(job.out, now)? } else { None };
    let Plan { todo, skipped, revoked, incomplete } = plan(pki.registry(), job, list, since)
        .inspect_err(|_| {
            // Nothing was begun.
            if since.is_none() {
                let _ = replaced_all(job.out);
            }
        })?;
    let location = std::path::absolute(job.out).unwrap_or_else(|_| job.out.to_owned());
    let maker = Maker { job, issuer, validity, bundler, location };
    let mut summary = Summary { skipped, revoked, recovered, since, ..Summary::default() };
    summary.incomplete = incomplete.len();
    summary.incomplete_ids = incomplete;
    summary.incomplete_ids.truncate(MOST_IDS);
    if !todo.is_empty() {
        let batch = run_name(now)?;
        let mut committer = Committer {
            registry: pki.registry_mut(),
            staging: Staging::open(job.out, &batch)?,
            batch: &batch,
            now,
        };
        let result = work(&maker, &todo, &mut committer, &mut summary, stop, progress);
        let staging = committer.staging;
        match result {
            Ok(()) => staging.close()?,
            Err(e) => {
                // What was recorded must not go with the rest: it is put into place, or stays.
                drop(staging);
                let _ = recover(job.out, pki.registry());
                return Err(e);
            }
        }
        summary.batch = (summary.issued > 0).then_some(batch);
    }
    if replaces && !summary.stopped {
        replaced_all(job.out)?;
    }
    summary.seconds = elapsed(start);
    Ok(summary)
}

fn elapsed(start: Instant) -> f64 {
    start.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

/// A name for the run: the time, so that people find it, and randomness, so that it is unique.
fn run_name(now: OffsetDateTime) -> Result<String, BulkError> {
    let mut random = [0; 6];
    fill_random(&mut random).map_err(crate::issue::IssueError::from)?;
    Ok(format!("{}-{}", now.unix_timestamp(), hex(&random)))
}

/// A device's key: here, as PEM too if that is what it was read from, or in the device only.
enum Key<'a> {
    Here { key: PrivateKey, pem: Option<SecretBytes> },
    Elsewhere(&'a PublicKey),
}

/// Makes one device: key, certificate, files.
struct Maker<'a> {
    job: &'a Job<'a>,
    issuer: Issuer<'a>,
    validity: Validity,
    bundler: Bundler<'a>,
    location: PathBuf,
}

impl Maker<'_> {
    fn make(&self, todo: &Todo, chunk: &Path) -> Result<NewRecord, BulkError> {
        let device = &todo.device;
        let key = self.key(&device.key)?;
        let public_key = match &key {
            Key::Elsewhere(public) => *public,
            Key::Here { key, .. } => key.public_key(),
        };
        let order = Order {
            profile: self.job.profile,
            subject: &subject_of(self.job, device)?,
            public_key,
            serial: Serial::random().map_err(crate::issue::IssueError::from)?,
            validity: self.validity,
            path_length: None,
        };
        let certificate = issue::issue(&order, &self.issuer)?;
        let folder = device.id.file_name();
        let dir = chunk.join(&folder);
        files::create_new_private_dir(&dir)?;
        let files = match &key {
            Key::Here { key, pem } => self.bundler.files(key, pem.as_ref(), &certificate)?,
            Key::Elsewhere(_) => self.bundler.certificate_files(&certificate).into(),
        };
        for file in files {
            files::write_new(&dir.join(file.name), &file.bytes, file.access)?;
        }
        Ok(NewRecord {
            ca: self.job.ca.name.clone(),
            device: Some(device.id.clone()),
            certificate,
            details: device.details.clone(),
            location: Some(self.location.join(folder)),
            has_key: matches!(key, Key::Here { .. }),
            replaces: todo.replaces.clone(),
        })
    }

    /// An encrypted key stays encrypted: as it is, or, where the file is more than its PEM, anew under
    /// the same password.
    fn kept_form(
        &self,
        key: &PrivateKey,
        bytes: SecretBytes,
        password: Option<&Password>,
    ) -> Result<Option<SecretBytes>, BulkError> {
        let (true, Some(password)) = (is_encrypted(bytes.expose()), password) else {
            return Ok(None);
        };
        let blocks = bytes.expose().windows(11).filter(|w| w == b"-----BEGIN ").count();
        if blocks == 1 && bytes.expose().starts_with(b"-----BEGIN ") {
            return Ok(Some(bytes));
        }
        let iterations = self.job.bundle.key_iterations.max(DEFAULT_ITERATIONS);
        Ok(Some(key.to_encrypted_pem(password, iterations)?))
    }

    fn key<'d>(&self, source: &'d DeviceKey) -> Result<Key<'d>, BulkError> {
        match source {
            DeviceKey::New => {
                let key = PrivateKey::generate(self.job.profile.key)?;
                Ok(Key::Here { key, pem: None })
            }
            DeviceKey::Requested(public) => Ok(Key::Elsewhere(public)),
            DeviceKey::File { path, password } => {
                let bytes = SecretBytes::new(files::read(path)?);
                let key = PrivateKey::read(bytes.expose(), password.as_ref())
                    .map_err(|source| BulkError::KeyFile { path: path.clone(), source })?;
                let pem = self.kept_form(&key, bytes, password.as_ref())?;
                Ok(Key::Here { key, pem })
            }
        }
    }
}

/// Records chunks and moves them into place.
struct Committer<'a> {
    registry: &'a mut Registry,
    staging: Staging,
    batch: &'a str,
    now: OffsetDateTime,
}

impl Committer<'_> {
    /// Commits a chunk; returns the records that it issued. Devices that another process has issued
    /// or replaced in the meantime are left out.
    fn commit(
        &mut self,
        index: usize,
        mut records: Vec<NewRecord>,
    ) -> Result<Vec<NewRecord>, BulkError> {
        let staged_of =
            |records: &[NewRecord]| records.iter().filter_map(staged).collect::<Vec<_>>();
        self.staging.seal(index, &staged_of(&records))?;
        while let Err(e) = self.registry.record(self.batch, self.now, &records) {
            let RegistryError::Conflict = e else { return Err(e.into()) };
            let before = records.len();
            let mut left = Vec::with_capacity(before);
            for record in records {
                if self.is_still_due(&record)? {
                    left.push(record);
                }
            }
            if left.len() == before {
                return Err(e.into());
            }
            records = left;
        }
        self.staging.publish(index, &staged_of(&records), self.registry)?;
        Ok(records)
    }

    /// Whether the device's live certificate is still the one that this is to replace, or none.
    fn is_still_due(&self, record: &NewRecord) -> Result<bool, BulkError> {
        let Some(device) = &record.device else { return Ok(true) };
        let live = self.registry.live_device(&device.folded())?.map(|live| live.serial);
        Ok(live.as_ref() == record.replaces.as_ref().map(|replaced| &replaced.serial))
    }
}

fn staged(record: &NewRecord) -> Option<Staged> {
    let id = record.device.clone()?;
    Some(Staged { id, serial: record.certificate.serial.clone() })
}

type Made = (usize, Result<NewRecord, BulkError>);

/// Workers make devices in any order; a chunk is committed when all of it has arrived.
fn work(
    maker: &Maker<'_>,
    todo: &[Todo],
    committer: &mut Committer<'_>,
    summary: &mut Summary,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    let chunks = (0..todo.len().div_ceil(CHUNK))
        .map(|index| committer.staging.chunk(index))
        .collect::<Result<Vec<_>, _>>()?;
    let next = AtomicUsize::new(0);
    let halt = AtomicBool::new(false);
    // Bounded, so that workers cannot run far ahead of a slow disk.
    let (sender, receiver) = mpsc::sync_channel::<Made>(2 * CHUNK);
    let worker = |sender: mpsc::SyncSender<Made>| {
        while !stop.load(Ordering::Relaxed) && !halt.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(device) = todo.get(index) else { break };
            let made = maker.make(device, &chunks[index / CHUNK]);
            if sender.send((index, made)).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..maker.job.threads.max(1) {
            let sender = sender.clone();
            scope.spawn(|| worker(sender));
        }
        drop(sender);
        let result = collect(&receiver, todo.len(), committer, summary, progress);
        halt.store(true, Ordering::Relaxed);
        // Unblocks workers that wait to send.
        drop(receiver);
        result
    })?;
    summary.stopped = stop.load(Ordering::Relaxed);
    Ok(())
}

fn collect(
    receiver: &mpsc::Receiver<Made>,
    total: usize,
    committer: &mut Committer<'_>,
    summary: &mut Summary,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    let mut pending: BTreeMap<usize, Vec<(usize, NewRecord)>> = BTreeMap::new();
    let size = |chunk: usize| CHUNK.min(total - chunk * CHUNK);
    let mut commit = |chunk, mut records: Vec<(usize, NewRecord)>| -> Result<(), BulkError> {
        // The registry keeps the order of the list, whichever worker was first.
        records.sort_by_key(|(index, _)| *index);
        let records: Vec<NewRecord> = records.into_iter().map(|(_, record)| record).collect();
        let wanted = records.len();
        let issued = committer.commit(chunk, records)?;
        summary.issued += issued.len();
        summary.replaced += issued.iter().filter(|r| r.replaces.is_some()).count();
        summary.skipped += wanted - issued.len();
        progress(Progress { done: summary.issued, total });
        Ok(())
    };
    for (index, made) in receiver {
        let chunk = index / CHUNK;
        let records = pending.entry(chunk).or_default();
        records.push((index, made?));
        if records.len() == size(chunk) {
            let records = pending.remove(&chunk).unwrap_or_default();
            commit(chunk, records)?;
        }
    }
    // Only a stopped run leaves chunks that are not full.
    for (chunk, records) in pending {
        commit(chunk, records)?;
    }
    Ok(())
}
