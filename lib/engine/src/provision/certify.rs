//! One device signed: what the job's profile, subject and policy make of an identifier and a public key. No file and
//! no registry is touched.

use time::OffsetDateTime;

use super::error::Result;
use super::job::Job;
use crate::cert::{AltName, Encoded, Serial, oid};
use crate::crypto::PublicKey;
use crate::failure::Failure;
use crate::issue::{IssueError, Issuer, Template, Validity};
use crate::list::{BadRow, Device};
use crate::name::{Name, NameTemplate, find_field};
use crate::profile::Profile;

/// Signs the devices of a job: what they share is made once.
pub(super) struct Certifier<'a> {
    template: Template<'a>,
    subject: NameTemplate,
    profile: &'a Profile,
}

impl<'a> Certifier<'a> {
    /// Prepares for devices whose certificates begin at `now`.
    pub(super) fn new(job: &Job<'a>, now: OffsetDateTime) -> Result<Self> {
        let issuer = Issuer::new(job.ca.certificate(), job.key, now)?;
        let validity = issuer.fit(Validity::of(job.profile, now, job.days), job.beyond_issuer)?;
        Ok(Self {
            template: Template::new(job.profile, validity, None, &issuer)?,
            subject: job.subject.clone().build_without(find_field("CN")?),
            profile: job.profile,
        })
    }

    /// Signs a device's certificate for a key.
    pub(super) fn certify(&self, device: &Device, key: &PublicKey) -> Result<Encoded> {
        let subject = match &device.subject {
            Some(own) => own.der().to_vec(),
            None => self.subject.fill(device.id.as_str())?,
        };
        let serial = Serial::random().map_err(IssueError::from)?;
        let names = names_of(self.profile, device)?;
        Ok(self.template.issue_named(&subject, &names, key, serial)?)
    }
}

/// The names that a device gets beside its subject.
fn names_of(profile: &Profile, device: &Device) -> Result<Vec<AltName>, IssueError> {
    Ok(profile.extensions.alt_names_of(device.id.as_str())?)
}

/// Holds a device against the profile's names, the CA's signing policy and the name constraints of its chain.
pub(super) fn check_policy(job: &Job<'_>, device: &Device) -> Result<(), BadRow> {
    let constrained = job.ca.chain.iter().any(|ca| ca.extension(oid::NAME_CONSTRAINTS).is_some());
    if job.policy.is_open() && !constrained && job.profile.extensions.alt_names.is_empty() {
        return Ok(());
    }
    let checked = || -> Result {
        let names = names_of(job.profile, device)?;
        let subject = subject_of(job, device)?;
        Ok(job.policy.check(job.ca, &device.id, (&subject, &names))?)
    };
    checked().map_err(|e| BadRow::of(device, format!("{}: {e}", device.named()), e.hint()))
}

/// A device's subject: its own, or the job's fields with its identifier.
fn subject_of(job: &Job<'_>, device: &Device) -> Result<Name> {
    if let Some(subject) = &device.subject {
        return Ok(subject.clone());
    }
    let mut builder = job.subject.clone();
    builder.push(find_field("CN")?, device.id.as_str())?;
    Ok(builder.build()?)
}
