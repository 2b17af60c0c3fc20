//! A request: made, read, and checked for possession of the key.
//!
//! Requests of devices are made without attributes: what goes into a certificate is said by its CA's profile. One of a
//! CA says that it is for a CA (`ca`), since others sign it too.

use x509_parser::prelude::FromDer;
use x509_parser::x509::AlgorithmIdentifier;

use crate::ber::{BerError, Reader};
use crate::cert::{AltName, AltNameError, AskedAttributes, asked_in, damage, pem_blocks, pem_text};
use crate::crypto::{CryptoError, KeyPolicy, PublicKey, SignatureAlgorithm, odd_parameters};
use crate::der;
use crate::failure::{Failure, Fault, Hint, Task, Underlying};
use crate::key::signer::Signer;
use crate::name::Name;

/// Why a request was refused, or cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrError {
    /// Not the DER of a request.
    #[error("not a certificate request: {0}")]
    Malformed(#[source] Underlying),
    /// Its key cannot be used.
    #[error("the request for {subject} has a key that cannot be used: {cause}")]
    Key {
        /// Subject of the request.
        subject: Name,
        /// What is wrong with the key.
        #[source]
        cause: CryptoError,
    },
    /// No request in a PEM text.
    #[error("there is no certificate request (BEGIN CERTIFICATE REQUEST) in it")]
    NoRequest,
    /// A PEM block that is damaged.
    #[error("the PEM text cannot be read: {0}")]
    Pem(#[source] Underlying),
    /// Its signature is of a kind that cannot be checked, or is not to be trusted.
    #[error("the request for {subject} has a signature that cannot be checked: {cause}")]
    Algorithm {
        /// Subject of the request.
        subject: Name,
        /// What is wrong with the algorithm.
        #[source]
        cause: CryptoError,
    },
    /// The signature in it was not made with its key.
    #[error("the request for {subject} is not signed with the key in it: {cause}")]
    NotPossessed {
        /// Subject of the request.
        subject: Name,
        /// What the check found.
        #[source]
        cause: CryptoError,
    },
    /// The key did not sign.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Failure for CsrError {
    fn fault(&self) -> Fault {
        match self {
            Self::Key { cause, .. }
            | Self::Algorithm { cause, .. }
            | Self::NotPossessed { cause, .. }
            | Self::Crypto(cause) => cause.fault(),
            Self::Malformed(_) | Self::NoRequest | Self::Pem(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotPossessed { .. } => {
                Some("have the device make a new request with its own key".into())
            }
            Self::Key { cause, .. } | Self::Crypto(cause) => cause.hint(),
            Self::Algorithm { .. } => Some(
                "make it with SHA-256, SHA-384 or SHA-512; RSA-PSS with the same hash in MGF1"
                    .into(),
            ),
            Self::NoRequest => Some(Hint::run("see what it holds", Task::ShowFile)),
            Self::Malformed(_) | Self::Pem(_) => None,
        }
    }
}

/// Makes a request for a certificate about `subject`: its DER, signed by the key that it is for.
///
/// Errors: the key is too short, or does not sign.
pub fn make(subject: &Name, signer: &dyn Signer) -> Result<Vec<u8>, CsrError> {
    make_with(subject, &[], signer)
}

/// The same with attributes, each a DER element.
pub(super) fn make_with(
    subject: &Name,
    attributes: &[&[u8]],
    signer: &dyn Signer,
) -> Result<Vec<u8>, CsrError> {
    const VERSION_1: &[u8] = &[der::INTEGER, 1, 0];
    let spki = signer.public_key().spki();
    let attributes = der::element(der::CONTEXT_0, attributes);
    let info = der::element(der::SEQUENCE, &[VERSION_1, subject.der(), spki, &attributes]);
    // No bit of its last byte is unused.
    let signature = der::element(der::BIT_STRING, &[&[0], &signer.sign(&info)?]);
    let algorithm = signer.algorithm().identifier();
    let made = der::element(der::SEQUENCE, &[&info, &algorithm, &signature]);
    // A token that signs with another key than the one it shows is found here, not by the CA.
    Request::from_der(&made)?.check_possession()?;
    Ok(made)
}

/// The PEM of a request's DER, with lines of 64 characters and `\n`.
pub fn pem(der: &[u8]) -> String {
    pem_text("CERTIFICATE REQUEST", der)
}

/// CertificationRequest (RFC 2986, section 4), each part as it stands.
struct Parts<'a> {
    info: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    attributes: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(request: &'a [u8]) -> Result<Self, BerError> {
        let mut request = Reader::new(request).sequence("the request")?;
        let info = request.raw("what is signed")?;
        let algorithm = request.raw("the signature's algorithm")?;
        let signature = request.tagged(der::BIT_STRING, "the signature")?.contents;
        let mut fields = Reader::new(info).sequence("what is signed")?;
        fields.uint("the version")?;
        let (subject, spki) = (fields.raw("the subject")?, fields.raw("the key")?);
        let attributes = match fields.is_empty() {
            true => &[],
            false => fields.tagged(der::CONTEXT_0, "the attributes")?.contents,
        };
        let is_whole = fields.is_empty() && request.is_empty();
        // No bit of its last byte is unused.
        match signature.split_first() {
            Some((0, signature)) if is_whole => {
                Ok(Self { info, subject, spki, attributes, algorithm, signature })
            }
            _ => Err(BerError::Damaged("it has other parts than a request".to_owned())),
        }
    }
}

fn broken(e: BerError) -> CsrError {
    CsrError::Malformed(Underlying::of(e))
}

/// A request: what it asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whom the certificate shall be about.
    pub subject: Name,
    /// The key in it, or why it cannot be used.
    #[doc(hidden)]
    pub public_key: Result<PublicKey, CryptoError>,
    /// The signature's algorithm, or why it cannot be verified.
    #[doc(hidden)]
    pub signature_algorithm: Result<SignatureAlgorithm, CryptoError>,
    /// Parameters beside the signature's algorithm that standards do not want there, in words.
    #[doc(hidden)]
    pub odd_signature_parameters: Option<&'static str>,
    pub(super) attributes: Vec<u8>,
    info: Vec<u8>,
    signature: Vec<u8>,
}

