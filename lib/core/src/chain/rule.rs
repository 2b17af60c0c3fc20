//! The rules by which a certificate is refused, and what is said about it.

use time::OffsetDateTime;

use crate::clock::rfc3339;
use crate::crypto::CryptoError;
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::name::Name;

/// A rule that a certificate breaks, with the values that show it.
///
/// `Display` is the end of a sentence that starts with the certificate. [`Rule::code`] is stable.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// X.509 of another version than 3, without extensions.
    #[error("is of X.509 version {0}, not 3")]
    Version(u32),
    /// Extensions in a certificate of another version than 3.
    #[error("is of X.509 version {0} and has extensions, which only version 3 knows")]
    ExtensionsInVersion(u32),
    /// Zero, negative, or longer than 20 bytes.
    #[error("has the serial number {serial}, which is {problem}")]
    SerialNumber {
        /// Contents bytes in hexadecimal.
        serial: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No issuer name.
    #[error("names no issuer")]
    EmptyIssuer,
    /// No subject name where one is needed.
    #[error("has an empty subject, {0}")]
    EmptySubject(&'static str),
    /// The signed and the unsigned algorithm identifier differ.
    #[error("names two different signature algorithms inside and outside of the signed part")]
    AlgorithmsDiffer,
    /// An extension that occurs twice.
    #[error("has the extension {0} more than once")]
    DuplicateExtension(String),
    /// An extension that cannot be read.
    #[error("has the extension {0}, whose value is malformed")]
    MalformedExtension(String),
    /// A critical extension that is not processed here.
    #[error("has the critical extension {0}, which is not understood here")]
    UnknownCriticalExtension(String),
    /// An extension that must not be critical.
    #[error("marks the extension {0} as critical, which it must not be")]
    CriticalExtension(String),
    /// An extension that must be critical.
    #[error("does not mark the extension {0} as critical, which it must be")]
    NotCriticalExtension(String),
    /// keyUsage of a CA that is not critical.
    #[error("is a CA and does not mark its key usage as critical, which it should be")]
    KeyUsageNotCritical,
    /// Parameters beside a signature algorithm that standards do not want there.
    #[error("names its signature algorithm with {0}")]
    SignatureParameters(&'static str),
    /// The key identifier of the issuer is another than the issuer's.
    #[error(
        "names the key {wanted} as its issuer's (authorityKeyIdentifier), but the certificate of \
         {issuer} has the subject key identifier {found}"
    )]
    AuthorityKeyIdDiffers {
        /// The issuer's name.
        issuer: Box<Name>,
        /// What the certificate names, in hexadecimal.
        wanted: String,
        /// What the issuer's certificate has, in hexadecimal.
        found: String,
    },
    /// authorityCertIssuer and authorityCertSerialNumber are those of another certificate.
    #[error(
        "names another certificate as its issuer's by {what} (authorityKeyIdentifier: {wanted}, the \
         certificate of {issuer} has {found})"
    )]
    AuthorityCertDiffers {
        /// The issuer's name.
        issuer: Box<Name>,
        /// Serial number or issuer.
        what: &'static str,
        /// What the certificate names.
        wanted: Box<str>,
        /// What the issuer's certificate has.
        found: Box<str>,
    },
    /// A CA without subjectKeyIdentifier.
    #[error("is a CA without subject key identifier")]
    SubjectKeyIdMissing,
    /// No key identifier of the issuer, and not self-issued and trusted.
    #[error("has no authority key identifier")]
    AuthorityKeyIdMissing,
    /// notBefore lies ahead.
    #[error("is not valid before {}; the time is {}", rfc3339(*not_before), rfc3339(*at))]
    NotYetValid {
        /// First moment of validity.
        not_before: OffsetDateTime,
        /// Time of the check.
        at: OffsetDateTime,
    },
    /// notAfter has passed.
    #[error("expired at {}; the time is {}", rfc3339(*not_after), rfc3339(*at))]
    Expired {
        /// Last moment of validity.
        not_after: OffsetDateTime,
        /// Time of the check.
        at: OffsetDateTime,
    },
    /// A public key that is too weak or of an unknown kind.
    #[error("has a public key that cannot be used: {0}")]
    PublicKey(#[source] CryptoError),
    /// A signature algorithm that is broken or unknown.
    #[error("has a signature that cannot be checked: {0}")]
    SignatureAlgorithm(#[source] CryptoError),
    /// The issuer's key did not make this signature.
    #[error(
        "names {issuer} as its issuer, but its signature does not match that certificate's key"
    )]
    Signature {
        /// The issuer's name.
        issuer: Name,
    },
    /// An issuer that is no CA.
    #[error("issued a certificate, but {0}")]
    NotCa(&'static str),
    /// An issuer whose key usage lacks keyCertSign.
    #[error("issued a certificate, but its key usage lacks keyCertSign")]
    KeyCertSignMissing,
    /// keyCertSign without CA:TRUE.
    #[error("has the key usage keyCertSign, but is no CA")]
    KeyCertSignWithoutCa,
    /// A path length without CA:TRUE.
    #[error("has a path length, but is no CA")]
    PathLengthWithoutCa,
    /// More CA certificates below a CA than it allows.
    #[error(
        "has path length {allowed}, but {found} CA certificate{} between it and the device",
        if *found == 1 { " stands" } else { "s stand" }
    )]
    PathLength {
        /// The certificate's pathLenConstraint.
        allowed: u32,
        /// CA certificates below it that are not self-issued.
        found: u32,
    },
    /// nameConstraints outside of a CA.
    #[error("has name constraints, but is no CA")]
    NameConstraintsWithoutCa,
    /// The device's key usage does not fit.
    #[error("has the key usage {found}; a TLS certificate needs digitalSignature or keyAgreement")]
    KeyUsage {
        /// The bits that are set.
        found: String,
    },
    /// The extended key usage does not fit the purpose.
    #[error("has an extended key usage without {wanted}: {found}")]
    ExtendedKeyUsage {
        /// The purpose that is missing.
        wanted: &'static str,
        /// Object identifiers that are there.
        found: String,
    },
    /// A subjectAltName that is no name of its form.
    #[error("has the {form} {name:?} among its alternative names, which is malformed")]
    MalformedName {
        /// The form of the name.
        form: &'static str,
        /// The name.
        name: String,
    },
    /// A name outside of what a CA above permits.
    #[error("has the {form} {name:?}, which certificate {by} does not permit")]
    NameNotPermitted {
        /// The form of the name.
        form: &'static str,
        /// The name.
        name: String,
        /// Position of the CA with the name constraints.
        by: usize,
    },
    /// A name that a CA above excludes.
    #[error("has the {form} {name:?}, which certificate {by} excludes")]
    NameExcluded {
        /// The form of the name.
        form: &'static str,
        /// The name.
        name: String,
        /// Position of the CA with the name constraints.
        by: usize,
    },
    /// A name of a form that is constrained and cannot be compared.
    #[error(
        "has a name of the form {form}, which certificate {by} constrains; it cannot be judged"
    )]
    NameNotComparable {
        /// The form of the name.
        form: &'static str,
        /// Position of the CA with the name constraints.
        by: usize,
    },
    /// A list of its issuer says so.
    #[error("was revoked at {} ({reason})", rfc3339(*at))]
    Revoked {
        /// Since when.
        at: OffsetDateTime,
        /// Why, by its name in RFC 5280, 5.3.1.
        reason: &'static str,
    },
    /// No list of its issuer that counts.
    #[error("cannot be looked up: there is no valid revocation list of {issuer}; {problem}")]
    RevocationUnknown {
        /// The issuer.
        issuer: Box<Name>,
        /// Why those at hand do not count.
        problem: String,
    },
    /// A list of its issuer that counts does not say when the next one is due.
    #[error("was looked up in {list} of {issuer}, which does not say when the next one is due")]
    NoNextUpdate {
        /// The issuer.
        issuer: Box<Name>,
        /// The list, by its number.
        list: String,
    },
    /// A list of its issuer has no number.
    #[error("was looked up in a list of {issuer} that has no number (cRLNumber)")]
    ListNumberMissing {
        /// The issuer.
        issuer: Box<Name>,
    },
    /// A list of its issuer has signature parameters that standards do not want there.
    #[error("was looked up in {list} of {issuer}, which names its signature algorithm with {what}")]
    ListSignatureParameters {
        /// The issuer.
        issuer: Box<Name>,
        /// The list, by its number.
        list: String,
        /// The parameters.
        what: &'static str,
    },
    /// A policy is demanded and none is valid.
    #[error("needs a valid certificate policy, {0}")]
    ExplicitPolicy(&'static str),
    /// policyMappings with anyPolicy.
    #[error("maps the policy anyPolicy to another one or another one to it")]
    PolicyMapping,
    /// No certificate with the issuer's name.
    #[error("was issued by {issuer}; no certificate of that name is there")]
    IssuerMissing {
        /// The issuer's name.
        issuer: Name,
    },
    /// The path ends in a self-issued certificate that is not trusted.
    #[error("is the end of the chain, but not one of the trusted certificates")]
    Untrusted,
    /// Its issuers are certificates that are below it.
    #[error("is part of a circle in the chain, which reaches no trusted certificate")]
    Loop,
    /// More intermediates than allowed.
    #[error("needs an issuer, but the limit of {max} intermediate CA certificates is reached")]
    TooLong {
        /// The limit.
        max: u8,
    },
}

