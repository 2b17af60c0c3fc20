//! The run: everything is checked, then workers make devices and one thread commits them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::bundle::{BundleSettings, Bundler};
use super::list::{Device, DeviceList};
use super::staging::{Staged, Staging, recover};
use super::{BulkError, Fault};
use crate::authority::{Ca, Pki};
use crate::cert::{Certificate, Serial};
use crate::crypto::{fill_random, hex};
use crate::files;
use crate::issue::{self, Issuer, Order, Outliving, Validity};
use crate::key::PrivateKey;
use crate::name::{Name, NameBuilder, find_field};
use crate::profile::{Kind, Profile};
use crate::registry::{NewRecord, Registry, RegistryError};

/// Devices that are committed together: large enough to share a sync, small enough to lose little.
const CHUNK: usize = 512;

/// What to do with a device that has a live certificate already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// Leave it as it is.
    #[default]
    Skip,
    /// Refuse the whole run before the first key.
    Fail,
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
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Devices issued.
    pub issued: usize,
    /// Devices that had a live certificate already.
    pub skipped: usize,
    /// Devices of an earlier, stopped run whose files were put into place.
    pub recovered: usize,
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
        let name = job.profile.name.clone();
        return Err(BulkError::WrongProfile { name, kind: job.profile.kind });
    }
    let issuer = Issuer::new(job.ca.certificate(), job.key, now)?;
    let wanted = Validity::of(job.profile, now, job.days);
    let validity = issuer.fit(wanted, job.outliving)?;
    let bundler = Bundler::new(job.bundle, &job.ca.chain, now)?;
    let recovered = recover(job.out, pki.registry())?;
    let (todo, skipped) = plan(pki.registry(), job, list)?;
    let maker = Maker { job, issuer, validity, bundler };
    let mut summary = Summary { issued: 0, skipped, recovered, stopped: false, seconds: 0.0 };
    if !todo.is_empty() {
        let batch = run_name(now)?;
        let mut committer = Committer {
            registry: pki.registry_mut(),
            staging: Staging::open(job.out, &batch)?,
            ca: &job.ca.name,
            batch: &batch,
            now,
        };
        let result = work(&maker, &todo, &mut committer, &mut summary, stop, progress);
        committer.staging.close()?;
        result?;
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

/// Splits the list into devices to issue and those to skip; all faults at once.
fn plan(
    registry: &Registry,
    job: &Job<'_>,
    list: DeviceList,
) -> Result<(Vec<Device>, usize), BulkError> {
    let total = list.devices.len() + list.faults.len();
    let mut faults = list.faults;
    let folder_of = |device: &Device| job.out.join(device.id.file_name());
    // Folders are looked at before the registry: another process records a device before its
    // folder appears, so a folder of theirs that is seen here is found recorded below.
    let present: Vec<bool> = list.devices.iter().map(|d| folder_of(d).exists()).collect();
    let folded: Vec<String> = list.devices.iter().map(|d| d.id.folded()).collect();
    let live = registry.live_among(&folded)?;
    let mut todo = Vec::with_capacity(list.devices.len());
    for ((device, folded), present) in list.devices.into_iter().zip(folded).zip(present) {
        let id = device.id.as_str();
        let place = device.line.map_or_else(String::new, |line| format!(" (line {line})"));
        let mut fault = |message, hint: &str| {
            let hint = Some(hint.to_owned());
            faults.push(Fault { id: id.to_owned(), line: device.line, message, hint });
        };
        if live.contains(&folded) {
            if job.existing == Existing::Fail {
                let message = format!("client id {id:?}{place} has a live certificate already");
                fault(message, "leave out --existing fail to skip such devices");
            }
            continue;
        }
        if present {
            let folder = folder_of(&device);
            let folder = folder.display();
            let message =
                format!("client id {id:?}{place} is not issued, but its folder {folder} is there");
            fault(message, "move the folder away, or choose another --out");
            continue;
        }
        todo.push(device);
    }
    faults.sort_by_key(|f| f.line);
    if !faults.is_empty() {
        return Err(BulkError::Faults { faults, total });
    }
    let skipped = total - todo.len();
    Ok((todo, skipped))
}

/// Makes one device: key, certificate, files.
struct Maker<'a> {
    job: &'a Job<'a>,
    issuer: Issuer<'a>,
    validity: Validity,
    bundler: Bundler<'a>,
}

