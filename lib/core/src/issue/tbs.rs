//! The bytes under a signature.
//!
//! rcgen lays out certificates and CRLs: serial number, dates, extensions. It cannot hold every
//! name (a repeated OU is lost, several attributes in one RDN are refused) nor every key (no P-521
//! without a backend of its own), and it would sign by itself. So it is given an empty name and a
//! key that keeps what it is asked to sign, and the issuer's name, the subject, the public key and
//! the algorithm are then put in byte for byte.

use std::cell::RefCell;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData,
    SerialNumber, SigningKey,
};

use super::{IssueError, Validity};
use crate::cert::{AltName, Certificate, Serial, alt_names_value};
use crate::crypto::SignatureAlgorithm;
use crate::der;
use crate::failure::Underlying;
use crate::key::signer::Signer;
use crate::profile::{Kind, Profile, extended_key_usage_oid};

/// A key that signs nothing and keeps the message.
#[derive(Default)]
pub(crate) struct Recorder {
    message: RefCell<Vec<u8>>,
}

impl PublicKeyData for Recorder {
    fn der_bytes(&self) -> &[u8] {
        &[]
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl SigningKey for Recorder {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.message.replace(message.to_vec());
        Ok(Vec::new())
    }
}

impl Recorder {
    /// What rcgen asked to have signed.
    pub(crate) fn into_message(self) -> Vec<u8> {
        self.message.into_inner()
    }

    /// An issuer for rcgen, with a key identifier and no name.
    pub(crate) fn issuer(&self, key_id: Vec<u8>) -> Issuer<'static, &Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_id);
        Issuer::new(params, self)
    }
}

/// The TBSCertificate that rcgen lays out, for the template to take apart: without names, public key
/// and algorithm, and with the serial number 1.
pub(super) fn layout(
    profile: &Profile,
    validity: Validity,
    path_length: Option<u8>,
    issuer_key_id: Vec<u8>,
    subject_key_id: Vec<u8>,
) -> Result<Parts, IssueError> {
    let recorder = Recorder::default();
    let encoding = |e: rcgen::Error| IssueError::Encoding(Underlying::of(e));
    let mut params = params(profile, validity, path_length);
    params.key_identifier_method = KeyIdMethod::PreSpecified(subject_key_id);
    params.signed_by(&recorder, &recorder.issuer(issuer_key_id)).map_err(encoding)?;
    Parts::read(&recorder.into_message())
}

/// The TBSCertificate of `old` with another serial number and validity. rcgen writes both, so that
/// times have the form that RFC 5280, 4.1.2.5 demands.
pub(super) fn renewed(
    old: &Certificate,
    serial: &Serial,
    validity: Validity,
    issuer: &super::Issuer<'_>,
) -> Result<Vec<u8>, IssueError> {
    let recorder = Recorder::default();
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial.bytes()));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    let encoding = |e: rcgen::Error| IssueError::Encoding(Underlying::of(e));
    params.signed_by(&recorder, &recorder.issuer(issuer.key_id())).map_err(encoding)?;
    let new = Parts::read(&recorder.into_message())?;
    // version, serialNumber, signature, issuer, validity, …
    let replaced = Parts::read(old.tbs())?
        .replace(1, Replace::Der(new.get(1)?))?
        .replace(2, Replace::Algorithm(issuer.signer().algorithm()))?
        .replace(3, Replace::Der(issuer.certificate().subject.der()))?
        .replace(4, Replace::Der(new.get(4)?))?;
    Ok(replaced.write())
}

fn no_element(index: usize) -> IssueError {
    IssueError::Encoding(format!("it has no element {index}").into())
}

