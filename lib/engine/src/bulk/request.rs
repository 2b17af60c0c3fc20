//! Certificate requests: a heap of them in, a verdict for each out.
//!
//! Of a request count its public key, for which its signature proves possession, and its Common
//! Name, which must be a device identifier. Everything else, the extensions that it asks for
//! included, is left aside: what goes into the certificate is the profile's affair. A request that
//! is refused does not stop the others.
//!
//! A request whose key is certified for that device already is delivered again, not signed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use time::OffsetDateTime;

use super::BulkError;
use super::bundle::Bundler;
use super::keys::Owners;
use super::list::{Device, DeviceKey, DeviceList};
use super::out::Out;
use super::plan::{Fate, fate};
use super::run::{Existing, Job, Progress, Summary, run_since};
use super::staging::recover;
use crate::authority::{Pki, id_of};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::crypto::KeyPolicy;
use crate::csr::Request;
use crate::failure::{Failure, Hint, Setting};
use crate::files;
use crate::read;

/// The contents of a file with one request or several.
#[derive(Debug, Clone)]
pub struct RequestFile {
    /// What messages call it.
    pub name: String,
    /// PEM or DER.
    pub bytes: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was signed.
    Signed,
    /// Its key had been certified for that device before; the certificate is delivered again.
    Kept,
    /// It was refused.
    Refused,
    /// It was good, but the run ended before its turn, or another process was faster.
    Left,
}

/// The verdict on one request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// The file, with the request's number in it (from 1) if there are several.
    pub file: String,
    /// The device, if it is known.
    pub id: Option<String>,
    /// What became of it.
    pub action: Action,
    /// Serial number of the certificate, in hex.
    pub serial: Option<String>,
    /// Why it was refused: a sentence.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<Hint>,
    /// The folder with `cert.pem` and `chain.pem`.
    pub folder: Option<PathBuf>,
}

impl Verdict {
    fn new(file: &str, id: Option<&DeviceId>, action: Action) -> Self {
        Self {
            file: file.to_owned(),
            id: id.map(|id| id.as_str().to_owned()),
            action,
            serial: None,
            message: None,
            hint: None,
            folder: None,
        }
    }

    fn refused(file: &str, id: Option<&DeviceId>, message: String, hint: Option<Hint>) -> Self {
        Self { message: Some(message), hint, ..Self::new(file, id, Action::Refused) }
    }
}

/// Signs requests under `job`, whose bundle does not matter. `id` takes the place of the Common
/// Name of the only request. Returns a verdict for each, in their order, and what the run did.
pub fn sign(
    pki: &mut Pki,
    job: &Job<'_>,
    requests: &[RequestFile],
    id: Option<&DeviceId>,
    now: OffsetDateTime,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Vec<Verdict>, Summary), BulkError> {
    let Out::Folders(out) = job.out else {
        return Err(BulkError::Stream { what: "certificates for requests" });
    };
    recover(out, pki.registry())?;
    let all: Vec<_> = requests.iter().flat_map(open).collect();
    if id.is_some() && all.len() > 1 {
        return Err(BulkError::OneId { requests: all.len() });
    }
    let read = |request: Result<Request, Sentence>| request.and_then(|r| device(&r, id, job.keys));
    let all: Vec<_> = all.into_iter().map(|(name, request)| (name, read(request))).collect();
    let asking = all.iter().filter_map(|(_, device)| requested(device.as_ref().ok()?));
    let newcomers = pki.registry().newcomers()?;
    let owners = Owners::of(pki.registry(), &pki.cas()?, asking)?;
    let (taken, seen, list) = (HashMap::new(), HashMap::new(), DeviceList::default());
    let mut desk = Desk { pki, job, out, now, owners, taken, seen, list };
    let mut verdicts = Vec::with_capacity(all.len());
    for (name, device) in all {
        verdicts.push(match device {
            Ok(device) => desk.judge(&name, device)?,
            Err((message, hint)) => Verdict::refused(&name, None, message, hint),
        });
    }
    let list = desk.list;
    let summary = match list.devices.is_empty() {
        true => Summary::default(),
        false => run_since(pki, job, list.into(), newcomers, now, stop, progress)?,
    };
    for verdict in verdicts.iter_mut().filter(|v| v.action == Action::Left) {
        settle(pki, job, &summary, verdict)?;
    }
    Ok((verdicts, summary))
}

type Sentence = (String, Option<Hint>);

/// The requests of a file, each with its name.
fn open(file: &RequestFile) -> Vec<(String, Result<Request, Sentence>)> {
    let sentence = |e: crate::csr::CsrError| (e.to_string(), e.hint());
    match read::requests(&file.bytes) {
        Err(e) => vec![(file.name.clone(), Err((e.to_string(), e.hint())))],
        Ok(requests) => {
            let several = requests.len() > 1;
            let named = |(index, request): (usize, Result<Request, _>)| {
                let number = if several { format!(" #{}", index + 1) } else { String::new() };
                (format!("{}{number}", file.name), request.map_err(sentence))
            };
            requests.into_iter().enumerate().map(named).collect()
        }
    }
}