impl Request {
    /// Reads the DER of a request; nothing may follow it. The field of attributes may be missing, which RFC 2986
    /// does not allow and OpenSSL and Java read.
    pub fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        let whole = Reader::new(der).raw("the request").map_err(broken)?;
        if whole.len() < der.len() {
            let more = der.len() - whole.len();
            return Err(CsrError::Malformed(format!("{more} bytes follow it").into()));
        }
        let parts = Parts::read(whole).map_err(broken)?;
        let (_, algorithm) = AlgorithmIdentifier::from_der(parts.algorithm)
            .map_err(|e| CsrError::Malformed(damage(e)))?;
        Ok(Self {
            subject: Name::from_der(parts.subject)
                .map_err(|e| CsrError::Malformed(Underlying::of(e)))?,
            public_key: PublicKey::from_spki(parts.spki),
            signature_algorithm: SignatureAlgorithm::from_identifier(&algorithm),
            odd_signature_parameters: odd_parameters(&algorithm),
            attributes: parts.attributes.to_vec(),
            info: parts.info.to_vec(),
            signature: parts.signature.to_vec(),
        })
    }

    /// Reads every request of a PEM text in order; other blocks are passed over. A lone DER request
    /// is accepted too. Each is read by itself: one that is damaged does not hide the others.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Result<Self, CsrError>>, CsrError> {
        if bytes.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(crate::armor::der(bytes))]);
        }
        let blocks = pem_blocks(bytes).map_err(CsrError::Pem)?;
        let is_request =
            |tag: &str| matches!(tag, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        let requests: Vec<_> = blocks
            .iter()
            .filter(|b| is_request(b.tag()))
            .map(|b| Self::from_der(b.contents()))
            .collect();
        if requests.is_empty() { Err(CsrError::NoRequest) } else { Ok(requests) }
    }

    /// The names that it asks to have beside the subject (subjectAltName); none if it asks for none. They count for
    /// nothing unless the one who signs it has looked at them.
    ///
    /// Errors: a name of a form that is not made here, or a malformed one.
    #[doc(hidden)]
    pub fn asked_names(&self) -> Result<Vec<AltName>, AltNameError> {
        asked_in(&self.attributes)
    }

    /// Whether it has a challenge password (RFC 2985, 5.4.1), which in EST binds it to its connection (RFC 7030, 3.5).
    ///
    /// Errors: its attributes cannot be read.
    #[doc(hidden)]
    pub fn has_challenge_password(&self) -> Result<bool, CsrError> {
        const CHALLENGE_PASSWORD: &str = "1.2.840.113549.1.9.7";
        let asked = AskedAttributes::read(&self.attributes).map_err(broken)?;
        Ok(asked.others.iter().any(|kind| kind == CHALLENGE_PASSWORD))
    }

    /// Checks that a certificate may be made for it: its key is none that others can work out
    /// ([`WeakKey`](crate::crypto::WeakKey)), and the requester has the private one.
    #[doc(hidden)]
    pub fn check_to_certify(&self, policy: KeyPolicy) -> Result<&PublicKey, CsrError> {
        if let Ok(key) = &self.public_key {
            let weak = |cause| CsrError::Key { subject: self.subject.clone(), cause };
            key.check_fit(policy).map_err(weak)?;
        }
        self.check_possession()
    }

    /// Checks that the key is strong enough, and that the requester has the private one:
    /// its signature must verify. Any hash that is not broken is good, whatever the key.
    pub fn check_possession(&self) -> Result<&PublicKey, CsrError> {
        let subject = || self.subject.clone();
        let usable = |key: &PublicKey| key.check_strength();
        let key = self.public_key.as_ref().map_err(Clone::clone);
        let key = key
            .and_then(|key| usable(key).map(|()| key))
            .map_err(|cause| CsrError::Key { subject: subject(), cause })?;
        let algorithm = self
            .signature_algorithm
            .clone()
            .map_err(|cause| CsrError::Algorithm { subject: subject(), cause })?;
        key.verify(algorithm, &self.info, &self.signature)
            .map_err(|cause| CsrError::NotPossessed { subject: subject(), cause })?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyType, WeakKey};
    use crate::key::PrivateKey;

    fn subject() -> Name {
        Name::parse("CN=gw-0001,OU=Line 7,OU=Plant,O=Example GmbH,C=DE").unwrap()
    }

    #[test]
    fn requests_of_every_key_type_are_read_again() {
        for key_type in KeyType::ALL.into_iter().filter(|t| t.check_available().is_ok()) {
            let key = PrivateKey::generate(key_type).unwrap();
            let made = make(&subject(), &key).unwrap();
            for bytes in [made.clone(), pem(&made).into_bytes()] {
                let mut read = Request::all_from_pem_or_der(&bytes).unwrap();
                let read = read.remove(0).unwrap();
                assert_eq!(read.subject.der(), subject().der(), "{key_type}");
                assert_eq!(read.check_possession(), Ok(key.public_key()), "{key_type}");
                let certified = read.check_to_certify(KeyPolicy::default());
                assert_eq!(certified, Ok(key.public_key()), "{key_type}");
            }
        }
    }

    #[test]
    fn attributes_may_be_missing_and_nothing_else_may() {
        let key = PrivateKey::generate(KeyType::EcP256).unwrap();
        let version: &[u8] = &[der::INTEGER, 1, 0];
        let sequence = |parts: &[&[u8]]| der::element(der::SEQUENCE, parts);
        let request = |fields: &[&[u8]]| {
            let info = sequence(fields);
            let bits = der::element(der::BIT_STRING, &[&[0], &key.sign(&info).unwrap()]);
            sequence(&[&info, &Signer::algorithm(&key).identifier(), &bits])
        };
        let (name, name_2) = (subject(), subject());
        let (name, spki) = (name.der(), key.public_key().spki());
        for good in [&[version, name, spki][..], &[version, name, spki, &[0xa0, 0]]] {
            let read = Request::from_der(&request(good)).unwrap();
            assert_eq!(read.check_possession(), Ok(key.public_key()));
            assert_eq!(read.subject.der(), name_2.der());
        }
        for bad in [
            &[version, name][..],
            &[name, spki],
            &[version, name, spki, &[0xa1, 0]],
            &[version, name, spki, &[0xa0, 0], &[5, 0]],
        ] {
            assert!(matches!(Request::from_der(&request(bad)), Err(CsrError::Malformed(_))));
        }
        let followed = [request(&[version, name, spki]), vec![0]].concat();
        let error = Request::from_der(&followed).unwrap_err().to_string();
        assert!(error.ends_with("1 bytes follow it"), "{error}");
    }

    #[test]
    fn a_request_for_a_weak_key_is_refused_before_its_signature_is_looked_at() {
        let key = PrivateKey::generate(KeyType::Rsa2048).unwrap();
        let mut made = make(&subject(), &key).unwrap();
        let exponent = [der::INTEGER, 3, 1, 0, 1];
        let at = made.windows(5).position(|bytes| bytes == exponent).unwrap();
        made[at + 4] = 0;
        let request = Request::from_der(&made).unwrap();
        let error = request.check_to_certify(KeyPolicy::default()).unwrap_err();
        let even = CryptoError::Weak(WeakKey::EvenExponent("65536".to_owned()));
        assert_eq!(error, CsrError::Key { subject: subject(), cause: even });
        assert!(
            error.to_string().ends_with("the key's RSA exponent 65536 is even, and has to be odd")
        );
    }

    /// A token whose public key is not that of the key which signs.
    #[derive(Debug)]
    struct Mixed(PrivateKey, PrivateKey);

    impl Signer for Mixed {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            Signer::algorithm(&self.1)
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            self.1.sign(message)
        }

        fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            self.1.sign_sha256(message)
        }
    }

    #[test]
    fn a_request_that_nobody_would_accept_is_not_made() {
        let key = || PrivateKey::generate(KeyType::EcP256).unwrap();
        let error = make(&subject(), &Mixed(key(), key())).unwrap_err();
        assert!(matches!(error, CsrError::NotPossessed { .. }), "{error}");
        let other_kind = PrivateKey::generate(KeyType::Ed25519).unwrap();
        let error = make(&subject(), &Mixed(key(), other_kind)).unwrap_err();
        assert!(matches!(error, CsrError::NotPossessed { .. }), "{error}");
    }
}
