//! What certificates of one issuer, profile and validity have in common, laid out once: of a million
//! devices only serial number, subject and key differ.

use super::{IssueError, Issuer, Order, Validity, assemble, tbs};
use crate::cert::{Encoded, Serial};
use crate::crypto::{PublicKey, sha1};
use crate::der;
use crate::key::signer::Signer;
use crate::profile::Profile;

/// A certificate without serial number, subject and public key.
pub struct Template<'a> {
    signer: &'a dyn Signer,
    validity: Validity,
    /// The issuer's name, as DER.
    issuer: Vec<u8>,
    version: Vec<u8>,
    /// Signature algorithm, issuer, validity: what stands between serial number and subject.
    middle: Vec<u8>,
    /// The extensions before and behind the subject key identifier.
    extensions: (Vec<u8>, Vec<u8>),
}

impl std::fmt::Debug for Template<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl<'a> Template<'a> {
    /// Lays out what `issuer` signs for that profile. The caller has fitted the validity to the
    /// issuer's; `path_length` is for CAs.
    pub fn new(
        profile: &Profile,
        validity: Validity,
        path_length: Option<u8>,
        issuer: &Issuer<'a>,
    ) -> Result<Self, IssueError> {
        let name = issuer.certificate.subject.der().to_vec();
        Self::lay_out(profile, validity, path_length, (name, issuer.key_id()), issuer.signer)
    }

    /// Lays out the certificate of a root.
    pub(super) fn self_signed(
        order: &Order<'_>,
        signer: &'a dyn Signer,
    ) -> Result<Self, IssueError> {
        let issuer = (order.subject.der().to_vec(), order.public_key.key_id().to_vec());
        Self::lay_out(order.profile, order.validity, order.path_length, issuer, signer)
    }

    fn lay_out(
        profile: &Profile,
        validity: Validity,
        path_length: Option<u8>,
        (issuer, issuer_key_id): (Vec<u8>, Vec<u8>),
        signer: &'a dyn Signer,
    ) -> Result<Self, IssueError> {
        // As long as a key identifier, and different from whatever else there is.
        let mark = sha1(&[issuer.as_slice(), &issuer_key_id, b"subject key identifier"].concat());
        let parts = tbs::layout(profile, validity, path_length, issuer_key_id, mark.to_vec())?;
        // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions
        let algorithm = signer.algorithm().identifier();
        let extensions = parts.get(7)?;
        let at = extensions
            .windows(mark.len())
            .position(|window| window == mark)
            .ok_or_else(|| IssueError::Encoding("it has no subject key identifier".to_owned()))?;
        Ok(Self {
            signer,
            validity,
            version: parts.get(0)?.to_vec(),
            middle: [algorithm.as_slice(), &issuer, parts.get(4)?].concat(),
            issuer,
            extensions: (extensions[..at].to_vec(), extensions[at + mark.len()..].to_vec()),
        })
    }

    /// Makes the certificate of a subject, whose name is given as DER. The serial number must never
    /// repeat under one issuer.
    pub fn issue(
        &self,
        subject: &[u8],
        public_key: &PublicKey,
        serial: Serial,
    ) -> Result<Encoded, IssueError> {
        const EMPTY: &[u8] = &[der::SEQUENCE, 0];
        public_key.check_strength()?;
        if subject == EMPTY {
            return Err(IssueError::EmptySubject);
        }
        let tbs = der::element(
            der::SEQUENCE,
            &[
                &self.version,
                &der::element(der::INTEGER, &[serial.octets()]),
                &self.middle,
                subject,
                public_key.spki(),
                &self.extensions.0,
                &public_key.key_id(),
                &self.extensions.1,
            ],
        );
        Ok(Encoded {
            der: assemble(&tbs, self.signer)?,
            issuer: self.issuer.clone(),
            serial,
            not_before: self.validity.not_before,
            not_after: self.validity.not_after,
        })
    }
}
