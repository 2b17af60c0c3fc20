//! Making certificates: root, intermediate, device (RFC 5280, section 4).
//!
//! Everything that goes in comes from the [`Order`]: a profile, names, a public key, a serial
//! number and a validity. Refused: an issuer that is no CA, that is not valid now, whose path
//! length is used up or whose key is not the one at hand; a certificate that would outlive its
//! issuer; a chain that the platform would not accept (more certificates than [`LongestChain`]).

mod shortened;
mod tbs;
mod template;
mod validity;

use time::OffsetDateTime;

use crate::cert::{AltName, AltNameError, Certificate, LongestChain, Serial};
use crate::crypto::{CryptoError, PublicKey};
use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};
use crate::key::signer::Signer;
use crate::name::Name;
use crate::profile::{PathLength, Profile};

pub use shortened::Shortened;
pub(crate) use tbs::Recorder;
#[doc(hidden)]
pub use tbs::{Parts, Replace, assemble};
pub use template::Template;
pub use validity::{BeyondIssuer, Validity, fit};

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The issuer's certificate does not allow it to sign.
    #[error("{issuer} cannot issue certificates: {reason}")]
    NotAnIssuer {
        /// Subject of the would-be issuer.
        issuer: Name,
        /// What its certificate lacks.
        reason: &'static str,
    },
    /// The signing key is not the one in the issuer's certificate.
    #[error("the private key does not belong to the certificate of {issuer}")]
    KeyMismatch {
        /// Subject of the issuer.
        issuer: Name,
    },
    /// The issuer is not valid at the moment of issuing.
    #[error("the certificate of {issuer} is valid from {not_before} to {not_after}, not now")]
    IssuerNotValid {
        /// Subject of the issuer.
        issuer: Name,
        /// First moment of its validity.
        not_before: String,
        /// Last moment of its validity.
        not_after: String,
    },
    /// notAfter lies behind the issuer's.
    #[error(
        "a validity of {} ends on {not_after}, after its issuer {issuer} on {issuer_not_after}",
        crate::shown::count(days, "day")
    )]
    Outlives {
        /// Subject of the issuer.
        issuer: Name,
        /// The validity asked for, in days.
        days: i64,
        /// When it would end.
        not_after: String,
        /// When the issuer ends.
        issuer_not_after: String,
        /// The longest possible validity, in whole days.
        longest: i64,
    },
    /// A path length above the new CA leaves no room for it.
    #[error("no CA may be below {issuer}: the path length of {limited_by} is {path_length}")]
    PathLength {
        /// Subject of the issuer.
        issuer: Name,
        /// Subject of the CA whose path length is used up.
        limited_by: Name,
        /// That path length.
        path_length: u32,
    },
    /// A device under the new CA would show more certificates than the platform takes.
    #[error(
        "a CA below {issuer} would make chains of {length} certificates; the platform accepts {longest}"
    )]
    TooDeep {
        /// Subject of the issuer.
        issuer: Name,
        /// Length of the chain that a device would show.
        length: usize,
        /// Length of the longest one.
        longest: LongestChain,
    },
    /// A certificate that another one has signed.
    #[error("the certificate of {subject} was not signed with the key of {issuer}")]
    OtherIssuer {
        /// Subject of the certificate.
        subject: Name,
        /// Subject of the CA at hand.
        issuer: Name,
    },
    /// An AuthorityKeyIdentifier that pins one certificate of the issuer.
    #[error(
        "the certificate of {subject} cannot be renewed: its authorityKeyIdentifier names its issuer's \
         certificate by serial number"
    )]
    IssuerBySerial {
        /// Its subject.
        subject: Name,
    },
    /// The subject has no attributes.
    #[error("the subject of the certificate is empty")]
    EmptySubject,
    /// An identifier that cannot stand in a name of the profile.
    #[error("the profile's subject_alt_name cannot be filled in: {0}")]
    AltName(#[from] AltNameError),
    /// The key or signature failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The encoder refused its input.
    #[error("the certificate cannot be encoded: {0}")]
    Encoding(#[source] Underlying),
}

impl Failure for IssueError {
    fn fault(&self) -> Fault {
        match self {
            Self::Crypto(e) => e.fault(),
            Self::AltName(e) => e.fault(),
            Self::NotAnIssuer { .. }
            | Self::KeyMismatch { .. }
            | Self::IssuerNotValid { .. }
            | Self::Outlives { .. }
            | Self::PathLength { .. }
            | Self::TooDeep { .. }
            | Self::OtherIssuer { .. }
            | Self::IssuerBySerial { .. }
            | Self::EmptySubject
            | Self::Encoding(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Outlives { longest, .. } if *longest > 0 => Some(
                Hint::say(format!("ask for at most {}", crate::shown::count(longest, "day")))
                    .then(Hint::give("or have it shortened to its issuer's end", Setting::Shorten)),
            ),
            Self::Outlives { .. } | Self::IssuerNotValid { .. } => {
                Some("renew the issuing CA first".into())
            }
            Self::PathLength { .. } => Some("put it under a CA nearer to the root".into()),
            Self::TooDeep { .. } => Some(
                "put it below a CA nearer to the root; if the installation accepts longer chains, write the \
                 number into pki.toml: `longest_chain = N`"
                    .into(),
            ),
            Self::IssuerBySerial { .. } => Some(Hint::run("make a CA with a new key", Task::RenewCa { ca: None, new_key: true })),
            Self::EmptySubject => Some("give at least a common name".into()),
            Self::Crypto(e) => e.hint(),
            Self::AltName(e) => e.hint(),
            _ => None,
        }
    }
}

/// A CA's certificate and the key that goes with it.
#[derive(Clone, Copy)]
pub struct Issuer<'a> {
    certificate: &'a Certificate,
    signer: &'a dyn Signer,
}

impl<'a> Issuer<'a> {
    /// Checks that the certificate may sign others, at `now`, and that the key is its own.
    pub fn new(
        certificate: &'a Certificate,
        signer: &'a dyn Signer,
        now: OffsetDateTime,
    ) -> Result<Self, IssueError> {
        check_signs_at(certificate, now)?;
        if certificate.spki != signer.public_key().spki() {
            return Err(IssueError::KeyMismatch { issuer: certificate.subject.clone() });
        }
        Ok(Self { certificate, signer })
    }

    /// The issuer's certificate.
    pub fn certificate(&self) -> &'a Certificate {
        self.certificate
    }

    /// The issuer's key.
    pub fn signer(&self) -> &'a dyn Signer {
        self.signer
    }

    /// Its subject key identifier, or the one computed from its key.
    pub(crate) fn key_id(&self) -> Vec<u8> {
        let computed = || self.signer.public_key().key_id().to_vec();
        self.certificate.subject_key_id.clone().unwrap_or_else(computed)
    }

    /// A validity that this issuer can give: `wanted`, or shortened, or refused.
    pub fn fit(
        &self,
        wanted: Validity,
        beyond_issuer: BeyondIssuer,
    ) -> Result<Validity, IssueError> {
        fit(self.certificate, wanted, beyond_issuer)
    }
}

