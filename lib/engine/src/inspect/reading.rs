//! What a file is, and what is in it.

use super::crl::crl_view;
use super::error::InspectError;
use super::views::{CertificateView, Item, KeyView, request_view};
use crate::armor;
use crate::cert::{CertError, Certificate, pem_blocks, without_trust};
use crate::crl::Crl;
use crate::crypto::PublicKey;
use crate::csr::Request;
use crate::key::{PrivateKey, read::is_encrypted};
use crate::secret::Password;
use crate::store::pkcs7::{self, Pkcs7Error};
use crate::store::{self, Format, StoreError};

/// Passwords for what a file may hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passwords<'a> {
    /// For an encrypted key or a store.
    pub password: Option<&'a Password>,
    /// For keys in a store, where they have one of their own.
    pub key: Option<&'a Password>,
}

/// Whether the file cannot be described without a password: a PKCS#12 or JKS store.
pub fn needs_password(bytes: &[u8]) -> bool {
    let bytes = armor::der(bytes);
    if store::is_pkcs12(bytes) {
        return true;
    }
    matches!(store::detect(bytes), Ok(Format::Jks | Format::Pkcs12))
        && !pkcs7::is_signed_data(bytes)
        && describe_der(bytes, Passwords::default()).is_none()
}

/// Describes what the bytes hold.
///
/// Errors: a certificate, request, CRL or store that is damaged, a wrong password, or bytes that
/// are none of these.
pub fn inspect(bytes: &[u8], passwords: Passwords<'_>) -> Result<Vec<Item>, InspectError> {
    // Line ends behind DER, and text that is not UTF-8, are no part of it.
    let plain = armor::plain(armor::der(bytes));
    let bytes = &*plain;
    if pkcs7::is_signed_data(bytes) {
        return Ok(pkcs7_items(&pkcs7::contents(bytes)?));
    }
    if let Some(item) = describe_der(bytes, passwords) {
        return item.map(|item| vec![item]);
    }
    match store::detect(bytes).map_err(unknown)? {
        Format::Pem if !store::is_pkcs12(bytes) => describe_pem(bytes, passwords),
        format => {
            let options = store::OpenOptions {
                store_password: passwords.password,
                key_password: passwords.key,
                // Looking is no trust.
                allow_unverified: true,
            };
            let store = store::open_with(bytes, options)?;
            // PKCS#12 in PEM is PKCS#12.
            let format = if format == Format::Pem { Format::Pkcs12 } else { format };
            Ok(vec![Item::Store(store::Listing::new(format, &store))])
        }
    }
}

fn unknown(e: StoreError) -> InspectError {
    match e {
        StoreError::Unrecognised { .. } => InspectError::Unknown,
        other => other.into(),
    }
}

/// Bare DER of anything but a store.
fn describe_der(bytes: &[u8], passwords: Passwords<'_>) -> Option<Result<Item, InspectError>> {
    if bytes.first() != Some(&0x30) {
        return None;
    }
    if let Ok(cert) = Certificate::from_der(bytes) {
        return Some(Ok(certificate(&cert)));
    }
    if let Ok(request) = Request::from_der(bytes) {
        return Some(Ok(Item::Request(request_view(&request))));
    }
    if let Ok(crl) = Crl::from_der(bytes) {
        return Some(Ok(Item::Crl(crl_view(&crl))));
    }
    if let Ok(key) = PublicKey::from_spki(bytes) {
        return Some(Ok(Item::PublicKey(KeyView::of(&key))));
    }
    if is_encrypted(bytes) {
        return Some(private_key(bytes, passwords));
    }
    PrivateKey::read(bytes, None)
        .ok()
        .map(|key| Ok(Item::PrivateKey(KeyView::of(key.public_key()))))
}

fn describe_pem(bytes: &[u8], passwords: Passwords<'_>) -> Result<Vec<Item>, InspectError> {
    let blocks = pem_blocks(bytes).map_err(CertError::Pem)?;
    if blocks.is_empty() {
        return Err(CertError::NoCertificate.into());
    }
    let key_blocks = blocks.iter().filter(|b| b.tag().ends_with("PRIVATE KEY")).count();
    let mut items = Vec::with_capacity(blocks.len());
    for block in &blocks {
        // Labels lie: CAs send PKCS#7 as CERTIFICATE.
        if pkcs7::is_label(block.tag()) || pkcs7::is_signed_data(block.contents()) {
            items.extend(pkcs7_block(block)?);
            continue;
        }
        items.push(match block.tag() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                certificate(&Certificate::from_der(without_trust(block))?)
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                Item::Request(request_view(&Request::from_der(block.contents())?))
            }
            "X509 CRL" => Item::Crl(crl_view(&Crl::from_der(block.contents())?)),
            "PUBLIC KEY" => Item::PublicKey(KeyView::of(&PublicKey::from_spki(block.contents())?)),
            // The first key of a file is read from its whole text: EC PARAMETERS stand before it.
            tag if tag.ends_with("PRIVATE KEY") && key_blocks == 1 => {
                private_key(bytes, passwords)?
            }
            _ => other(block),
        });
    }
    Ok(items)
}

/// Of a block with the label of PKCS#7; encrypted messages have the same.
fn pkcs7_block(block: &pem::Pem) -> Result<Vec<Item>, InspectError> {
    match pkcs7::contents(block.contents()) {
        Ok(found) => Ok(pkcs7_items(&found)),
        Err(Pkcs7Error::OtherContent(_)) => Ok(vec![other(block)]),
        Err(e) => Err(e.into()),
    }
}

fn pkcs7_items(found: &pkcs7::Contents) -> Vec<Item> {
    let certificates = found.certificates.iter().map(certificate);
    certificates.chain(found.revocation_lists.iter().map(|l| Item::Crl(crl_view(l)))).collect()
}

fn certificate(cert: &Certificate) -> Item {
    Item::Certificate(Box::new(CertificateView::of(cert)))
}

fn other(block: &pem::Pem) -> Item {
    Item::Other { label: block.tag().to_owned(), bytes: block.contents().len() }
}

fn private_key(bytes: &[u8], passwords: Passwords<'_>) -> Result<Item, InspectError> {
    if passwords.password.is_none() && is_encrypted(bytes) {
        return Ok(Item::EncryptedPrivateKey);
    }
    let key = PrivateKey::read(bytes, passwords.password)?;
    Ok(Item::PrivateKey(KeyView::of(key.public_key())))
}
