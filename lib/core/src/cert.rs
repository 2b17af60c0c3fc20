//! Certificates, read once into owned facts (RFC 5280, section 4).
//!
//! [`Certificate::from_der`] refuses what is no certificate; it reads certificates that break rules
//! (short keys, SHA-1, unknown critical extensions, version 1), so that they can be shown and so
//! that `chain` can say which rule they break.

mod alt_name;
mod asked;
mod blocks;
mod damage;
mod extensions;
mod longest;
mod number;
mod points;
mod renewal;
mod serial;

use std::fmt;
use std::ops::Range;

use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use crate::armor;
use crate::ber::{Reader, SEQUENCE};
use crate::crypto::{
    CryptoError, PublicKey, SignatureAlgorithm, hex, odd_parameters, sha1, sha256,
};
use crate::failure::{Failure, Fault, Hint, Task, Underlying};
use crate::name::Name;

pub use alt_name::{AltName, AltNameError, AltNamePattern, MAX_ALT_NAMES};
pub(crate) use alt_name::{asked_in, extension_value as alt_names_value};
pub(crate) use asked::{AskedAttributes, EXTENSION_REQUEST};
pub use blocks::MAX_PEM_BLOCKS;
pub(crate) use blocks::{TOO_MANY_BLOCKS, pem_parts, pem_text};
#[doc(hidden)]
pub use blocks::{pem_blocks, without_trust};
pub(crate) use damage::damage;
pub(crate) use extensions::names_of_extension;
pub use extensions::{
    AuthorityKey, GeneralName, MalformedExtension, NameConstraints, PolicyConstraints, oid,
};
pub use longest::{BadLongestChain, LongestChain};
pub use number::SerialError;
pub use points::{DistributionPoint, PointName, Reasons};
pub use serial::Serial;

/// Why bytes are not a certificate.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum CertError {
    /// Not the DER of a certificate.
    #[error("not an X.509 certificate: {0}")]
    Malformed(#[source] Underlying),
    /// No certificate in a PEM text.
    #[error("there is no certificate (BEGIN CERTIFICATE) in it")]
    NoCertificate,
    /// A PEM block that is damaged.
    #[error("the PEM text cannot be read: {0}")]
    Pem(#[source] Underlying),
}

impl Failure for CertError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NoCertificate => Some(Hint::run("see what it holds", Task::ShowFile)),
            _ => None,
        }
    }
}

/// BasicConstraints (RFC 5280, 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the subject is a CA.
    pub ca: bool,
    /// How many CA certificates may follow; none for any number.
    pub path_length: Option<u32>,
    /// Whether the extension is critical.
    pub critical: bool,
}

/// Bits of keyUsage (RFC 5280, 4.2.1.3), numbered as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// Names by bit number.
    pub const NAMES: [&'static str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    /// Whether the bit of that name is set.
    pub fn has(self, name: &str) -> bool {
        self.names().any(|n| n == name)
    }

    /// The names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..9).filter(move |bit| self.0 >> bit & 1 == 1).map(|bit| Self::NAMES[bit])
    }
}

/// An extension as it stands in the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Dotted object identifier.
    pub oid: String,
    /// Whether it is critical.
    pub critical: bool,
    /// DER of its value (the contents of the OCTET STRING).
    pub value: Vec<u8>,
    /// Whether the value could be parsed (always true for identifiers we do not know).
    pub well_formed: bool,
}

/// A certificate: its DER and the facts in it.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    /// X.509 version: 1, 2 or 3.
    #[doc(hidden)]
    pub version: u32,
    /// Serial number.
    pub serial: Serial,
    /// Who signed it, by its own account.
    pub issuer: Name,
    /// Whom it is about.
    pub subject: Name,
    /// First moment of validity.
    pub not_before: OffsetDateTime,
    /// Last moment of validity.
    pub not_after: OffsetDateTime,
    /// The subject's public key, or why it cannot be used.
    pub public_key: Result<PublicKey, CryptoError>,
    /// The DER of the SubjectPublicKeyInfo, whatever it holds.
    #[doc(hidden)]
    pub spki: Vec<u8>,
    /// The signature's algorithm, or why it cannot be verified.
    #[doc(hidden)]
    pub signature_algorithm: Result<SignatureAlgorithm, CryptoError>,
    /// Whether both algorithm identifiers are equal (RFC 5280, 4.1.1.2 demands it).
    #[doc(hidden)]
    pub algorithms_agree: bool,
    /// Parameters beside the signature's algorithm that standards do not want there, in words.
    #[doc(hidden)]
    pub odd_signature_parameters: Option<&'static str>,
    /// The signature.
    #[doc(hidden)]
    pub signature: Vec<u8>,
    /// BasicConstraints, if there.
    #[doc(hidden)]
    pub basic_constraints: Option<BasicConstraints>,
    /// KeyUsage, if there.
    #[doc(hidden)]
    pub key_usage: Option<KeyUsage>,
    /// Extended key usage: dotted object identifiers, if there.
    #[doc(hidden)]
    pub extended_key_usage: Option<Vec<String>>,
    /// SubjectKeyIdentifier, if there.
    #[doc(hidden)]
    pub subject_key_id: Option<Vec<u8>>,
    /// The key identifier of AuthorityKeyIdentifier, if there.
    #[doc(hidden)]
    pub authority_key_id: Option<Vec<u8>>,
    /// All extensions in their order.
    #[doc(hidden)]
    pub extensions: Vec<Extension>,
}

