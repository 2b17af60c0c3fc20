//! PKCS#7 files with certificates and nothing else, as CAs hand them out (`.p7b`, `.p7c`): the
//! certs-only form of CMS SignedData (RFC 5652, section 5; RFC 8551, section 3.2.2), which is also
//! what an EST server answers with (RFC 7030, section 4.1.3).
//!
//! Such a file proves nothing: nobody signs the list, so its certificates are what its sender
//! says. Read are DER and BER, and PEM (RFC 7468, section 8). A signed message is read too; its
//! contents and signatures are passed over, as are attribute certificates. Refused: other kinds of
//! CMS, more than [`MAX_BYTES`] bytes, more than [`MAX_CERTIFICATES`] certificates, certificates
//! that are not DER.

use crate::ber::{BerError, CONTEXT_0, INTEGER, OID, Reader, SEQUENCE, SET, dotted};
use crate::cert::{CertError, Certificate, pem_blocks};
use crate::crl::{Crl, CrlError};
use crate::der::element;
use crate::failure::{Failure, Fault, Hint, Task, Underlying};

/// Largest file that is read, in bytes: a hundred certificates with RSA keys take 200 000.
pub const MAX_BYTES: usize = 1 << 20;

/// Most certificates in a file.
pub const MAX_CERTIFICATES: usize = 100;

/// `[1]`, constructed: where the revocation lists are.
const CONTEXT_1: u8 = 0xa1;

/// 1.2.840.113549.1.7, the arc of PKCS#7, and one number below it.
const fn pkcs7(last: u8) -> [u8; 9] {
    [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last]
}
const DATA: [u8; 9] = pkcs7(1);
const SIGNED_DATA: [u8; 9] = pkcs7(2);
const ENVELOPED_DATA: [u8; 9] = pkcs7(3);
const ENCRYPTED_DATA: [u8; 9] = pkcs7(6);

/// Why bytes are no PKCS#7 file with certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs7Error {
    /// The structure is not that of PKCS#7.
    #[error("not a PKCS#7 file: {0}")]
    Damaged(#[source] Underlying),
    /// A PEM block that is damaged.
    #[error("the PEM text cannot be read: {0}")]
    Pem(#[source] Underlying),
    /// No PKCS#7 in a PEM text.
    #[error("there is no PKCS#7 (BEGIN PKCS7) in it")]
    NoBlock,
    /// CMS of another kind.
    #[error("the PKCS#7 file holds {0}, not certificates")]
    OtherContent(String),
    /// No certificate in it.
    #[error("there is no certificate in the PKCS#7 file")]
    NoCertificate,
    /// A file that is absurdly large.
    #[error("the PKCS#7 file has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Too many certificates or revocation lists.
    #[error("the PKCS#7 file holds more than {MAX_CERTIFICATES} {what}")]
    TooMany {
        /// What there is too many of.
        what: &'static str,
    },
    /// A certificate in it cannot be read.
    #[error("certificate {number} of the PKCS#7 file cannot be read: {source}")]
    Certificate {
        /// Its place, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertError,
    },
    /// A revocation list in it cannot be read.
    #[error("revocation list {number} of the PKCS#7 file cannot be read: {source}")]
    Crl {
        /// Its place, from 1.
        number: usize,
        /// What is wrong with it.
        source: CrlError,
    },
}

impl Failure for Pkcs7Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Certificate { source, .. } => source.fault(),
            Self::Crl { source, .. } => source.fault(),
            Self::Damaged(_)
            | Self::Pem(_)
            | Self::NoBlock
            | Self::OtherContent(_)
            | Self::NoCertificate
            | Self::TooLarge { .. }
            | Self::TooMany { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let hint = match self {
            Self::Damaged(_) | Self::Pem(_) => "copy the file again, in binary mode",
            Self::NoBlock => return Some(Hint::run("see what it holds", Task::ShowFile)),
            Self::OtherContent(_) => "ask the CA for its certificates alone: a .p7b or .p7c file",
            Self::Certificate { source, .. } => return source.hint(),
            Self::Crl { source, .. } => return source.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}

impl From<BerError> for Pkcs7Error {
    fn from(e: BerError) -> Self {
        Self::Damaged(Underlying::of(e))
    }
}

/// What a PKCS#7 file holds, in its order.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Revocation lists.
    pub revocation_lists: Vec<Crl>,
}

/// Whether bytes begin as SignedData in DER or BER does; whether they are whole is not looked at.
pub fn is_signed_data(bytes: &[u8]) -> bool {
    // SEQUENCE, its length in up to five bytes, OBJECT IDENTIFIER.
    let id = element(OID, &[&SIGNED_DATA]);
    bytes.first() == Some(&SEQUENCE)
        && (2..=6).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(&id)))
}

/// Whether a PEM label is that of a PKCS#7 file (RFC 7468, sections 8 and 9; OpenSSL).
pub fn is_label(label: &str) -> bool {
    matches!(label, "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA")
}

