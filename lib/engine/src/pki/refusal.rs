//! Why one device does not get a certificate.

use time::OffsetDateTime;

use super::AuthorityError;
use super::policy::PolicyError;
use crate::cert::{CertError, Serial};
use crate::client_id::ClientIdError;
use crate::clock::{ClockError, rfc3339};
use crate::crypto::CryptoError;
use crate::csr::CsrError;
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::issue::IssueError;
use crate::name::NameError;
use crate::profile::UnknownProfile;
use crate::read::ReadError;
use crate::registry::RegistryError;

/// Why [`Pki::issue`](super::Pki::issue) makes no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// What was sent is no request.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was sent holds several requests.
    #[error("{0} certificate requests were sent, and one certificate is made")]
    Several(usize),
    /// A request that is damaged, for a weak key, or not signed with its own key.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A public key that is not certified.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A request that does not say whose it is.
    #[error("the request has no common name, so it is not known whose it is")]
    NoCommonName,
    /// A request with several common names.
    #[error("the request has several common names, {0}")]
    CommonNames(String),
    /// A common name that is no device identifier.
    #[error("{}", .0.at("its common name"))]
    CommonName(#[source] ClientIdError),
    /// An identifier that the platform takes from no new device.
    #[error(transparent)]
    NewId(ClientIdError),
    /// A common name among the fields of the subject.
    #[error("the subject has a common name, but a device's common name is its id")]
    SubjectWithCommonName,
    /// A subject that cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The device has a certificate in use.
    #[error(
        "device id {id:?} has a live certificate already, {serial}, valid until {}", rfc3339(*not_after)
    )]
    AlreadyIssued {
        /// The device.
        id: String,
        /// The serial number of that certificate.
        serial: Serial,
        /// The end of its validity.
        not_after: OffsetDateTime,
    },
    /// The certificate that was to be replaced is not the device's any more.
    #[error(
        "the certificate of device id {id:?} that was to be replaced was replaced or revoked meanwhile"
    )]
    Replaced {
        /// The device.
        id: String,
    },
    /// Another device's identifier looks the same.
    #[error(
        "device id {id:?} looks like that of a device that has a certificate: only the case of its letters \
         is different, or their form (Unicode, NFC and NFD)"
    )]
    Twin {
        /// The device.
        id: String,
    },
    /// A server has the id as its common name.
    #[error(
        "device id {id:?} is the name of a server: by its common name the platform would take one for the other"
    )]
    IsServer {
        /// The device.
        id: String,
    },
    /// The device's certificate was revoked.
    #[error("device id {id:?} was revoked on {since} ({reason})")]
    Revoked {
        /// The device.
        id: String,
        /// The day.
        since: String,
        /// The reason.
        reason: &'static str,
    },
    /// Somebody else has the key.
    #[error("the key of device id {id:?} is that of {holder} too")]
    SharedKey {
        /// The device.
        id: String,
        /// Who has it: `the CA line`, `the device "gw-1"`.
        holder: String,
    },
    /// A revoked certificate is for the key.
    #[error("the key of device id {id:?} belongs to a revoked certificate, {serial} of {holder}")]
    RevokedKey {
        /// The device.
        id: String,
        /// The serial number of the revoked certificate.
        serial: Serial,
        /// Whose it is.
        holder: String,
    },
    /// The signing policy or a name constraint of the CA.
    #[error("device id {id:?}: {source}")]
    Policy {
        /// The device.
        id: String,
        /// The rule.
        source: Box<PolicyError>,
    },
    /// No profile comes with the library under the name that devices get by default.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    /// The clock is not believed.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The CA cannot sign it.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A certificate in the registry that cannot be read.
    #[error("a certificate in the registry cannot be read: {0}")]
    Recorded(#[from] CertError),
    /// The PKI directory, or a CA in it that must not sign.
    #[error(transparent)]
    Authority(Box<AuthorityError>),
}

impl Failure for RequestError {
    fn fault(&self) -> Fault {
        match self {
            Self::AlreadyIssued { .. }
            | Self::Replaced { .. }
            | Self::Twin { .. }
            | Self::IsServer { .. }
            | Self::Revoked { .. }
            | Self::SharedKey { .. }
            | Self::RevokedKey { .. }
            | Self::Policy { .. } => Fault::Refusal,
            Self::Several(_)
            | Self::NoCommonName
            | Self::CommonNames(_)
            | Self::SubjectWithCommonName => Fault::Input,
            Self::Profile(e) => e.fault(),
            Self::Read(e) => e.fault(),
            Self::Csr(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::CommonName(e) | Self::NewId(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::Clock(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Recorded(e) => e.fault(),
            Self::Authority(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Several(_) => "send one request at a time".into(),
            Self::NoCommonName => Hint::give("name the device", Setting::DeviceId),
            Self::CommonNames(_) => Hint::give("say which is the device's id", Setting::DeviceId),
            Self::SubjectWithCommonName => "leave the common name out, and give the id".into(),
            Self::AlreadyIssued { .. } => "a certificate in its place has to be asked for".into(),
            Self::Replaced { .. } => Hint::run("see what it has now", Task::ListDevices),
            Self::IsServer { .. } => "give the device another id".into(),
            Self::Twin { .. } => Hint::run("write it as it is listed", Task::ListDevices)
                .then("or give the device another id"),
            Self::Revoked { .. } => Hint::give(
                "if it is to get a new certificate, issue it by its id",
                Setting::Replace,
            ),
            Self::SharedKey { .. } => "have each device make a key of its own".into(),
            Self::RevokedKey { .. } => {
                "have the device make a new key, and a request with it".into()
            }
            Self::Recorded(_) => Hint::run("see which it is", Task::CheckRegistry),
            Self::Profile(e) => return e.hint(),
            Self::Read(e) => return e.hint(),
            Self::Csr(e) => return e.hint(),
            Self::Crypto(e) => return e.hint(),
            Self::CommonName(e) | Self::NewId(e) => return e.hint(),
            Self::Name(e) => return e.hint(),
            Self::Policy { source, .. } => return source.hint(),
            Self::Clock(e) => return e.hint(),
            Self::Issue(e) => return e.hint(),
            Self::Authority(e) => return e.hint(),
        })
    }
}

impl RequestError {
    /// Whether the request is at fault and the same one will be refused again, rather than the PKI directory or
    /// its surroundings.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::Several(_)
            | Self::Csr(_)
            | Self::Crypto(_)
            | Self::NoCommonName
            | Self::CommonNames(_)
            | Self::CommonName(_)
            | Self::NewId(_)
            | Self::SubjectWithCommonName
            | Self::Name(_)
            | Self::AlreadyIssued { .. }
            | Self::Replaced { .. }
            | Self::Twin { .. }
            | Self::IsServer { .. }
            | Self::Revoked { .. }
            | Self::SharedKey { .. }
            | Self::RevokedKey { .. }
            | Self::Policy { .. }
            | Self::Issue(IssueError::AltName(_)) => true,
            Self::Profile(_)
            | Self::Clock(_)
            | Self::Issue(_)
            | Self::Recorded(_)
            | Self::Authority(_) => false,
        }
    }
}

impl From<AuthorityError> for RequestError {
    fn from(e: AuthorityError) -> Self {
        Self::Authority(Box::new(e))
    }
}

impl From<RegistryError> for RequestError {
    fn from(e: RegistryError) -> Self {
        AuthorityError::from(e).into()
    }
}
