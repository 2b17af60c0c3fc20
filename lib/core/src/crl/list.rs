//! A revocation list, read once into owned facts.

use time::OffsetDateTime;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::entries::{self, OfOthers};
use super::error::CrlError;
use super::extensions;
use super::reason::Revoked;
use super::scope::Scope;
use crate::cert::{Serial, damage, pem_blocks, pem_text};
use crate::crypto::{PublicKey, SignatureAlgorithm, odd_parameters};
use crate::failure::Underlying;
use crate::name::Name;

/// A revocation list: its DER and the facts in it.
#[derive(Debug, Clone)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Vec<u8>,
    /// Who signed it.
    pub issuer: Name,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// When the next one is due.
    pub next_update: Option<OffsetDateTime>,
    /// Its number, as the bytes of the INTEGER.
    pub number: Option<Serial>,
    /// The key identifier of the issuer.
    #[doc(hidden)]
    pub authority_key_id: Option<Vec<u8>>,
    /// The revoked certificates.
    pub revoked: Vec<Revoked>,
    /// For a delta list: the number of the list whose changes it tells.
    #[doc(hidden)]
    pub base: Option<Serial>,
    /// Certificates that a delta list takes out of the list that it changes (`removeFromCRL`).
    #[doc(hidden)]
    pub removed: Vec<Serial>,
    /// Entries of an indirect list about certificates of other issuers.
    #[doc(hidden)]
    pub others: Vec<OfOthers>,
    /// Which certificates and reasons it is for; none for all of its issuer. Or why that is not certain, as the
    /// end of a sentence that begins with the list.
    #[doc(hidden)]
    pub scope: Result<Option<Scope>, &'static str>,
    /// The first critical extension that is not processed, of the list or of an entry, as a dotted object identifier.
    #[doc(hidden)]
    pub critical_extension: Option<String>,
    /// Why it is not the whole list of its issuer, as the end of a sentence that begins with the list.
    #[doc(hidden)]
    pub incomplete: Option<&'static str>,
    /// The signature's algorithm.
    #[doc(hidden)]
    pub signature_algorithm: Result<SignatureAlgorithm, crate::crypto::CryptoError>,
    /// Parameters beside the signature's algorithm that standards do not want there, in words.
    #[doc(hidden)]
    pub odd_signature_parameters: Option<&'static str>,
    signature: Vec<u8>,
}

impl Crl {
    /// Reads the DER of a CRL; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        let (rest, crl) =
            CertificateRevocationList::from_der(der).map_err(|e| CrlError::Malformed(damage(e)))?;
        if !rest.is_empty() {
            return Err(CrlError::Malformed(format!("{} bytes follow it", rest.len()).into()));
        }
        let entries = entries::read(&crl);
        let scope = extensions::scope(&crl, &entries);
        Ok(Self {
            der: der.to_vec(),
            tbs: crl.tbs_cert_list.as_ref().to_vec(),
            issuer: Name::from_der(crl.issuer().as_raw())
                .map_err(|e| CrlError::Malformed(Underlying::of(e)))?,
            this_update: crl.last_update().to_datetime(),
            next_update: crl.next_update().map(|t| t.to_datetime()),
            number: crl.crl_number().map(|n| Serial::from_octets(&n.to_bytes_be())),
            authority_key_id: extensions::authority_key_id(&crl),
            base: extensions::base(&crl),
            critical_extension: extensions::critical(&crl, &scope),
            incomplete: extensions::incomplete(&crl),
            scope,
            revoked: entries.revoked,
            removed: entries.removed,
            others: entries.others,
            signature_algorithm: SignatureAlgorithm::from_identifier(&crl.signature_algorithm),
            odd_signature_parameters: odd_parameters(&crl.signature_algorithm),
            signature: crl.signature_value.data.to_vec(),
        })
    }

    /// Reads every CRL of a PEM text in order; other blocks are passed over. A lone DER list is
    /// accepted too.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Self>, CrlError> {
        if bytes.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(crate::armor::der(bytes))?]);
        }
        let blocks = pem_blocks(bytes).map_err(CrlError::Malformed)?;
        let lists = blocks.iter().filter(|b| b.tag() == "X509 CRL");
        let lists: Vec<Self> =
            lists.map(|b| Self::from_der(b.contents())).collect::<Result<_, _>>()?;
        if lists.is_empty() { Err(CrlError::NoList) } else { Ok(lists) }
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM with lines of 64 characters.
    pub fn pem(&self) -> String {
        pem_text("X509 CRL", &self.der)
    }

    /// Verifies the list's signature with the issuer's key.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), crate::crypto::CryptoError> {
        key.verify(self.signature_algorithm.clone()?, &self.tbs, &self.signature)
    }
}
