//! What a device presents to the platform (platform: "Device certificates"), beyond what
//! [`verify`](super::verify) demands of any chain.
//!
//! The platform judges the certificates in the order in which they come: the device's first, each
//! followed by its signer, the uploaded CA among them; it never sorts or completes them. Newer
//! platforms also take the device's certificate alone when its immediate issuer was uploaded.
//! All findings are reported, not only the first, because each costs its finder a refused
//! connection that gives no reason. Times are not looked at here.

use serde::ser::SerializeStruct;
use time::OffsetDateTime;

use super::refusal::{display_name, nth};
use crate::cert::{Certificate, LongestChain};
use crate::client_id::DeviceId;
use crate::crypto::{CryptoError, KeyAlgorithm, MlDsa};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::name::Name;

/// How a Common Name differs from the device identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// The connection type of the ClientId stands before it (`d:`).
    Prefix,
    /// Without its colons it would be right.
    Colons,
    /// White space that the other has not.
    WhiteSpace,
    /// Upper or lower case.
    Case,
    /// Another name altogether.
    Other,
}

impl Mistake {
    fn text(self) -> &'static str {
        match self {
            Self::Prefix => "it holds the connection type of the ClientId",
            Self::Colons => "it has colons",
            Self::WhiteSpace => "they differ in white space",
            Self::Case => "they differ in upper and lower case",
            Self::Other => "they must have exactly the same bytes",
        }
    }
}

/// What there is to say about the certificates that a device presents.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceFinding {
    /// No certificates.
    #[error("the device presents no certificate")]
    Empty,
    /// More than the platform takes.
    #[error("the chain has {found} certificates; the platform takes at most {longest}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        longest: LongestChain,
    },
    /// The first certificate names no device.
    #[error("the first certificate has no common name; it must be {wanted:?}")]
    NoCommonName {
        /// The device identifier.
        wanted: String,
    },
    /// The first certificate names another device.
    #[error("the common name {found:?} is not the device identifier {wanted:?}: {}", mistake.text())]
    CommonName {
        /// The Common Name.
        found: String,
        /// The device identifier.
        wanted: String,
        /// What kind of mistake it looks like.
        mistake: Mistake,
    },
    /// A colon in the Common Name.
    #[error("the common name {0:?} contains ':', which separates the parts of a ClientId")]
    Colon(String),
    /// A certificate that is not followed by its signer.
    #[error(
        "{} ({}) was issued by {issuer}, but {} ({}) follows",
        nth(*position), display_name(subject), nth(position + 1), display_name(next)
    )]
    NotFollowedByIssuer {
        /// Place of the certificate; 0 is the first.
        position: usize,
        /// Its subject.
        subject: Name,
        /// The issuer that it names.
        issuer: Name,
        /// The subject of the next certificate.
        next: Name,
        /// Where the issuer stands instead.
        issuer_at: Option<usize>,
    },
    /// The next certificate has the right name and the wrong key.
    #[error(
        "{} ({}) is not signed by the next one: {error}",
        nth(*position), display_name(subject)
    )]
    NotSigned {
        /// Place of the certificate.
        position: usize,
        /// Its subject.
        subject: Name,
        /// Why not.
        #[source]
        error: CryptoError,
    },
    /// A signer without CA:TRUE.
    #[error("{} ({}) signs another one, but is no CA", nth(*position), display_name(subject))]
    NotCa {
        /// Place of the certificate.
        position: usize,
        /// Its subject.
        subject: Name,
    },
    /// A key that the platform calls unsafe, or that is of an unknown kind.
    #[error("{} ({}) has an unusable key: {error}", nth(*position), display_name(subject))]
    Key {
        /// Place of the certificate.
        position: usize,
        /// Its subject.
        subject: Name,
        /// Why it is unusable.
        #[source]
        error: CryptoError,
    },
    /// The uploaded CA is not among the certificates.
    #[error("the chain does not include an uploaded CA certificate")]
    UploadedCaMissing {
        /// The subject of the uploaded CA that belongs at the end, if there is one.
        belongs: Option<Name>,
    },
    /// The uploaded certificate of a CA is another one than that which is presented: the CA was renewed.
    #[error(
        "the CA ({ca}) was renewed: the uploaded certificate is that until {}, and the device presents the one until \
         {}, of the same name and key",
        uploaded_until.date(), presented_until.date()
    )]
    CaRenewed {
        /// The CA.
        ca: Name,
        /// The end of the uploaded certificate.
        uploaded_until: OffsetDateTime,
        /// The end of the one that is presented.
        presented_until: OffsetDateTime,
    },
    /// The device identifier is one that no new device may have.
    #[error("{0}")]
    OldId(String),
    /// Only the device's certificate, signed by the uploaded CA itself.
    #[error("the device presents its certificate alone: only newer platforms accept that")]
    LeafOnly,
    /// No CA was named as uploaded.
    #[error("whether the chain includes the uploaded CA was not checked: none was named")]
    UploadedCaUnknown,
    /// An ML-DSA key.
    #[error("{} ({}) has a key of type {set}; {}", nth(*position), display_name(subject), set.remark())]
    MlDsa {
        /// Place of the certificate.
        position: usize,
        /// Its subject.
        subject: Name,
        /// The parameter set.
        set: MlDsa,
    },
    /// A long chain calls for proof of possession.
    #[error("the chain has {0} certificates: the uploaded CA needs proof of possession")]
    ProofOfPossession(usize),
}