impl Maker<'_> {
    fn make(&self, device: &Device, chunk: &Path) -> Result<Certificate, BulkError> {
        let key = PrivateKey::generate(self.job.profile.key)?;
        let order = Order {
            profile: self.job.profile,
            subject: &self.subject(device)?,
            public_key: key.public_key(),
            serial: Serial::random().map_err(crate::issue::IssueError::from)?,
            validity: self.validity,
            path_length: None,
        };
        let certificate = issue::issue(&order, &self.issuer)?;
        let dir = chunk.join(device.id.file_name());
        files::create_new_private_dir(&dir)?;
        for file in self.bundler.files(&key, &certificate)? {
            files::write_new(&dir.join(file.name), &file.bytes, file.access)?;
        }
        Ok(certificate)
    }

    fn subject(&self, device: &Device) -> Result<Name, BulkError> {
        let mut builder = self.job.subject.clone();
        builder.push(find_field("CN")?, device.id.as_str())?;
        Ok(builder.build()?)
    }
}

/// Records chunks and moves them into place.
struct Committer<'a> {
    registry: &'a mut Registry,
    staging: Staging,
    ca: &'a str,
    batch: &'a str,
    now: OffsetDateTime,
}

impl Committer<'_> {
    /// Commits a chunk; returns how many devices it issued. Devices that another process has
    /// issued in the meantime are left out.
    fn commit(&mut self, index: usize, mut records: Vec<NewRecord>) -> Result<usize, BulkError> {
        let mut staged: Vec<Staged> = records.iter().filter_map(staged).collect();
        self.staging.seal(index, &staged)?;
        while let Err(e) = self.registry.record(self.batch, self.now, &records) {
            let RegistryError::Conflict = e else { return Err(e.into()) };
            let folded: Vec<String> = staged.iter().map(|d| d.id.folded()).collect();
            let taken = self.registry.live_among(&folded)?;
            if taken.is_empty() {
                return Err(e.into());
            }
            staged.retain(|d| !taken.contains(&d.id.folded()));
            records.retain(|r| r.device.as_ref().is_some_and(|d| !taken.contains(&d.folded())));
        }
        self.staging.publish(index, &staged)?;
        Ok(staged.len())
    }
}

fn staged(record: &NewRecord) -> Option<Staged> {
    let id = record.device.clone()?;
    Some(Staged { id, serial: record.certificate.serial.clone() })
}

type Made = (usize, Result<Certificate, BulkError>);

/// Workers make devices in any order; a chunk is committed when all of it has arrived.
fn work(
    maker: &Maker<'_>,
    todo: &[Device],
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
        let result = collect(&receiver, todo, committer, summary, progress);
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
    todo: &[Device],
    committer: &mut Committer<'_>,
    summary: &mut Summary,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    let mut pending: BTreeMap<usize, Vec<NewRecord>> = BTreeMap::new();
    let size = |chunk: usize| CHUNK.min(todo.len() - chunk * CHUNK);
    let ca = committer.ca.to_owned();
    let mut commit = |chunk, records: Vec<NewRecord>| -> Result<(), BulkError> {
        let wanted = records.len();
        let issued = committer.commit(chunk, records)?;
        summary.issued += issued;
        summary.skipped += wanted - issued;
        progress(Progress { done: summary.issued, total: todo.len() });
        Ok(())
    };
    for (index, made) in receiver {
        let device = &todo[index];
        let record = NewRecord {
            ca: ca.clone(),
            device: Some(device.id.clone()),
            certificate: made?,
            details: device.details.clone(),
        };
        let chunk = index / CHUNK;
        let records = pending.entry(chunk).or_default();
        records.push(record);
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
