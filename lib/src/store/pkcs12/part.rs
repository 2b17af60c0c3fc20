//! From an AuthenticatedSafe (RFC 7292, section 4.1) to PFXs in DER, one for each part.
//!
//! `p12-keystore` opens a PFX under one password, whole or not at all. So each bag that is in sight
//! goes into a PFX of its own: then a key may have its own password, and one that does not open has
//! a name.

use super::super::StoreError;
use super::ber::{self, Element, Reader, dotted, element, sequence};
use super::cost::Encryption;
use super::{oid, unsupported};

/// SafeContents may hold SafeContents; nobody writes more than one level.
const MAX_NESTING: u8 = 4;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Encrypted bags, of which nothing is in sight.
    Encrypted,
    /// One encrypted key.
    Key,
    /// One secret key.
    Secret,
    /// A certificate or key that is not encrypted.
    Plain,
}

pub(super) struct Part {
    pub(super) kind: Kind,
    /// The name of a bag: the crate tells none of what it cannot decrypt.
    pub(super) alias: Option<String>,
    /// None of what is not encrypted, and of a secret key whose encryption is beyond us.
    pub(super) encryption: Option<Encryption>,
    /// The part alone, as a PFX without MAC, in DER.
    pub(super) pfx: Vec<u8>,
}

/// Takes an AuthenticatedSafe apart, and checks what its parts would cost.
pub(super) fn parts(content: &[u8]) -> Result<Vec<Part>, StoreError> {
    let mut parts = Vec::new();
    let mut infos = Reader::new(content).sequence("the authenticated safe")?;
    while !infos.is_empty() {
        let mut info = infos.sequence("a content info")?;
        let kind = info.oid("a content info's type")?;
        let explicit = info.tagged(ber::CONTEXT_0, "a content info's content")?;
        let mut content = Reader::new(explicit.contents);
        match kind {
            oid::DATA => safe_contents(&content.octets("safe contents")?, 0, &mut parts)?,
            oid::ENCRYPTED_DATA => parts.push(encrypted_data(content)?),
            oid::ENVELOPED_DATA => {
                return Err(unsupported("encryption to a public key".to_owned()));
            }
            other => return Err(unsupported(format!("content of type {}", dotted(other)))),
        }
    }
    Ok(parts)
}

/// EncryptedData (RFC 5652, section 8).
fn encrypted_data(mut content: Reader<'_>) -> Result<Part, StoreError> {
    let mut data = content.sequence("encrypted data")?;
    data.uint("the version of encrypted data")?;
    let mut info = data.sequence("encrypted content")?;
    info.oid("the type of encrypted content")?;
    let algorithm = info.tagged(ber::SEQUENCE, "an encryption algorithm")?;
    let octets = info.tagged(ber::CONTEXT_0_PRIMITIVE, "encrypted content")?;
    // Its [0] is a string, not a tag around one, so it cannot be left to to_der.
    let octets = element(ber::CONTEXT_0_PRIMITIVE, &octets.octets("encrypted content")?);
    let info = sequence(&[&element(ber::OID, oid::DATA), &algorithm.to_der()?, &octets]);
    let encryption = Some(Encryption::check(algorithm)?);
    let data = sequence(&[&element(ber::INTEGER, &[0]), &info]);
    let pfx = pfx(oid::ENCRYPTED_DATA, &data);
    Ok(Part { kind: Kind::Encrypted, alias: None, encryption, pfx })
}

fn safe_contents(octets: &[u8], depth: u8, parts: &mut Vec<Part>) -> Result<(), StoreError> {
    let mut contents = Reader::new(octets).sequence("safe contents")?;
    while !contents.is_empty() {
        let whole = contents.tagged(ber::SEQUENCE, "a bag")?;
        let mut bag = Reader::new(whole.contents);
        let id = bag.oid("a bag's type")?;
        let value = bag.tagged(ber::CONTEXT_0, "a bag's value")?.contents;
        let (kind, encryption) = match id {
            oid::KEY_BAG | oid::CERT_BAG => (Kind::Plain, None),
            oid::SHROUDED_KEY_BAG => {
                (Kind::Key, Some(Encryption::check(algorithm(value, "an encrypted key")?)?))
            }
            // Listed only, so whatever is odd about it is no error.
            oid::SECRET_BAG => (Kind::Secret, secret_encryption(value).ok()),
            oid::SAFE_CONTENTS_BAG if depth < MAX_NESTING => {
                safe_contents(value, depth + 1, parts)?;
                continue;
            }
            // A revocation list is no entry.
            oid::CRL_BAG => continue,
            other => return Err(unsupported(format!("a bag of type {}", dotted(other)))),
        };
        let alone = element(ber::OCTET_STRING, &sequence(&[&whole.to_der()?]));
        let pfx = pfx(oid::DATA, &alone);
        parts.push(Part { kind, alias: friendly_name(bag)?, encryption, pfx });
    }
    Ok(())
}

/// The algorithm of an EncryptedPrivateKeyInfo.
fn algorithm<'a>(info: &'a [u8], what: &'static str) -> Result<Element<'a>, StoreError> {
    Ok(Reader::new(info).sequence(what)?.tagged(ber::SEQUENCE, "an encryption algorithm")?)
}

/// The encryption of a secret key, which Java wraps in an EncryptedPrivateKeyInfo.
fn secret_encryption(value: &[u8]) -> Result<Encryption, StoreError> {
    let mut bag = Reader::new(value).sequence("a secret bag")?;
    bag.oid("a secret's type")?;
    let explicit = bag.tagged(ber::CONTEXT_0, "a secret")?;
    let wrapped = Reader::new(explicit.contents).octets("a secret")?;
    Encryption::check(algorithm(&wrapped, "a secret")?)
}

/// The friendlyName among the attributes after a bag's value.
fn friendly_name(mut bag: Reader<'_>) -> Result<Option<String>, StoreError> {
    if bag.is_empty() {
        return Ok(None);
    }
    let mut attributes = Reader::new(bag.tagged(ber::SET, "a bag's attributes")?.contents);
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence("an attribute")?;
        if attribute.oid("an attribute's type")? != oid::FRIENDLY_NAME {
            continue;
        }
        let mut values = Reader::new(attribute.tagged(ber::SET, "an attribute's values")?.contents);
        let octets = values.tagged(ber::BMP_STRING, "a friendlyName")?.contents;
        let units = octets.chunks(2).map(|c| c.iter().fold(0, |n, b| n << 8 | u16::from(*b)));
        let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        return Ok(Some(chars.collect()));
    }
    Ok(None)
}

/// A PFX without MAC, of one content.
fn pfx(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let info = |kind, content: &[u8]| {
        sequence(&[&element(ber::OID, kind), &element(ber::CONTEXT_0, content)])
    };
    let safe = element(ber::OCTET_STRING, &sequence(&[&info(kind, content)]));
    sequence(&[&element(ber::INTEGER, &[3]), &info(oid::DATA, &safe)])
}