impl DeviceFinding {
    /// The finding's name in JSON: it does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooMany { .. } => "too-many",
            Self::NoCommonName { .. } => "no-common-name",
            Self::CommonName { .. } => "common-name",
            Self::Colon(_) => "colon",
            Self::NotFollowedByIssuer { .. } => "not-followed-by-issuer",
            Self::NotSigned { .. } => "not-signed",
            Self::NotCa { .. } => "not-a-ca",
            Self::Key { .. } => "key",
            Self::UploadedCaMissing { .. } => "uploaded-ca-missing",
            Self::CaRenewed { .. } => "ca-renewed",
            Self::OldId(_) => "old-id",
            Self::LeafOnly => "leaf-only",
            Self::UploadedCaUnknown => "uploaded-ca-unknown",
            Self::MlDsa { .. } => "ml-dsa",
            Self::ProofOfPossession(_) => "proof-of-possession",
        }
    }

    /// Whether it is worth knowing and no reason for the platform to refuse the device.
    pub fn is_note(&self) -> bool {
        matches!(
            self,
            Self::LeafOnly
                | Self::UploadedCaUnknown
                | Self::ProofOfPossession(_)
                | Self::OldId(_)
                | Self::MlDsa { .. }
        )
    }

    /// Whether it is about the name of the device: a verdict on the chain alone is none on that.
    pub fn is_of_the_name(&self) -> bool {
        matches!(self, Self::NoCommonName { .. } | Self::CommonName { .. } | Self::Colon(_))
    }
}

