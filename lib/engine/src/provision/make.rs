//! One device: its key, its certificate, its files.

use time::OffsetDateTime;

use super::bundle::{self, Bundler};
use super::certify::Certifier;
use super::destination::{Destination, Writer};
use super::error::Result;
use super::job::Job;
use super::key::Key;
use super::made::Made;
use crate::crypto::random_password;
use crate::issue::IssueError;
use crate::list::{Device, DeviceKey};
use crate::pki::Drawing;
use crate::registry::{Holder, NewRecord, Replaced};
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
        Ok(Self {
            job,
            at,
            certifier: Certifier::new(job, now)?,
            bundler: Bundler::new(job.bundle, &job.ca.chain, job.secrets.is_some(), now)?,
            pool: None,
        })
    }

    /// Makes a device of a chunk, and hands its files over.
    pub(super) fn make(&self, task: Task, chunk: usize, writer: &dyn Writer) -> Result<Made> {
        let Task { number, device, replaces } = task;
        let key = Key::of(&device.key, self.job, self.pool.as_ref())?;
        let certificate = self.certifier.certify(&device, key.public())?;
        let password = self.own_password()?;
        let files = match &key {
            Key::Here { key, pem, .. } => {
                self.bundler.files(key, pem.as_ref(), &certificate, password.as_ref())?
            }
            Key::Elsewhere(_) => self.bundler.certificate_files(&certificate).into(),
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
            bundle: matches!(key, Key::Here { .. }).then(|| bundle::names(self.job.bundle.kinds)),
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
    fn own_password(&self) -> Result<Option<Password>> {
        let own = self.job.secrets.map(|_| random_password(PASSWORD_CHARS)).transpose();
        Ok(own.map_err(IssueError::from)?)
    }
}
