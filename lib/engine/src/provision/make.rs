//! One device: its key, its certificate, its files.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::again::kinds_again;
use super::bundle::{self, Bundle, Bundler};
use super::destination::{Destination, Writer};
use super::error::Result;
use super::former::Former;
use super::job::Job;
use super::key::Key;
use super::made::Made;
use super::plan::Plan;
use crate::client_id::DeviceId;
use crate::crypto::random_password;
use crate::issue::IssueError;
use crate::list::{Device, DeviceKey, Devices};
use crate::pki::{Certifier, Drawing};
use crate::registry::{Holder, NewRecord, Registry, Replaced};
use crate::secret::{Password, SecretBytes};

/// Length of a device's own store password, in characters: 116 bits.
const PASSWORD_CHARS: usize = 20;

/// A device to be made.
pub(super) struct Task {
    /// Its number in the run, from 0.
    pub(super) number: usize,
    pub(super) device: Device,
    /// The certificate whose place the new one takes.
    pub(super) replaces: Option<Replaced>,
}

/// Makes devices, on any thread.
pub(super) struct Maker<'a> {
    pub(super) job: &'a Job<'a>,
    at: &'a dyn Destination,
    certifier: Certifier<'a>,
    bundler: Bundler<'a>,
    /// Where the job leaves it open: other bundles that devices had, and which device had which, by its folded id.
    others: Vec<Bundler<'a>>,
    had: HashMap<String, usize>,
    /// What devices have from their former certificates, by their folded ids.
    former: HashMap<String, Former>,
    now: OffsetDateTime,
    /// Where new keys come from, if they are not made.
    pub(super) pool: Option<Drawing<'a>>,
}

impl<'a> Maker<'a> {
    /// Makes ready what all devices share.
    pub(super) fn new(
        job: &'a Job<'a>,
        at: &'a dyn Destination,
        now: OffsetDateTime,
    ) -> Result<Self> {
        let kinds = if job.bundle.kinds.is_empty() { &[Bundle::Pem] } else { job.bundle.kinds };
        Ok(Self {
            job,
            at,
            certifier: job.terms().certifier(job.key, now, (job.days, job.beyond_issuer))?,
            bundler: bundler(job, kinds, now)?,
            others: Vec::new(),
            had: HashMap::new(),
            former: HashMap::new(),
            now,
            pool: None,
        })
    }

    /// Makes ready what single devices had, where the job leaves that open.
    ///
    /// Errors: a password or the server's certificate is missing for what one of them had, or that is not made for
    /// keys of the new type.
    pub(super) fn make_ready(
        &mut self,
        registry: &Registry,
        devices: &Devices,
        plan: &Plan,
    ) -> Result {
        let (job, has_kinds) = (self.job, !self.job.bundle.kinds.is_empty());
        if has_kinds && !job.keep.is_any() {
            return Ok(());
        }
        for device in plan.due(devices) {
            let id = &device.id;
            let Some(last) = registry.history(id)?.pop() else { continue };
            let former = Former::of(&last, &device, job.keep, (job.profile, job.subject))?;
            let key_type = former.key_type.unwrap_or(job.profile.key);
            if former.key_type.is_some() || former.subject.is_some() {
                self.former.insert(id.folded(), former);
            }
            if has_kinds {
                continue;
            }
            let folder = self.at.folder_of(id);
            let kinds = kinds_again(&last, &device, &job.rules(), (key_type, folder.as_deref()))?;
            if kinds == self.bundler.kinds() {
                continue;
            }
            let known = self.others.iter().position(|other| other.kinds() == kinds);
            let position = match known {
                Some(position) => position,
                None => {
                    self.others.push(bundler(self.job, &kinds, self.now)?);
                    self.others.len() - 1
                }
            };
            self.had.insert(id.folded(), position);
        }
        Ok(())
    }

    /// What makes a device's files.
    fn bundler(&self, id: &DeviceId) -> &Bundler<'a> {
        if self.had.is_empty() {
            return &self.bundler;
        }
        self.had.get(&id.folded()).map_or(&self.bundler, |position| &self.others[*position])
    }

    /// Makes a device of a chunk, and hands its files over.
    pub(super) fn make(&self, task: Task, chunk: usize, writer: &dyn Writer) -> Result<Made> {
        let Task { number, device, replaces } = task;
        let former = match self.former.is_empty() {
            true => None,
            false => self.former.get(&device.id.folded()),
        };
        let key_type = former.and_then(|former| former.key_type);
        let subject = device.subject.as_ref().or(former.and_then(|f| f.subject.as_ref()));
        let key = Key::of(&device.key, (self.job, key_type), self.pool.as_ref())?;
        let certificate = self.certifier.certify(&device.id, subject, key.public())?;
        let bundler = self.bundler(&device.id);
        let password = self.own_password(bundler)?;
        let files = match &key {
            Key::Here { key, pem, .. } => {
                bundler.files(key, pem.as_ref(), &certificate, password.as_ref())?
            }
            Key::Elsewhere(_) => bundler.certificate_files(&certificate).into(),
        };
        let entries = writer.pack(chunk, &device.id.file_name(), files)?;
        // Nothing needs quotes: an id holds neither a separator nor a quote (`client_id`).
        let secrets = password.map(|password| {
            let line = [device.id.as_str(), ",", &certificate.serial.to_string(), ","];
            let line = [line.concat().as_str(), password.expose(), "\n"].concat();
            SecretBytes::new(line)
        });
        let location = self.at.location_of(&device.id);
        let record = NewRecord {
            ca: self.job.ca.name.clone(),
            holder: Holder::Device(device.id.clone()),
            certificate,
            details: device.details,
            has_key: matches!(key, Key::Here { .. }) && location.is_some(),
            bundle: matches!(key, Key::Here { .. }).then(|| bundle::names(bundler.kinds())),
            location,
            replaces,
            key_from_outside: self.pool.is_some() || !matches!(device.key, DeviceKey::New),
        };
        let drawn = match key {
            Key::Here { drawn, .. } => drawn,
            Key::Elsewhere(_) => None,
        };
        Ok(Made { number, id: device.id, record, entries, secrets, drawn })
    }

    /// The device's own store password, if it is to get one.
    fn own_password(&self, bundler: &Bundler<'_>) -> Result<Option<Password>> {
        let has_store = bundler.kinds().iter().any(|kind| kind.is_store());
        let secrets = self.job.secrets.filter(|_| has_store);
        let own = secrets.map(|_| random_password(PASSWORD_CHARS)).transpose();
        Ok(own.map_err(IssueError::from)?)
    }
}

/// Makes the files of a job's devices, of these kinds.
fn bundler<'a>(job: &'a Job<'a>, kinds: &[Bundle], now: OffsetDateTime) -> Result<Bundler<'a>> {
    Bundler::of_kinds(job.bundle, kinds, &job.ca.chain, job.secrets.is_some(), now)
}