/// Refuses certificates that may not sign others, or not at `now`.
pub fn check_signs_at(certificate: &Certificate, now: OffsetDateTime) -> Result<(), IssueError> {
    check_ca(certificate)?;
    if (certificate.not_before..=certificate.not_after).contains(&now) {
        return Ok(());
    }
    Err(IssueError::IssuerNotValid {
        issuer: certificate.subject.clone(),
        not_before: date(certificate.not_before),
        not_after: date(certificate.not_after),
    })
}

/// Refuses certificates that may not sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
pub fn check_ca(certificate: &Certificate) -> Result<(), IssueError> {
    let refuse =
        |reason| Err(IssueError::NotAnIssuer { issuer: certificate.subject.clone(), reason });
    if certificate.version != 3 {
        return refuse("it is not of version 3, which the platform requires of a CA");
    }
    if !certificate.is_ca() {
        return refuse("it has no basicConstraints with CA:TRUE");
    }
    if certificate.key_usage.is_some_and(|usage| !usage.has("keyCertSign")) {
        return refuse("its keyUsage lacks keyCertSign");
    }
    Ok(())
}

fn date(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// Everything that goes into one certificate.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Extensions, key usage.
    pub profile: &'a Profile,
    /// Whom it is about.
    pub subject: &'a Name,
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// Its serial number; must never repeat under one issuer.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Validity,
    /// For CAs: how many CA certificates may follow; see [`path_length`].
    pub path_length: Option<u8>,
}

/// Makes a certificate signed by `issuer`.
///
/// Errors: [`IssueError::Outlives`] for a validity that ends after the issuer's ([`Issuer::fit`] gives one that
/// does not); a weak key; an empty subject.
pub fn issue(order: &Order<'_>, issuer: &Issuer<'_>) -> Result<Certificate, IssueError> {
    issue_named(order, &[], issuer)
}

