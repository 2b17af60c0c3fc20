//! Certificate requests: a heap of them in, a verdict for each out.
//!
//! Of a request count its public key, for which its signature proves possession, and its Common
//! Name, which must be a device identifier. Everything else, the extensions that it asks for
//! included, is left aside: what goes into the certificate is the profile's affair. A request that
//! is refused does not stop the others.
//!
//! A request whose key is certified for that device already is delivered again, not signed again.

use std::collections::HashMap;
use std::path::PathBuf;

use super::bundle::{BundleSettings, Bundler};
use super::claim;
use super::context::Context;
use super::destination::{Destination, Out};
use super::error::{ProvisionError, Result};
use super::job::{Existing, Job, Summary};
use super::owners::{Owners, shared};
use super::plan::{Decision, Planner};
use super::run::run_since;
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::crypto::KeyPolicy;
use crate::csr::Request;
use crate::failure::{Failure, Hint, Setting};
use crate::files;
use crate::list::{BadRow, Device, DeviceKey, DeviceList};
use crate::pki::{Pki, has_twin, id_of};
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
    pub id: Option<DeviceId>,
    /// What became of it.
    pub action: Action,
    /// Serial number of the certificate, in hex.
    pub serial: Option<String>,
    /// Why it was refused: a sentence.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<Hint>,
    /// The directory with `cert.pem` and `chain.pem`.
    pub folder: Option<PathBuf>,
}

impl Verdict {
    fn new(file: &str, id: Option<&DeviceId>, action: Action) -> Self {
        Self {
            file: file.to_owned(),
            id: id.cloned(),
            action,
            serial: None,
            message: None,
            hint: None,
            folder: None,
        }
    }

    fn refused(file: &str, id: Option<&DeviceId>, fault: BadRow) -> Self {
        let BadRow { message, hint, .. } = fault;
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
    context: &Context<'_>,
) -> Result<(Vec<Verdict>, Summary)> {
    if !matches!(job.out, Out::Folders(_)) {
        return Err(ProvisionError::Stream { what: "certificates for requests" });
    }
    let at = &*job.out.destination();
    at.recover(pki.registry())?;
    let all: Vec<_> = requests.iter().flat_map(open).collect();
    if id.is_some() && all.len() > 1 {
        return Err(ProvisionError::OneId { requests: all.len() });
    }
    let read = |request: Result<Request, BadRow>| request.and_then(|r| device(&r, id, job.keys));
    let all: Vec<_> = all.into_iter().map(|(name, request)| (name, read(request))).collect();
    let asking = all.iter().filter_map(|(_, device)| requested(device.as_ref().ok()?));
    let newcomers = pki.registry().newcomers()?;
    let mut intake = Intake {
        pki,
        planner: Planner {
            registry: pki.registry(),
            rules: job.rules(),
            at,
            since: None,
            begun: pki.registry().last_row()?,
        },
        bundle: job.bundle,
        context,
        owners: Owners::of(pki.registry(), &pki.cas()?, asking)?,
        taken: HashMap::new(),
        seen: HashMap::new(),
        list: DeviceList::default(),
    };
    let mut verdicts = Vec::with_capacity(all.len());
    for (name, device) in all {
        verdicts.push(match device {
            Ok(device) => intake.judge(&name, device)?,
            Err(fault) => Verdict::refused(&name, None, fault),
        });
    }
    let list = intake.list;
    let summary = match list.devices.is_empty() {
        true => {
            claim::tidy(pki, job.out)?;
            Summary::default()
        }
        false => run_since(pki, job, &list.into(), (newcomers, None), context)?,
    };
    for verdict in verdicts.iter_mut().filter(|v| v.action == Action::Left) {
        settle(pki, at, &summary, verdict)?;
    }
    Ok((verdicts, summary))
}

/// What is wrong with a request whose device is not known.
fn fault(message: impl ToString, hint: Option<Hint>) -> BadRow {
    BadRow { id: String::new(), line: None, message: message.to_string(), hint }
}

/// The requests of a file, each with its name.
fn open(file: &RequestFile) -> Vec<(String, Result<Request, BadRow>)> {
    match read::requests(&file.bytes) {
        Err(e) => vec![(file.name.clone(), Err(fault(&e, e.hint())))],
        Ok(requests) => {
            let several = requests.len() > 1;
            let named = |(index, request): (usize, Result<Request, crate::csr::CsrError>)| {
                let number = if several { format!(" #{}", index + 1) } else { String::new() };
                (format!("{}{number}", file.name), request.map_err(|e| fault(&e, e.hint())))
            };
            requests.into_iter().enumerate().map(named).collect()
        }
    }
}

/// What a request asks for, if it may.
fn device(request: &Request, id: Option<&DeviceId>, keys: KeyPolicy) -> Result<Device, BadRow> {
    let key = request.check_to_certify(keys).map_err(|e| fault(&e, e.hint()))?.clone();
    let id = match id {
        Some(id) => id.clone(),
        None => id_of(request).map_err(|e| fault(&e, e.hint()))?,
    };
    Ok(Device { key: DeviceKey::Requested(key), ..Device::from(id) })
}

/// The key that a device asks to have certified, as its SubjectPublicKeyInfo.
fn requested(device: &Device) -> Option<&[u8]> {
    match &device.key {
        DeviceKey::Requested(key) => Some(key.spki()),
        DeviceKey::New | DeviceKey::File { .. } => None,
    }
}

/// Judges requests, one after the other.
struct Intake<'a> {
    pki: &'a Pki,
    planner: Planner<'a>,
    bundle: BundleSettings<'a>,
    context: &'a Context<'a>,
    /// Who has the keys already.
    owners: Owners,
    /// Keys of requests that came before, and their devices.
    taken: HashMap<Vec<u8>, DeviceId>,
    /// Folded ids, and the request that asked for each first.
    seen: HashMap<String, String>,
    /// Good requests.
    list: DeviceList,
}

