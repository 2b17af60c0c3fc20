//! Certificate revocation lists (RFC 5280, section 5): made, and read.

mod entries;
mod extensions;
mod scope;

use time::OffsetDateTime;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::cert::{Serial, damage, pem_blocks, pem_text};
use crate::crypto::{PublicKey, SignatureAlgorithm, odd_parameters};
use crate::failure::{Failure, Fault, Hint, Task, Underlying};
use crate::issue::{IssueError, Issuer, Parts, Recorder, Replace, assemble};
use crate::name::Name;

pub use entries::OfOthers;
pub use scope::{Only, Scope};

/// Why bytes are not a CRL, or why one cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Not the DER of a CRL.
    #[error("not a certificate revocation list: {0}")]
    Malformed(#[source] Underlying),
    /// No CRL in a PEM text.
    #[error("there is no revocation list (BEGIN X509 CRL) in it")]
    NoList,
    /// The issuer's key usage lacks cRLSign.
    #[error("{issuer} cannot sign revocation lists: its keyUsage lacks cRLSign")]
    NotACrlSigner {
        /// Subject of the CA.
        issuer: Name,
    },
    /// nextUpdate is not after thisUpdate.
    #[error("the revocation list would end before it begins")]
    NoTime,
    /// Encoding or signing failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Failure for CrlError {
    fn fault(&self) -> Fault {
        match self {
            Self::Issue(e) => e.fault(),
            Self::Malformed(_) | Self::NoList | Self::NotACrlSigner { .. } | Self::NoTime => {
                Fault::Input
            }
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Issue(e) => e.hint(),
            Self::NoList => Some(Hint::run("see what it holds", Task::ShowFile)),
            _ => None,
        }
    }
}

/// Why a certificate was revoked (RFC 5280, 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No reason is given; the extension is then left out.
    Unspecified = 0,
    /// The device's key is known to others.
    KeyCompromise = 1,
    /// The CA's key is known to others.
    CaCompromise = 2,
    /// The subject's name or place in the organisation changed.
    AffiliationChanged = 3,
    /// Another certificate took its place.
    Superseded = 4,
    /// The device is out of service.
    CessationOfOperation = 5,
    /// Suspended.
    CertificateHold = 6,
    /// A privilege in it was taken back.
    PrivilegeWithdrawn = 9,
}

impl Reason {
    /// All reasons with the names of RFC 5280.
    #[doc(hidden)]
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Unspecified, "unspecified"),
        (Self::KeyCompromise, "keyCompromise"),
        (Self::CaCompromise, "cACompromise"),
        (Self::AffiliationChanged, "affiliationChanged"),
        (Self::Superseded, "superseded"),
        (Self::CessationOfOperation, "cessationOfOperation"),
        (Self::CertificateHold, "certificateHold"),
        (Self::PrivilegeWithdrawn, "privilegeWithdrawn"),
    ];

    /// The reasons that a revocation can be given: all but `certificateHold`. A certificate on hold can
    /// come back by a later list, but not at the platform, whose entries are never removed (platform:
    /// "Revocation").
    #[doc(hidden)]
    pub fn offered() -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.into_iter().filter(|(reason, _)| *reason != Self::CertificateHold)
    }

    /// The name of RFC 5280.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(r, _)| *r == self).map_or("unspecified", |(_, name)| name)
    }

    /// The reason of that name; case does not matter.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(reason, _)| *reason)
    }

    /// The reason with that number.
    #[doc(hidden)]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().map(|(r, _)| *r).find(|r| *r as u8 == code)
    }
}

/// One revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

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

/// Makes a CRL of version 2 with CRL number and authority key identifier (RFC 5280, 5.2).
///
/// `number` must grow from list to list. Errors: the issuer may not sign CRLs, or the dates are
/// the wrong way round.
pub fn make(
    issuer: &Issuer<'_>,
    revoked: &[Revoked],
    number: u64,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
) -> Result<Crl, CrlError> {
    let certificate = issuer.certificate();
    if certificate.key_usage.is_some_and(|usage| !usage.has("cRLSign")) {
        return Err(CrlError::NotACrlSigner { issuer: certificate.subject.clone() });
    }
    if next_update <= this_update {
        return Err(CrlError::NoTime);
    }
    let recorder = Recorder::default();
    let params = rcgen::CertificateRevocationListParams {
        this_update,
        next_update,
        crl_number: rcgen::SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(revoked_params).collect(),
        key_identifier_method: rcgen::KeyIdMethod::PreSpecified(issuer.key_id()),
    };
    params
        .signed_by(&recorder.issuer(issuer.key_id()))
        .map_err(|e| IssueError::Encoding(Underlying::of(e)))?;
    // version, signature, issuer, thisUpdate, nextUpdate, …
    let tbs = Parts::read(&recorder.into_message())?
        .replace(1, Replace::Algorithm(issuer.signer().algorithm()))?
        .replace(2, Replace::Der(certificate.subject.der()))?
        .write();
    Crl::from_der(&assemble(&tbs, issuer.signer())?)
}