impl Failure for DeviceFinding {
    fn fault(&self) -> Fault {
        match self {
            Self::Key { error, .. } | Self::NotSigned { error, .. } => error.fault(),
            Self::Empty
            | Self::TooMany { .. }
            | Self::NoCommonName { .. }
            | Self::CommonName { .. }
            | Self::Colon(_)
            | Self::NotFollowedByIssuer { .. }
            | Self::NotCa { .. }
            | Self::UploadedCaMissing { .. }
            | Self::CaRenewed { .. }
            | Self::OldId(_)
            | Self::LeafOnly
            | Self::MlDsa { .. }
            | Self::UploadedCaUnknown
            | Self::ProofOfPossession(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotFollowedByIssuer { issuer_at: Some(at), .. } => {
                Some(Hint::run(format!("its issuer is {}, put them in order", nth(*at)), Task::OrderChain))
            }
            Self::NotFollowedByIssuer { issuer, subject, .. } if issuer.matches(subject) => {
                let what = "it is self-signed, so it belongs at the end, put them in order";
                Some(Hint::run(what, Task::OrderChain))
            }
            Self::NotFollowedByIssuer { issuer, .. } => Some(format!("add {issuer} after it").into()),
            Self::CommonName { wanted, .. } | Self::NoCommonName { wanted } => {
                Some(format!("issue the certificate again with CN={wanted}").into())
            }
            Self::UploadedCaMissing { belongs: Some(ca) } => {
                Some(format!("add the uploaded {ca} at the end of the chain").into())
            }
            Self::UploadedCaMissing { belongs: None } => {
                Some("upload a CA of this chain, or present the chain up to it".into())
            }
            Self::CaRenewed { .. } => Some(
                Hint::run("also upload the certificate that the device presents", Task::UploadCa)
                    .then("or let the device present the uploaded one"),
            ),
            Self::LeafOnly => Some("present the uploaded CA too to connect everywhere".into()),
            Self::ProofOfPossession(_) => {
                Some(Hint::run("if it is not done yet, prove it", Task::ProveCa { ca: None }))
            }
            Self::TooMany { longest, .. } => Some(
                Hint::say(format!(
                    "issue it from a CA that is nearer to the root: with at most {longest} certificates up to the \
                     uploaded one"
                ))
                .then(Hint::give("if this installation takes longer chains, say so", Setting::LongestChain)),
            ),
            Self::Colon(name) => {
                let hint = DeviceId::parse(name).err().and_then(|e| e.hint());
                let again = "issue the certificate again with an id without colons";
                Some(hint.map_or_else(|| again.into(), |hint| format!("{again}: {hint}").into()))
            }
            Self::NotCa { subject, .. } => {
                let name = display_name(subject);
                Some(format!("issue {name} again, with CA:TRUE, and what is below it").into())
            }
            Self::NotSigned { error: CryptoError::BadSignature, .. } => Some(
                "the next one has the right name but another key: replace it by the CA certificate that signed"
                    .into(),
            ),
            Self::Key { error, .. } | Self::NotSigned { error, .. } => error.hint(),
            Self::MlDsa { .. } => Some("ask the platform's operator before you give devices such keys".into()),
            Self::Empty | Self::UploadedCaUnknown | Self::OldId(_) => None,
        }
    }
}

impl serde::Serialize for DeviceFinding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("DeviceFinding", 4)?;
        out.serialize_field("code", self.code())?;
        out.serialize_field("severity", if self.is_note() { "note" } else { "error" })?;
        out.serialize_field("message", &self.to_string())?;
        out.serialize_field("hint", &self.hint())?;
        out.end()
    }
}

/// Judges what a device presents, in that order, as the device `id` to a platform to which
/// `uploaded` were uploaded and that takes chains as long as `longest`. The result is empty if there is nothing to say; the device is refused
/// if any finding is not a [note](DeviceFinding::is_note).
pub fn check_device(
    presented: &[Certificate],
    uploaded: &[Certificate],
    id: &DeviceId,
    longest: LongestChain,
) -> Vec<DeviceFinding> {
    let Some(leaf) = presented.first() else { return vec![DeviceFinding::Empty] };
    let mut findings = check_common_name(leaf, id.as_str());
    if !longest.takes(presented.len()) {
        findings.push(DeviceFinding::TooMany { found: presented.len(), longest });
    }
    for (position, cert) in presented.iter().enumerate() {
        let key = cert.public_key.as_ref().map_err(Clone::clone);
        if let Err(error) = key.and_then(|key| key.check_strength()) {
            let subject = cert.subject.clone();
            findings.push(DeviceFinding::Key { position, subject, error });
        }
        findings.extend(check_ml_dsa(cert, position));
        findings.extend(check_link(presented, position));
    }
    findings.extend(check_uploaded(presented, uploaded));
    findings.extend(id.remark().map(DeviceFinding::OldId));
    if presented.len() > 2 {
        findings.push(DeviceFinding::ProofOfPossession(presented.len()));
    }
    findings
}