impl Intake<'_> {
    /// Decides about one request; good ones go into the list.
    fn judge(&mut self, name: &str, device: Device) -> Result<Verdict> {
        let refused = |fault| Ok(Verdict::refused(name, Some(&device.id), fault));
        let refuse = |message: String, hint: &'static str| {
            refused(BadRow::of(&device, message, Some(hint.into())))
        };
        let (id, text) = (&device.id, device.id.as_str());
        let Some(spki) = requested(&device) else {
            return refuse(format!("device id {text:?} has no key of its own"), "send a request");
        };
        if let Some(first) = self.seen.insert(id.folded(), name.to_owned()) {
            let message = format!("device id {text:?} is asked for by {first} too");
            return refuse(message, "keep one request for each device");
        }
        if let Some(fault) = self.owners.refuse(&device, spki) {
            return refused(fault);
        }
        if let Some(owner) = self.taken.insert(spki.to_vec(), id.clone()) {
            return refused(shared(&device, &format!("{:?}", owner.as_str())));
        }
        if has_twin(self.pki.registry(), id)? {
            return refused(BadRow::twin(&device));
        }
        let live = self.pki.registry().live_device(id)?;
        if let (Some(live), Existing::Skip) = (&live, self.planner.rules.existing) {
            let certificate = live.certificate()?;
            if spki != certificate.spki {
                let message = format!("device id {text:?} has a live certificate for another key");
                let hint = Hint::give("to give it one for this key", Setting::Replace);
                return refused(BadRow::of(&device, message, Some(hint)));
            }
            let mut verdict = Verdict::new(name, Some(id), Action::Kept);
            verdict.serial = Some(live.serial.to_string());
            verdict.folder = self.deliver(&live.ca, id, &certificate)?;
            return Ok(verdict);
        }
        match self.planner.decide(&device)? {
            Decision::Refuse(fault) | Decision::Revoked(fault) => refused(fault),
            Decision::Issue(_) | Decision::Skip => {
                let verdict = Verdict::new(name, Some(id), Action::Left);
                self.list.devices.push(device);
                Ok(verdict)
            }
        }
    }

    /// Writes a certificate that was issued before, unless it is in its place.
    fn deliver(
        &self,
        ca: &str,
        id: &DeviceId,
        certificate: &Certificate,
    ) -> Result<Option<PathBuf>> {
        let Some(folder) = self.planner.at.folder_of(id) else { return Ok(None) };
        let ca = self.pki.ca(ca)?;
        let bundler = Bundler::new(self.bundle, &ca.chain, false, self.context.now)?;
        files::create_private_dir(&folder)?;
        for file in bundler.certificate_files(&certificate.into()) {
            let path = folder.join(file.name);
            if !path.exists() {
                files::write(&path, &file.bytes, file.access, files::Existing::Replace)?;
            }
        }
        Ok(Some(folder))
    }
}

/// Looks up what the run has made of a good request.
fn settle(pki: &Pki, at: &dyn Destination, summary: &Summary, verdict: &mut Verdict) -> Result {
    let Some(id) = &verdict.id else { return Ok(()) };
    match pki.registry().live_device(id)? {
        // Of this run, or of the one that it went on with.
        Some(live) if summary.batch.as_ref() == Some(&live.batch) || summary.since.is_some() => {
            verdict.action = Action::Signed;
            verdict.serial = Some(live.serial.to_string());
            verdict.folder = at.folder_of(id);
        }
        _ => {
            verdict.message = Some("the run ended before it was signed".to_owned());
            verdict.hint = Some("run the same command again".into());
        }
    }
    Ok(())
}