/// The certificates of a file, in its order: DER, BER, or PEM with one or more blocks.
///
/// Errors: as [`contents`], and [`Pkcs7Error::NoCertificate`].
pub fn read(bytes: &[u8]) -> Result<Vec<Certificate>, Pkcs7Error> {
    let found = contents(bytes)?.certificates;
    if found.is_empty() { Err(Pkcs7Error::NoCertificate) } else { Ok(found) }
}

/// All that a file holds: DER, BER, or PEM with one or more blocks.
///
/// Errors: bytes that are no PKCS#7, or hold something else; a certificate or revocation list that
/// is damaged; too much of it.
pub fn contents(bytes: &[u8]) -> Result<Contents, Pkcs7Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Pkcs7Error::TooLarge { bytes: bytes.len() });
    }
    let mut found = Contents::default();
    if bytes.first() == Some(&SEQUENCE) {
        found.add(bytes)?;
        return Ok(found);
    }
    let blocks = pem_blocks(bytes).map_err(Pkcs7Error::Pem)?;
    let mut blocks = blocks.iter().filter(|b| is_label(b.tag())).peekable();
    if blocks.peek().is_none() {
        return Err(Pkcs7Error::NoBlock);
    }
    blocks.try_for_each(|block| found.add(block.contents()))?;
    Ok(found)
}

impl Contents {
    /// Reads a ContentInfo.
    fn add(&mut self, bytes: &[u8]) -> Result<(), Pkcs7Error> {
        let mut file = Reader::new(bytes);
        let mut info = file.sequence("the file")?;
        if !file.is_empty() {
            return Err(Pkcs7Error::Damaged("bytes follow its end".into()));
        }
        let kind = info.oid("the type of its contents")?;
        if kind != SIGNED_DATA {
            return Err(Pkcs7Error::OtherContent(kind_name(kind)));
        }
        let explicit = info.tagged(CONTEXT_0, "the signed data")?;
        let mut data = Reader::new(explicit.contents).sequence("the signed data")?;
        data.uint("the version")?;
        data.tagged(SET, "the digest algorithms")?;
        data.tagged(SEQUENCE, "the signed contents")?;
        if data.next_is(CONTEXT_0) {
            self.add_certificates(Reader::new(data.any("the certificates")?.contents))?;
        }
        if data.next_is(CONTEXT_1) {
            self.add_lists(Reader::new(data.any("the revocation lists")?.contents))?;
        }
        data.tagged(SET, "the signatures")?;
        Ok(())
    }

    fn add_certificates(&mut self, mut set: Reader<'_>) -> Result<(), Pkcs7Error> {
        while !set.is_empty() {
            // The other choices of the set are attribute certificates and the like.
            let is_certificate = set.next_is(SEQUENCE);
            let raw = set.raw("a certificate")?;
            if !is_certificate {
                continue;
            }
            let number = self.certificates.len() + 1;
            if number > MAX_CERTIFICATES {
                return Err(Pkcs7Error::TooMany { what: "certificates" });
            }
            let read = Certificate::from_der(raw);
            let read = read.map_err(|source| Pkcs7Error::Certificate { number, source })?;
            self.certificates.push(read);
        }
        Ok(())
    }

    fn add_lists(&mut self, mut set: Reader<'_>) -> Result<(), Pkcs7Error> {
        while !set.is_empty() {
            // The other choice is a status of another format.
            let is_list = set.next_is(SEQUENCE);
            let raw = set.raw("a revocation list")?;
            if !is_list {
                continue;
            }
            let number = self.revocation_lists.len() + 1;
            if number > MAX_CERTIFICATES {
                return Err(Pkcs7Error::TooMany { what: "revocation lists" });
            }
            let read = Crl::from_der(raw);
            self.revocation_lists.push(read.map_err(|source| Pkcs7Error::Crl { number, source })?);
        }
        Ok(())
    }
}

fn kind_name(oid: &[u8]) -> String {
    match oid {
        _ if oid == DATA => "plain data".to_owned(),
        _ if oid == ENVELOPED_DATA || oid == ENCRYPTED_DATA => "encrypted data".to_owned(),
        other => format!("contents of type {}", dotted(other)),
    }
}

/// Writes certificates as a certs-only file, in DER but for their order, which stays as it is given:
/// DER would sort them, and readers that take the first one for the leaf are in use.
pub fn write(certificates: &[Certificate]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| element(SEQUENCE, parts);
    let id = |id: [u8; 9]| element(OID, &[&id]);
    let none = element(SET, &[]);
    let certificates: Vec<&[u8]> = certificates.iter().map(Certificate::der).collect();
    let signed_data = sequence(&[
        // Version 1: X.509 certificates only (RFC 5652, 5.1).
        &element(INTEGER, &[&[1]]),
        &none,
        &sequence(&[&id(DATA)]),
        &element(CONTEXT_0, &certificates),
        &none,
    ]);
    sequence(&[&id(SIGNED_DATA), &element(CONTEXT_0, &[&signed_data])])
}

#[cfg(test)]
mod tests;