/// What a request asks for, if it may.
fn device(request: &Request, id: Option<&DeviceId>, keys: KeyPolicy) -> Result<Device, Sentence> {
    let key = request.check_to_certify(keys);
    let key = key.map_err(|e| (e.to_string(), e.hint()))?.clone();
    let id = match id {
        Some(id) => id.clone(),
        None => id_of(request).map_err(|e| (e.to_string(), e.hint()))?,
    };
    let key = DeviceKey::Requested(key);
    Ok(Device { id, key, subject: None, line: None, details: Default::default() })
}

/// The key that a device asks to have certified, as its SubjectPublicKeyInfo.
fn requested(device: &Device) -> Option<&[u8]> {
    match &device.key {
        DeviceKey::Requested(key) => Some(key.spki()),
        DeviceKey::New | DeviceKey::File { .. } => None,
    }
}

/// Where requests are judged, one after the other.
struct Desk<'a> {
    pki: &'a Pki,
    job: &'a Job<'a>,
    out: &'a Path,
    now: OffsetDateTime,
    /// Who has the keys already.
    owners: Owners,
    /// Keys of requests that came before, and their devices.
    taken: HashMap<Vec<u8>, String>,
    /// Folded ids, and the request that asked for each first.
    seen: HashMap<String, String>,
    /// Good requests.
    list: DeviceList,
}

impl Desk<'_> {
    /// Decides about one request; good ones go into the list.
    fn judge(&mut self, name: &str, device: Device) -> Result<Verdict, BulkError> {
        let id = device.id.clone();
        let refuse = |message: String, hint: &'static str| {
            Ok(Verdict::refused(name, Some(&id), message, Some(hint.into())))
        };
        let text = id.as_str();
        let DeviceKey::Requested(key) = &device.key else {
            return refuse(format!("device id {text:?} has no key of its own"), "send a request");
        };
        if let Some(first) = self.seen.insert(id.folded(), name.to_owned()) {
            let message = format!("device id {text:?} is asked for by {first} too");
            return refuse(message, "keep one request for each device");
        }
        if let Some((message, hint)) = self.owners.refuse(&id, key.spki()) {
            return refuse(message, hint);
        }
        if let Some(owner) = self.taken.insert(key.spki().to_vec(), text.to_owned()) {
            let message = format!("the key of device id {text:?} is that of {owner:?} too");
            return refuse(message, "have each device make a key of its own");
        }
        let live = self.pki.registry().live_device(&id.folded())?;
        if let (Some(live), Existing::Skip) = (&live, self.job.existing) {
            let certificate = live.certificate()?;
            if key.spki() != certificate.spki {
                let message = format!("device id {text:?} has a live certificate for another key");
                let hint = Hint::give("to give it one for this key", Setting::Replace);
                return Ok(Verdict::refused(name, Some(&id), message, Some(hint)));
            }
            let mut verdict = Verdict::new(name, Some(&id), Action::Kept);
            verdict.serial = Some(live.serial.to_string());
            verdict.folder = Some(self.deliver(&live.ca, &id, &certificate)?);
            return Ok(verdict);
        }
        match fate(self.pki.registry(), self.job, &device)? {
            Fate::Refuse { message, hint } | Fate::Revoked { message, hint } => {
                Ok(Verdict::refused(name, Some(&id), message, hint))
            }
            Fate::Issue(_) | Fate::Skip => {
                self.list.devices.push(device);
                Ok(Verdict::new(name, Some(&id), Action::Left))
            }
        }
    }

    /// Writes a certificate that was issued before, unless it is in its place.
    fn deliver(
        &self,
        ca: &str,
        id: &DeviceId,
        certificate: &Certificate,
    ) -> Result<PathBuf, BulkError> {
        let folder = self.out.join(id.file_name());
        let ca = self.pki.ca(ca)?;
        let bundler = Bundler::new(self.job.bundle, &ca.chain, false, self.now)?;
        files::create_private_dir(&folder)?;
        for file in bundler.certificate_files(&certificate.into()) {
            let path = folder.join(file.name);
            if !path.exists() {
                files::write(&path, &file.bytes, file.access, files::Existing::Replace)?;
            }
        }
        Ok(folder)
    }
}

/// Looks up what the run has made of a good request.
fn settle(
    pki: &Pki,
    job: &Job<'_>,
    summary: &Summary,
    verdict: &mut Verdict,
) -> Result<(), BulkError> {
    let Some(id) = verdict.id.as_deref().and_then(|id| DeviceId::parse(id).ok()) else {
        return Ok(());
    };
    match pki.registry().live_device(&id.folded())? {
        // Of this run, or of the one that it went on with.
        Some(live) if summary.batch.as_ref() == Some(&live.batch) || summary.since.is_some() => {
            verdict.action = Action::Signed;
            verdict.serial = Some(live.serial.to_string());
            verdict.folder = job.out.folder_of(&id);
        }
        _ => {
            verdict.message = Some("the run ended before it was signed".to_owned());
            verdict.hint = Some("run the same command again".into());
        }
    }
    Ok(())
}