impl Certificate {
    /// Reads the DER of one certificate; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|e| CertError::Malformed(damage(e)))?;
        if !rest.is_empty() {
            return Err(CertError::Malformed(format!("{} bytes follow it", rest.len()).into()));
        }
        let tbs = &parsed.tbs_certificate;
        let malformed = CertError::Malformed;
        let name = |raw: &[u8]| Name::from_der(raw).map_err(|e| malformed(Underlying::of(e)));
        let mut cert = Self {
            der: der.to_vec(),
            tbs: tbs_range(der)
                .ok_or_else(|| malformed("its outer structure is not DER".into()))?,
            version: tbs.version.0.saturating_add(1),
            serial: Serial::from_octets(tbs.raw_serial()),
            issuer: name(tbs.issuer.as_raw())?,
            subject: name(tbs.subject.as_raw())?,
            not_before: tbs.validity.not_before.to_datetime(),
            not_after: tbs.validity.not_after.to_datetime(),
            public_key: PublicKey::from_spki(tbs.subject_pki.raw),
            spki: tbs.subject_pki.raw.to_vec(),
            signature_algorithm: SignatureAlgorithm::from_identifier(&parsed.signature_algorithm),
            odd_signature_parameters: odd_parameters(&parsed.signature_algorithm),
            algorithms_agree: tbs.signature == parsed.signature_algorithm,
            signature: parsed.signature_value.data.to_vec(),
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            subject_key_id: None,
            authority_key_id: None,
            extensions: Vec::new(),
        };
        for extension in tbs.extensions() {
            cert.read_extension(extension);
        }
        Ok(cert)
    }

    /// Reads every certificate of a PEM text in order; other blocks are passed over. A lone DER
    /// certificate is accepted too.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Self>, CertError> {
        if bytes.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(armor::der(bytes))?]);
        }
        let blocks = pem_blocks(bytes).map_err(CertError::Pem)?;
        let is_cert =
            |tag: &str| matches!(tag, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE");
        let certs: Vec<Self> = blocks
            .iter()
            .filter(|b| is_cert(b.tag()))
            .map(|b| Self::from_der(without_trust(b)))
            .collect::<Result<_, _>>()?;
        if certs.is_empty() { Err(CertError::NoCertificate) } else { Ok(certs) }
    }

    fn read_extension(&mut self, extension: &x509_parser::extensions::X509Extension<'_>) {
        let parsed = extension.parsed_extension();
        match parsed {
            ParsedExtension::BasicConstraints(bc) => {
                self.basic_constraints = Some(BasicConstraints {
                    ca: bc.ca,
                    path_length: bc.path_len_constraint,
                    critical: extension.critical,
                });
            }
            ParsedExtension::KeyUsage(usage) => self.key_usage = Some(KeyUsage(usage.flags)),
            ParsedExtension::ExtendedKeyUsage(_) => {
                self.extended_key_usage = read_extended_key_usage(extension.value);
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|k| k.0.to_vec());
            }
            _ => {}
        }
        self.extensions.push(Extension {
            oid: extension.oid.to_id_string(),
            critical: extension.critical,
            value: extension.value.to_vec(),
            well_formed: match parsed {
                ParsedExtension::UnsupportedExtension { .. } => true,
                ParsedExtension::ParseError { .. } => false,
                // The parser does not mind what follows the value.
                _ => yasna::parse_der(extension.value, |reader| reader.read_der()).is_ok(),
            },
        });
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM with lines of 64 characters and `\n`.
    pub fn pem(&self) -> String {
        pem_text("CERTIFICATE", &self.der)
    }

    /// The bytes under the signature.
    #[doc(hidden)]
    pub fn tbs(&self) -> &[u8] {
        &self.der[self.tbs.clone()]
    }

    /// SHA-1 of the DER, 40 lower-case hex digits: the platform's `fingerprint`.
    pub fn fingerprint_sha1(&self) -> String {
        hex(&sha1(&self.der))
    }

    /// SHA-256 of the DER, 64 lower-case hex digits.
    pub fn fingerprint_sha256(&self) -> String {
        hex(&sha256(&self.der))
    }

    /// Whether BasicConstraints says that the subject is a CA.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|bc| bc.ca)
    }

    /// Whether it is for TLS servers and not for clients (RFC 5280, 4.2.1.12).
    #[doc(hidden)]
    pub fn is_for_servers(&self) -> bool {
        let is_for = |oid| self.extended_key_usage.iter().flatten().any(|found| found == oid);
        is_for(extensions::oid::SERVER_AUTH) && !is_for(extensions::oid::CLIENT_AUTH)
    }

    /// Whether issuer and subject are the same name (RFC 5280, 6.1 "self-issued").
    #[doc(hidden)]
    pub fn is_self_issued(&self) -> bool {
        self.issuer.matches(&self.subject)
    }

    /// Whether AuthorityKeyIdentifier names the issuer's certificate by its serial number
    /// (RFC 5280, 4.2.1.1: authorityCertSerialNumber), or cannot be read.
    #[doc(hidden)]
    pub fn authority_key_names_serial(&self) -> bool {
        const SERIAL_NUMBER: u8 = 0x82;
        let Some(extension) = self.extension(oid::AUTHORITY_KEY_ID) else { return false };
        let parts = yasna::parse_der(&extension.value, |reader| {
            reader.collect_sequence_of(|part| part.read_der())
        });
        parts.map_or(true, |parts| parts.iter().any(|p| p.first() == Some(&SERIAL_NUMBER)))
    }

    /// Verifies this certificate's signature with `key`.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), CryptoError> {
        let algorithm = self.signature_algorithm.clone()?;
        key.verify(algorithm, self.tbs(), &self.signature)
    }

    /// An extension by its dotted object identifier.
    #[doc(hidden)]
    pub fn extension(&self, oid: &str) -> Option<&Extension> {
        self.extensions.iter().find(|e| e.oid == oid)
    }
}

