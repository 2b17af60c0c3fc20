//! What the platform checks at upload, checked before (platform: "Uploaded trust anchor").

use time::OffsetDateTime;

use crate::cert::Certificate;
use crate::failure::{Failure, Fault, Hint, Task};

/// Why the platform would not take a certificate as a trust anchor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustProblem {
    /// Not version 3.
    #[error(
        "the certificate of {subject} is X.509 version {version}; the platform wants version 3"
    )]
    Version {
        /// Its subject.
        subject: String,
        /// Its version.
        version: u32,
    },
    /// No CA.
    #[error("the certificate of {subject} is not a CA (no CA:TRUE); the platform refuses it")]
    NotACa {
        /// Its subject.
        subject: String,
    },
    /// Expired.
    #[error("the certificate of {subject} expired on {}; the platform refuses it", .not_after.date())]
    Expired {
        /// Its subject.
        subject: String,
        /// When.
        not_after: OffsetDateTime,
    },
    /// A key that is too weak or unknown.
    #[error("the certificate of {subject} has a key that cannot be used: {cause}")]
    Key {
        /// Its subject.
        subject: String,
        /// What is wrong with the key.
        #[source]
        cause: crate::crypto::CryptoError,
    },
}

impl Failure for TrustProblem {
    fn fault(&self) -> Fault {
        match self {
            Self::Key { cause, .. } => cause.fault(),
            Self::Version { .. } | Self::NotACa { .. } | Self::Expired { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::NotACa { .. } => {
                "upload the CA that signed the devices (root or intermediate), not a device's \
                 certificate"
                    .into()
            }
            Self::Expired { .. } => Hint::say("upload a valid one").then(Hint::run(
                "if it is a CA of the PKI directory, renew it",
                Task::RenewCa { ca: None, new_key: false },
            )),
            Self::Version { .. } => Hint::run("make a CA with extensions", Task::InitCa),
            Self::Key { cause, .. } => return cause.hint(),
        })
    }
}

/// Checks what the platform will check (platform: "Uploaded trust anchor").
pub fn check(certificate: &Certificate, now: OffsetDateTime) -> Result<(), TrustProblem> {
    let subject = certificate.subject.to_string();
    if certificate.version != 3 {
        return Err(TrustProblem::Version { subject, version: certificate.version });
    }
    if !certificate.is_ca() {
        return Err(TrustProblem::NotACa { subject });
    }
    if certificate.not_after < now {
        return Err(TrustProblem::Expired { subject, not_after: certificate.not_after });
    }
    let key = certificate.public_key.clone().and_then(|key| key.check_strength());
    key.map_err(|cause| TrustProblem::Key { subject, cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::oid;
    use crate::testing::{Draft, NOW, Signed};

    #[test]
    fn what_the_platform_would_refuse_is_known() {
        let refused = |edit: &dyn Fn(&mut Draft)| {
            check(&Signed::root("CN=CA", |draft| edit(draft)).cert, NOW).err()
        };
        assert_eq!(refused(&|_| {}), None);
        let subject = || "CN=CA".to_owned();
        let not_a_ca = Some(TrustProblem::NotACa { subject: subject() });
        assert_eq!(refused(&|d| d.remove(oid::BASIC_CONSTRAINTS)), not_a_ca);
        let v1 = |d: &mut Draft| {
            d.version = None;
            d.extensions.clear();
        };
        assert_eq!(refused(&v1), Some(TrustProblem::Version { subject: subject(), version: 1 }));
        let yesterday = NOW - time::Duration::days(1);
        let expired = TrustProblem::Expired { subject: subject(), not_after: yesterday };
        assert_eq!(refused(&|d| d.not_after = yesterday), Some(expired));
    }
}