/// The same with names beside the subject (subjectAltName): those of a server, or of a device's hardware. The
/// patterns of the profile are not filled in: [`Extensions::alt_names_of`](crate::profile::Extensions::alt_names_of)
/// does it.
pub fn issue_named(
    order: &Order<'_>,
    alt_names: &[AltName],
    issuer: &Issuer<'_>,
) -> Result<Certificate, IssueError> {
    let template = Template::new(order.profile, order.validity, order.path_length, issuer)?;
    fill(&template, order, alt_names)
}

/// Makes a self-signed certificate: a root. `signer` holds the key in the order.
pub fn self_sign(order: &Order<'_>, signer: &dyn Signer) -> Result<Certificate, IssueError> {
    if order.public_key != signer.public_key() {
        return Err(IssueError::KeyMismatch { issuer: order.subject.clone() });
    }
    fill(&Template::self_signed(order, signer)?, order, &[])
}

fn fill(
    template: &Template<'_>,
    order: &Order<'_>,
    alt_names: &[AltName],
) -> Result<Certificate, IssueError> {
    let (subject, serial) = (order.subject.der(), order.serial.clone());
    let made = template.issue_named(subject, alt_names, order.public_key, serial)?;
    Certificate::from_der(&made.der).map_err(|e| IssueError::Encoding(Underlying::of(e)))
}

/// Makes a certificate like `old` with the same name, key and extensions, byte for byte, under
/// another serial number and validity. Whatever `old` has signed stays valid under the new one.
///
/// `issuer` is who signs: `old`'s own issuer, or `old` itself with its key for a root. Errors: an
/// issuer of another name or key than the one that signed `old`; an AuthorityKeyIdentifier that names
/// its issuer's certificate by serial number, because that one may have been renewed too; a validity that ends
/// after that of another issuer.
pub fn renew(
    old: &Certificate,
    serial: &Serial,
    validity: Validity,
    issuer: &Issuer<'_>,
) -> Result<Certificate, IssueError> {
    if let Ok(key) = &old.public_key {
        key.check_strength()?;
    }
    let signed = old.verify_signature(issuer.signer.public_key()).is_ok();
    if !signed || !old.issuer.matches(&issuer.certificate.subject) {
        let (subject, issuer) = (old.subject.clone(), issuer.certificate.subject.clone());
        return Err(IssueError::OtherIssuer { subject, issuer });
    }
    if issuer.certificate != old {
        issuer.fit(validity, BeyondIssuer::Refuse)?;
    }
    if old.authority_key_names_serial() {
        return Err(IssueError::IssuerBySerial { subject: old.subject.clone() });
    }
    let tbs = tbs::renewed(old, serial, validity, issuer)?;
    let der = assemble(&tbs, issuer.signer)?;
    Certificate::from_der(&der).map_err(|e| IssueError::Encoding(Underlying::of(e)))
}

/// How many CA certificates may follow a new CA, given the CAs above it, its issuer first (none
/// for a root).
///
/// [`PathLength::Computed`] takes the most that the path lengths above and the platform's limit on
/// the chain leave. Errors: a path length above is used up, or the chain gets too long.
pub fn path_length(
    wanted: PathLength,
    above: &[Certificate],
    longest: LongestChain,
) -> Result<Option<u8>, IssueError> {
    // The new CA, and a device under it.
    let length = above.len() + 2;
    let mut room = longest.room_below(above.len());
    if let Some(issuer) = above.first() {
        room = room.min(room_under(issuer, above)?);
        if !longest.takes(length) {
            let issuer = issuer.subject.clone();
            return Err(IssueError::TooDeep { issuer, length, longest });
        }
    }
    Ok(match wanted {
        PathLength::Unlimited => None,
        PathLength::Exactly(n) => Some(n),
        PathLength::Computed => Some(room),
    })
}

/// What the path lengths of the CAs above leave to a new CA under `issuer`.
fn room_under(issuer: &Certificate, above: &[Certificate]) -> Result<u8, IssueError> {
    let mut room = u8::MAX;
    for (between, ca) in above.iter().enumerate() {
        let Some(limit) = ca.basic_constraints.and_then(|bc| bc.path_length) else { continue };
        // CAs between this one and the device: those under it in `above`, and the new one.
        let used = u32::try_from(between).unwrap_or(u32::MAX).saturating_add(1);
        let Some(left) = limit.checked_sub(used) else {
            return Err(IssueError::PathLength {
                issuer: issuer.subject.clone(),
                limited_by: ca.subject.clone(),
                path_length: limit,
            });
        };
        room = room.min(u8::try_from(left).unwrap_or(u8::MAX));
    }
    Ok(room)
}