impl Rule {
    /// The rule's name in JSON: it does not change between versions.
    pub fn code(&self) -> &'static str {
        self.facts().0
    }

    /// Where the rule comes from.
    pub fn reference(&self) -> &'static str {
        self.facts().1
    }

    fn facts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Version(_) => ("version", "RFC 5280, 4.1.2.1"),
            Self::ExtensionsInVersion(_) => ("extensions-in-version", "RFC 5280, 4.1.2.9"),
            Self::KeyUsageNotCritical => ("key-usage-not-critical", "RFC 5280, 4.2.1.3"),
            Self::SignatureParameters(_) => {
                ("signature-parameters", "RFC 5758, 3.2 and RFC 4055, 3")
            }
            Self::AuthorityKeyIdDiffers { .. } => ("authority-key-id-differs", "RFC 5280, 4.2.1.1"),
            Self::AuthorityCertDiffers { .. } => ("authority-cert-differs", "RFC 5280, 4.2.1.1"),
            Self::NoNextUpdate { .. } => ("no-next-update", "RFC 5280, 5.1.2.5"),
            Self::ListNumberMissing { .. } => ("list-number-missing", "RFC 5280, 5.2.3"),
            Self::ListSignatureParameters { .. } => {
                ("list-signature-parameters", "RFC 5758, 3.2 and RFC 4055, 3")
            }
            Self::PolicyMapping => ("policy-mapping", "RFC 5280, 4.2.1.5"),
            Self::SerialNumber { .. } => ("serial-number", "RFC 5280, 4.1.2.2"),
            Self::EmptyIssuer => ("empty-issuer", "RFC 5280, 4.1.2.4"),
            Self::EmptySubject(_) => ("empty-subject", "RFC 5280, 4.1.2.6"),
            Self::AlgorithmsDiffer => ("algorithms-differ", "RFC 5280, 4.1.1.2"),
            Self::DuplicateExtension(_) => ("duplicate-extension", "RFC 5280, 4.2"),
            Self::MalformedExtension(_) => ("malformed-extension", "RFC 5280, 4.2"),
            Self::UnknownCriticalExtension(_) => ("unknown-critical-extension", "RFC 5280, 4.2"),
            Self::CriticalExtension(_) => ("critical-extension", "RFC 5280, 4.2"),
            Self::NotCriticalExtension(_) => ("not-critical-extension", "RFC 5280, 4.2"),
            Self::SubjectKeyIdMissing => ("subject-key-id-missing", "RFC 5280, 4.2.1.2"),
            Self::AuthorityKeyIdMissing => ("authority-key-id-missing", "RFC 5280, 4.2.1.1"),
            Self::NotYetValid { .. } => ("not-yet-valid", "RFC 5280, 4.1.2.5"),
            Self::Expired { .. } => ("expired", "RFC 5280, 4.1.2.5"),
            Self::PublicKey(_) => ("public-key", "NIST SP 800-131A"),
            Self::SignatureAlgorithm(_) => ("signature-algorithm", "NIST SP 800-131A"),
            Self::Signature { .. } => ("signature", "RFC 5280, 6.1.3"),
            Self::NotCa(_) => ("not-a-ca", "RFC 5280, 4.2.1.9"),
            Self::KeyCertSignMissing => ("key-cert-sign-missing", "RFC 5280, 4.2.1.3"),
            Self::KeyCertSignWithoutCa => ("key-cert-sign-without-ca", "RFC 5280, 4.2.1.9"),
            Self::PathLengthWithoutCa => ("path-length-without-ca", "RFC 5280, 4.2.1.9"),
            Self::PathLength { .. } => ("path-length", "RFC 5280, 4.2.1.9"),
            Self::NameConstraintsWithoutCa => ("name-constraints-without-ca", "RFC 5280, 4.2.1.10"),
            Self::KeyUsage { .. } => ("key-usage", "RFC 5280, 4.2.1.3 and 4.2.1.12"),
            Self::ExtendedKeyUsage { .. } => ("extended-key-usage", "RFC 5280, 4.2.1.12"),
            Self::MalformedName { .. } => ("malformed-name", "RFC 5280, 4.2.1.6"),
            Self::NameNotPermitted { .. } => ("name-not-permitted", "RFC 5280, 4.2.1.10"),
            Self::NameExcluded { .. } => ("name-excluded", "RFC 5280, 4.2.1.10"),
            Self::NameNotComparable { .. } => ("name-not-comparable", "RFC 5280, 4.2.1.10"),
            Self::Revoked { .. } => ("revoked", "RFC 5280, 6.3"),
            Self::RevocationUnknown { .. } => ("revocation-unknown", "RFC 5280, 6.3"),
            Self::ExplicitPolicy(_) => ("explicit-policy", "RFC 5280, 4.2.1.11"),
            Self::IssuerMissing { .. } => ("issuer-missing", "RFC 5280, 6.1"),
            Self::Untrusted => ("untrusted", "RFC 5280, 6.1"),
            Self::Loop => ("loop", "RFC 5280, 6.1"),
            Self::TooLong { .. } => ("too-long", "a limit of this check"),
        }
    }
}