fn check_ml_dsa(cert: &Certificate, position: usize) -> Option<DeviceFinding> {
    match cert.public_key.as_ref().ok()?.algorithm() {
        KeyAlgorithm::MlDsa(set) => {
            Some(DeviceFinding::MlDsa { position, subject: cert.subject.clone(), set })
        }
        _ => None,
    }
}

fn check_common_name(leaf: &Certificate, wanted: &str) -> Vec<DeviceFinding> {
    let Some(found) = leaf.subject.common_name() else {
        return vec![DeviceFinding::NoCommonName { wanted: wanted.to_owned() }];
    };
    let mut findings = Vec::new();
    if found.contains(':') {
        findings.push(DeviceFinding::Colon(found.to_owned()));
    }
    if found != wanted {
        findings.push(DeviceFinding::CommonName {
            mistake: mistake(found, wanted),
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        });
    }
    findings
}

fn mistake(found: &str, wanted: &str) -> Mistake {
    let no_space = |text: &str| text.split_whitespace().collect::<String>();
    if found.split_once(':').is_some_and(|(_, rest)| rest.split(':').next() == Some(wanted)) {
        Mistake::Prefix
    } else if found.contains(':') && found.replace(':', "").eq_ignore_ascii_case(wanted) {
        Mistake::Colons
    } else if found.to_lowercase() == wanted.to_lowercase() {
        Mistake::Case
    } else if no_space(found).to_lowercase() == no_space(wanted).to_lowercase() {
        Mistake::WhiteSpace
    } else {
        Mistake::Other
    }
}

/// Whether the certificate is followed by its signer; the last one need not be.
fn check_link(presented: &[Certificate], position: usize) -> Vec<DeviceFinding> {
    let (Some(cert), Some(next)) = (presented.get(position), presented.get(position + 1)) else {
        return Vec::new();
    };
    let subject = cert.subject.clone();
    if !cert.issuer.matches(&next.subject) {
        let issuer_at = presented.iter().position(|c| c.subject.matches(&cert.issuer));
        return vec![DeviceFinding::NotFollowedByIssuer {
            position,
            subject,
            issuer: cert.issuer.clone(),
            next: next.subject.clone(),
            issuer_at: issuer_at.filter(|at| *at != position),
        }];
    }
    let mut findings = Vec::new();
    if let Err(error) = signed_by(cert, next) {
        findings.push(DeviceFinding::NotSigned { position, subject, error });
    }
    if !next.is_ca() {
        let subject = next.subject.clone();
        findings.push(DeviceFinding::NotCa { position: position + 1, subject });
    }
    findings
}

fn check_uploaded(presented: &[Certificate], uploaded: &[Certificate]) -> Option<DeviceFinding> {
    if uploaded.is_empty() {
        return Some(DeviceFinding::UploadedCaUnknown);
    }
    if presented.iter().any(|cert| uploaded.contains(cert)) {
        return None;
    }
    // Of the leaf itself the platform wants no renewal.
    let twin = |cert: &Certificate| uploaded.iter().find(|ca| ca.is_renewal_of(cert));
    if let Some((cert, ca)) = presented.iter().skip(1).find_map(|cert| Some((cert, twin(cert)?))) {
        return Some(DeviceFinding::CaRenewed {
            ca: cert.subject.clone(),
            uploaded_until: ca.not_after,
            presented_until: cert.not_after,
        });
    }
    let issuer_of_last = presented.last().and_then(|last| {
        let issued = |ca: &&Certificate| last.issuer.matches(&ca.subject);
        uploaded.iter().filter(issued).find(|ca| signed_by(last, ca).is_ok())
    });
    if presented.len() == 1 && issuer_of_last.is_some() {
        return Some(DeviceFinding::LeafOnly);
    }
    let belongs = issuer_of_last.map(|ca| ca.subject.clone());
    Some(DeviceFinding::UploadedCaMissing { belongs })
}

fn signed_by(cert: &Certificate, issuer: &Certificate) -> Result<(), CryptoError> {
    let key = issuer.public_key.as_ref().map_err(Clone::clone)?;
    cert.verify_signature(key)
}