/// A certificate's bytes, and what names it: enough to record it and to write it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The DER.
    pub der: Vec<u8>,
    /// The DER of its issuer's name.
    pub issuer: Vec<u8>,
    /// Its serial number.
    pub serial: Serial,
    /// First moment of validity.
    pub not_before: OffsetDateTime,
    /// Last moment of validity.
    pub not_after: OffsetDateTime,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_digest: [u8; 32],
}

impl From<&Certificate> for Encoded {
    fn from(certificate: &Certificate) -> Self {
        Self {
            der: certificate.der.clone(),
            issuer: certificate.issuer.der().to_vec(),
            serial: certificate.serial.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            key_digest: sha256(&certificate.spki),
        }
    }
}

/// The SubjectPublicKeyInfo in a certificate's DER, without reading the rest into facts.
#[doc(hidden)]
pub fn spki_of(der: &[u8]) -> Option<&[u8]> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate.subject_pki.raw)
}

impl Encoded {
    /// PEM with lines of 64 characters and `\n`.
    pub fn pem(&self) -> String {
        pem_text("CERTIFICATE", &self.der)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.subject, self.serial)
    }
}

fn read_extended_key_usage(value: &[u8]) -> Option<Vec<String>> {
    yasna::parse_der(value, |reader| reader.collect_sequence_of(|r| r.read_oid()))
        .ok()
        .map(|oids| oids.iter().map(ToString::to_string).collect())
}

/// Where the TBSCertificate stands: the first element of the outer SEQUENCE, header included. Nothing follows that
/// SEQUENCE.
fn tbs_range(bytes: &[u8]) -> Option<Range<usize>> {
    let whole = Reader::new(bytes).tagged(SEQUENCE, "a certificate").ok()?;
    let start = bytes.len() - whole.contents.len();
    let tbs = Reader::new(whole.contents).raw("a TBSCertificate").ok()?;
    Some(start..start + tbs.len())
}