impl Failure for Rule {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::NotYetValid { .. } => "check the clock, or wait",
            Self::Expired { .. } => "renew it with the same key and name, or issue a new one",
            Self::IssuerMissing { .. } => {
                "give the missing CA certificate among the intermediates or the trusted ones"
            }
            Self::Revoked { .. } => {
                "a device needs a new certificate with a new key; under a renewed CA, its new chain"
            }
            Self::RevocationUnknown { .. } => return Some(list_wanted()),
            Self::Untrusted => {
                let what = "if you trust it, name it as a trust anchor";
                return Some(Hint::give(what, Setting::TrustAnchor));
            }
            Self::Signature { .. } => {
                "the CA was probably made again with the same name: use its former certificate"
            }
            Self::PathLength { .. } => "issue that CA again with a larger path length, or none",
            Self::NotCa(_) => "issue it again with CA:TRUE in critical basic constraints",
            Self::KeyCertSignMissing => "issue it again with the key usage keyCertSign",
            Self::ExtendedKeyUsage { .. } => "issue it again with that purpose, or with none",
            Self::AuthorityKeyIdMissing | Self::SubjectKeyIdMissing => {
                "issue it again with key identifiers"
            }
            Self::AuthorityKeyIdDiffers { .. } | Self::AuthorityCertDiffers { .. } => {
                "use the certificate of that CA under which it was issued: the CA has several \
                 certificates for one key, with different key identifiers or serial numbers"
            }
            Self::NoNextUpdate { .. } => {
                "ask the CA for a list that says when the next one is due (nextUpdate)"
            }
            Self::TooLong { .. } => "allow more intermediates, if the chain really is that long",
            Self::PublicKey(e) | Self::SignatureAlgorithm(e) => return e.hint(),
            _ => return None,
        };
        Some(text.into())
    }
}

/// What to do where no list tells whether a certificate is revoked.
fn list_wanted() -> Hint {
    Hint::run("give the issuer's present list, or make it", Task::MakeCrl { ca: None, days: None })
        .then(Hint::give("if another CA of that name made one, give that CA", Setting::OtherCa))
        .then(Hint::give("if another key or CA has signed it, give that", Setting::Intermediates))
}