fn params(profile: &Profile, validity: Validity, path_length: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.is_ca = match (profile.kind, path_length) {
        (Kind::Device | Kind::Server, _) => IsCa::ExplicitNoCa,
        (_, None) => IsCa::Ca(BasicConstraints::Unconstrained),
        (_, Some(n)) => IsCa::Ca(BasicConstraints::Constrained(n)),
    };
    params.key_usages = profile.key_usage.iter().filter_map(|u| key_usage(u)).collect();
    let usages = profile.extended_key_usage.iter().filter_map(|u| extended_key_usage_oid(u));
    if profile.extensions.extended_key_usage_critical {
        // rcgen cannot mark it.
        let usages: Vec<Vec<u8>> = usages.map(|usage| der::oid(&usage)).collect();
        let usages: Vec<&[u8]> = usages.iter().map(Vec::as_slice).collect();
        let value = der::element(der::SEQUENCE, &usages);
        params.custom_extensions.push(custom(&EXTENDED_KEY_USAGE, true, value));
    } else {
        params.extended_key_usages = usages.map(ExtendedKeyUsagePurpose::Other).collect();
    }
    let own = &profile.extensions;
    let points = own.points().map(|value| custom(&CRL_DISTRIBUTION_POINTS, false, value));
    let access = own.access().map(|value| custom(&AUTHORITY_INFO_ACCESS, false, value));
    params.custom_extensions.extend(points.into_iter().chain(access));
    let others = own.custom.iter().map(|own| custom(&own.oid, own.critical, own.value.clone()));
    params.custom_extensions.extend(others);
    params.use_authority_key_identifier_extension = true;
    params
}

const EXTENDED_KEY_USAGE: [u64; 4] = [2, 5, 29, 37];
const CRL_DISTRIBUTION_POINTS: [u64; 4] = [2, 5, 29, 31];
const AUTHORITY_INFO_ACCESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];

fn custom(oid: &[u64], critical: bool, value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, value);
    extension.set_criticality(critical);
    extension
}

/// The DER of a subjectAltName with these names, as it stands among the extensions; empty without names. It is not
/// critical: no certificate here is without a subject (RFC 5280, 4.2.1.6).
pub(super) fn alt_names(names: &[AltName]) -> Vec<u8> {
    if names.is_empty() {
        return Vec::new();
    }
    let value = der::element(der::OCTET_STRING, &[&alt_names_value(names)]);
    der::element(der::SEQUENCE, &[&der::oid(&SUBJECT_ALT_NAME), &value])
}

fn key_usage(name: &str) -> Option<KeyUsagePurpose> {
    Some(match name {
        "digitalSignature" => KeyUsagePurpose::DigitalSignature,
        "nonRepudiation" => KeyUsagePurpose::ContentCommitment,
        "keyEncipherment" => KeyUsagePurpose::KeyEncipherment,
        "dataEncipherment" => KeyUsagePurpose::DataEncipherment,
        "keyAgreement" => KeyUsagePurpose::KeyAgreement,
        "keyCertSign" => KeyUsagePurpose::KeyCertSign,
        "cRLSign" => KeyUsagePurpose::CrlSign,
        "encipherOnly" => KeyUsagePurpose::EncipherOnly,
        "decipherOnly" => KeyUsagePurpose::DecipherOnly,
        _ => return None,
    })
}

/// The elements of a SEQUENCE, to be exchanged one by one.
pub struct Parts(Vec<Vec<u8>>);

/// What to put in place of an element.
pub enum Replace<'a> {
    /// The identifier of the signature's algorithm.
    Algorithm(SignatureAlgorithm),
    /// DER as it stands.
    Der(&'a [u8]),
}

impl Parts {
    /// Takes a SEQUENCE apart.
    pub fn read(sequence: &[u8]) -> Result<Self, IssueError> {
        let parts = yasna::parse_der(sequence, |reader| {
            reader.collect_sequence_of(|element| element.read_der())
        });
        parts.map(Self).map_err(|e| IssueError::Encoding(Underlying::of(e)))
    }

    /// Exchanges the element at `index`.
    pub fn replace(mut self, index: usize, with: Replace<'_>) -> Result<Self, IssueError> {
        let slot = self.0.get_mut(index).ok_or_else(|| no_element(index))?;
        *slot = match with {
            Replace::Algorithm(algorithm) => algorithm.identifier(),
            Replace::Der(der) => der.to_vec(),
        };
        Ok(self)
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Result<&[u8], IssueError> {
        self.0.get(index).map(Vec::as_slice).ok_or_else(|| no_element(index))
    }

    /// Puts the SEQUENCE together again.
    pub fn write(&self) -> Vec<u8> {
        let parts: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        der::element(der::SEQUENCE, &parts)
    }
}

/// Signs the bytes and wraps them: `SEQUENCE { tbs, algorithm, signature }`.
pub fn assemble(tbs: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, IssueError> {
    let signature = signer.sign(tbs)?;
    // No bit of its last byte is unused.
    let bits = der::element(der::BIT_STRING, &[&[0], &signature]);
    Ok(der::element(der::SEQUENCE, &[tbs, &signer.algorithm().identifier(), &bits]))
}
