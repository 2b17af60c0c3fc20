//! One device's certificate: what a CA's profile, subject fields, policy and key make of an identifier and a public
//! key. For one device ([`Pki::issue`](super::Pki::issue)) and for very many (`provision`) this is decided here. No
//! file and no registry is touched.

use time::OffsetDateTime;

use super::Ca;
use super::policy::{PolicyError, SigningPolicy};
use crate::cert::{AltName, Encoded, Serial, oid};
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::failure::{Failure, Fault, Hint};
use crate::issue::{BeyondIssuer, IssueError, Issuer, Template, Validity};
use crate::key::signer::Signer;
use crate::name::{Name, NameBuilder, NameError, NameTemplate, find_field};
use crate::profile::Profile;

/// Why a device's certificate is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertifyError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Failure for CertifyError {
    fn fault(&self) -> Fault {
        match self {
            Self::Name(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Policy(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Name(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::Policy(e) => e.hint(),
        }
    }
}

/// On what terms a CA certifies devices.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) ca: &'a Ca,
    pub(crate) policy: &'a SigningPolicy,
    pub(crate) profile: &'a Profile,
    /// Subject fields besides the common name, which is the device's identifier.
    pub(crate) subject: &'a NameBuilder,
}

impl<'a> Terms<'a> {
    /// Holds a device against the profile's names, the CA's signing policy and the name constraints of its chain.
    /// `own` is its subject, where that is given as a whole.
    pub(crate) fn check(&self, id: &DeviceId, own: Option<&Name>) -> Result<(), CertifyError> {
        let chain = &self.ca.chain;
        let constrained = chain.iter().any(|ca| ca.extension(oid::NAME_CONSTRAINTS).is_some());
        if self.policy.is_open() && !constrained && self.profile.extensions.alt_names.is_empty() {
            return Ok(());
        }
        let names = self.names_of(id)?;
        let subject = match own {
            Some(subject) => subject.clone(),
            None => self.subject.clone().with("CN", id.as_str())?.build()?,
        };
        Ok(self.policy.check(self.ca, id, (&subject, &names))?)
    }

    /// Makes ready what certificates that begin at `now` have in common; `days` stand in place of the profile's.
    pub(crate) fn certifier(
        self,
        key: &'a dyn Signer,
        now: OffsetDateTime,
        (days, beyond_issuer): (Option<u32>, BeyondIssuer),
    ) -> Result<Certifier<'a>, CertifyError> {
        let issuer = Issuer::new(self.ca.certificate(), key, now)?;
        let asked = (self.profile, days);
        let validity = Validity::under(self.ca.certificate(), asked, beyond_issuer, now)?;
        Ok(Certifier {
            template: Template::new(self.profile, validity, None, &issuer)?,
            subject: self.subject.clone().build_without(find_field("CN")?),
            terms: self,
        })
    }

    /// The names that a device gets beside its subject.
    fn names_of(&self, id: &DeviceId) -> Result<Vec<AltName>, IssueError> {
        Ok(self.profile.extensions.alt_names_of(id.as_str())?)
    }
}

/// Signs devices: what they share is made once.
pub(crate) struct Certifier<'a> {
    terms: Terms<'a>,
    template: Template<'a>,
    subject: NameTemplate,
}

impl Certifier<'_> {
    /// Signs a device's certificate for a key, under a serial number of its own. [`Terms::check`] comes before.
    pub(crate) fn certify(
        &self,
        id: &DeviceId,
        own: Option<&Name>,
        key: &PublicKey,
    ) -> Result<Encoded, CertifyError> {
        let subject = match own {
            Some(own) => own.der().to_vec(),
            None => self.subject.fill(id.as_str())?,
        };
        let serial = Serial::random().map_err(IssueError::from)?;
        Ok(self.template.issue_named(&subject, &self.terms.names_of(id)?, key, serial)?)
    }
}