/// Most revocations in one file that the platform takes (platform: "Revocation").
pub const PLATFORM_ROWS: usize = 5000;

/// A revocation that is younger than this, at the time of an upload, is a fresh one.
const FRESH: time::Duration = time::Duration::days(1);

/// Revocations in the form in which the platform takes them: CSV files with the header
/// `SERIALNO,DATE`, serial numbers in hex, times as ISO 8601 in UTC with milliseconds, at most
/// [`PLATFORM_ROWS`] rows each. A certificate on hold is among them: also at the platform, so
/// leave it out if it is to return.
///
/// `upload` is the time of the upload. A revocation of the day before it, or of a later time by this
/// machine's clock, then has no date, which means "now" to the platform: what it makes of a date ahead of
/// its own clock is not certain (platform: "Revocation").
pub fn platform_csv(revoked: &[Revoked], upload: Option<OffsetDateTime>) -> Vec<String> {
    let row = |entry: &Revoked| {
        if upload.is_some_and(|upload| entry.at > upload - FRESH) {
            return format!("{},\n", entry.serial);
        }
        let at = entry.at.to_offset(time::UtcOffset::UTC);
        let (date, (hour, minute, second)) = (at.date(), at.to_hms());
        format!("{},{date}T{hour:02}:{minute:02}:{second:02}.000Z\n", entry.serial)
    };
    let file = |rows: &[Revoked]| {
        std::iter::once("SERIALNO,DATE\n".to_owned()).chain(rows.iter().map(row)).collect()
    };
    revoked.chunks(PLATFORM_ROWS).map(file).collect()
}

fn revoked_params(entry: &Revoked) -> rcgen::RevokedCertParams {
    use rcgen::RevocationReason as R;
    let reason = match entry.reason {
        Reason::Unspecified => None,
        Reason::KeyCompromise => Some(R::KeyCompromise),
        Reason::CaCompromise => Some(R::CaCompromise),
        Reason::AffiliationChanged => Some(R::AffiliationChanged),
        Reason::Superseded => Some(R::Superseded),
        Reason::CessationOfOperation => Some(R::CessationOfOperation),
        Reason::CertificateHold => Some(R::CertificateHold),
        Reason::PrivilegeWithdrawn => Some(R::PrivilegeWithdrawn),
    };
    rcgen::RevokedCertParams {
        serial_number: rcgen::SerialNumber::from_slice(entry.serial.bytes()),
        revocation_time: entry.at,
        reason_code: reason,
        invalidity_date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_files_hold_5000_rows_at_most() {
        let at = OffsetDateTime::from_unix_timestamp(1_768_646_931).unwrap();
        let entry = |n: u16| Revoked {
            serial: Serial::from_octets(&[[0x4a, 0x00], n.to_be_bytes()].concat()),
            at,
            reason: Reason::KeyCompromise,
        };
        let all: Vec<Revoked> = (0..5001).map(entry).collect();
        let files = platform_csv(&all, None);
        let rows: Vec<usize> = files.iter().map(|f| f.lines().count() - 1).collect();
        assert_eq!(rows, [5000, 1]);
        assert!(files[0].starts_with("SERIALNO,DATE\n4a000000,2026-01-17T10:48:51.000Z\n"));
        assert_eq!(platform_csv(&[], None), Vec::<String>::new());
    }

    #[test]
    fn a_fresh_revocation_has_no_date() {
        let at = OffsetDateTime::from_unix_timestamp(1_768_646_931).unwrap();
        let serial = Serial::from_octets(&[0x4a]);
        let entry = Revoked { serial, at, reason: Reason::KeyCompromise };
        let row = |after: time::Duration| {
            let files = platform_csv(std::slice::from_ref(&entry), Some(at + after));
            files[0].lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(row(time::Duration::hours(23)), "4a,");
        assert_eq!(row(-time::Duration::days(3)), "4a,", "this machine's clock was ahead");
        assert_eq!(row(time::Duration::days(1)), "4a,2026-01-17T10:48:51.000Z");
    }

    #[test]
    fn reasons_have_names_and_numbers() {
        for (reason, name) in Reason::ALL {
            assert_eq!(Reason::of_name(&name.to_uppercase()), Some(reason));
            assert_eq!(Reason::from_code(reason as u8), Some(reason));
        }
        assert_eq!(Reason::from_code(7), None, "not used (RFC 5280, 5.3.1)");
        assert_eq!(Reason::offered().count(), Reason::ALL.len() - 1);
        assert!(Reason::offered().all(|(reason, _)| reason != Reason::CertificateHold));
    }
}
