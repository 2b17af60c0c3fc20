//! What certificates of one issuer, profile and validity have in common, laid out once: of a million
//! devices only serial number, subject and key differ.

use super::{BeyondIssuer, IssueError, Issuer, Order, Validity, assemble, tbs};
use crate::ber::Reader;
use crate::cert::{AltName, Encoded, Serial};
use crate::crypto::{PublicKey, sha1, sha256};
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
    /// The extensions up to the subject key identifier, with the beginning of its own, and the others.
    extensions: (Vec<u8>, Vec<u8>),
}

impl std::fmt::Debug for Template<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl<'a> Template<'a> {
    /// Lays out what `issuer` signs for that profile; `path_length` is for CAs.
    ///
    /// Errors: [`IssueError::Outlives`] for a validity that ends after the issuer's ([`Issuer::fit`] gives one
    /// that does not).
    pub fn new(
        profile: &Profile,
        validity: Validity,
        path_length: Option<u8>,
        issuer: &Issuer<'a>,
    ) -> Result<Self, IssueError> {
        issuer.fit(validity, BeyondIssuer::Refuse)?;
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
        let extensions = contents_of(parts.get(7)?)?;
        let at = extensions
            .windows(mark.len())
            .position(|window| window == mark)
            .ok_or_else(|| IssueError::Encoding("it has no subject key identifier".into()))?;
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
        self.issue_named(subject, &[], public_key, serial)
    }

    /// The same with names beside the subject (subjectAltName); without any there is no such extension.
    pub fn issue_named(
        &self,
        subject: &[u8],
        alt_names: &[AltName],
        public_key: &PublicKey,
        serial: Serial,
    ) -> Result<Encoded, IssueError> {
        const EMPTY: &[u8] = &[der::SEQUENCE, 0];
        public_key.check_strength()?;
        if subject == EMPTY {
            return Err(IssueError::EmptySubject);
        }
        let (key_id, names) = (public_key.key_id(), tbs::alt_names(alt_names));
        let extensions = [self.extensions.0.as_slice(), &key_id, &self.extensions.1, &names];
        let extensions = der::element(der::SEQUENCE, &extensions);
        let tbs = der::element(
            der::SEQUENCE,
            &[
                &self.version,
                &der::element(der::INTEGER, &[serial.bytes()]),
                &self.middle,
                subject,
                public_key.spki(),
                &der::element(EXTENSIONS, &[&extensions]),
            ],
        );
        Ok(Encoded {
            der: assemble(&tbs, self.signer)?,
            issuer: self.issuer.clone(),
            serial,
            not_before: self.validity.not_before,
            not_after: self.validity.not_after,
            key_digest: sha256(public_key.spki()),
        })
    }
}

/// `[3]`, the extensions of a TBSCertificate (RFC 5280, 4.1).
const EXTENSIONS: u8 = der::CONTEXT_0 | 3;

/// The extensions of a TBSCertificate, one behind the other, without what is around them.
fn contents_of(extensions: &[u8]) -> Result<&[u8], IssueError> {
    let mut outer = Reader::new(extensions);
    let outer = outer.tagged(EXTENSIONS, "the extensions").map_err(|_| no_extensions())?;
    let mut inner = Reader::new(outer.contents);
    Ok(inner.tagged(der::SEQUENCE, "the extensions").map_err(|_| no_extensions())?.contents)
}

fn no_extensions() -> IssueError {
    IssueError::Encoding("it has no extensions".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Certificate;
    use crate::crypto::KeyType;
    use crate::issue::{issue, renew, self_sign};
    use crate::key::PrivateKey;
    use crate::name::Name;
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    /// A root that is not of our making in one respect: any name.
    fn root(name: &Name) -> (Certificate, PrivateKey) {
        let profile = Profile::built_in("root").unwrap().with_key(KeyType::EcP256).unwrap();
        let key = PrivateKey::generate(KeyType::EcP256).unwrap();
        let order = Order {
            profile: &profile,
            subject: name,
            public_key: key.public_key(),
            serial: Serial::random().unwrap(),
            validity: Validity::of(&profile, datetime!(2026-01-02 03:04:05 UTC), None),
            path_length: None,
        };
        (self_sign(&order, &key).unwrap(), key)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_told_of_a_certificate_is_what_stands_in_it(
            ca in "[A-Za-z ü]{0,30}x", device in "[a-zA-Z0-9-]{1,60}x", serial in any::<[u8; 16]>()
        ) {
            let (ca, ca_key) = root(&Name::builder().with("CN", &ca).unwrap().build().unwrap());
            let now = datetime!(2026-01-02 03:04:05 UTC);
            let issuer = Issuer::new(&ca, &ca_key, now).unwrap();
            let profile = Profile::built_in("device").unwrap();
            let validity = Validity::of(&profile, now, Some(30));
            let template = Template::new(&profile, validity, None, &issuer).unwrap();
            for key_type in [KeyType::EcP384, KeyType::Ed25519] {
                let key = PrivateKey::generate(key_type).unwrap();
                let subject = Name::builder().with("CN", &device).unwrap().build().unwrap();
                let serial = Serial::from_random(serial);
                let made =
                    template.issue(subject.der(), key.public_key(), serial.clone()).unwrap();
                let read = Certificate::from_der(&made.der).unwrap();
                prop_assert_eq!(&Encoded::from(&read), &made);
                prop_assert_eq!(&read.serial, &serial);
                prop_assert_eq!(&read.subject, &subject);
                prop_assert_eq!(&read.spki, key.public_key().spki());
                let key_id = key.public_key().key_id();
                prop_assert_eq!(read.subject_key_id.as_deref(), Some(key_id.as_slice()));
                prop_assert_eq!(&read.authority_key_id, &ca.subject_key_id);
                prop_assert!(read.verify_signature(ca_key.public_key()).is_ok());
                prop_assert!(template.issue(&[0x30, 0], key.public_key(), serial).is_err());
            }
        }
    }

    #[test]
    fn what_would_outlive_its_issuer_is_refused_and_not_made() {
        let now = datetime!(2026-01-02 03:04:05 UTC);
        let (ca, ca_key) = root(&Name::parse("CN=Root").unwrap());
        let issuer = Issuer::new(&ca, &ca_key, now).unwrap();
        let (profile, key) = (Profile::built_in("device").unwrap(), ca_key.public_key());
        let subject = Name::parse("CN=gw-1").unwrap();
        let order = |not_after| Order {
            profile: &profile,
            subject: &subject,
            public_key: key,
            serial: Serial::random().unwrap(),
            validity: Validity { not_after, ..Validity::of(&profile, now, None) },
            path_length: None,
        };
        let (end, later) = (ca.not_after, ca.not_after + Duration::SECOND);
        let made = issue(&order(end), &issuer).unwrap();
        assert_eq!(made.not_after, end);
        let refused = |error: IssueError| {
            assert!(matches!(error, IssueError::Outlives { .. }), "{error}");
        };
        refused(issue(&order(later), &issuer).unwrap_err());
        refused(Template::new(&profile, order(later).validity, None, &issuer).unwrap_err());
        let serial = Serial::random().unwrap();
        refused(renew(&made, &serial, order(later).validity, &issuer).unwrap_err());
        // A root has nobody above it.
        let root = renew(&ca, &serial, order(later).validity, &issuer).unwrap();
        assert_eq!(root.not_after, later);
        // What was asked for may be shortened, if that was asked for too.
        let fitted = issuer.fit(order(later).validity, BeyondIssuer::Shorten).unwrap();
        assert_eq!(fitted.not_after, end);
    }
}
