//! Why the platform could not be asked, or said no.

mod distrust;
mod judged;

pub use distrust::Distrust;

use super::Method;
use super::code::CodeError;
use crate::failure::Underlying;
use crate::shown::Foreign;

/// Why a call did not give what it was made for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// Not the address of a tenant.
    #[error("{host:?} is not the address of a tenant: {problem}")]
    BadHost {
        /// What was given.
        host: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A CA that is to be trusted for TLS, but is none.
    #[error("the certificates to trust cannot be used: {0}")]
    BadRoots(#[source] Underlying),
    /// The address of a proxy.
    #[error("{proxy:?} is not the address of a proxy: {problem}")]
    BadProxy {
        /// What was given.
        proxy: String,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// The system gives no thread to wait with.
    #[error("no thread could be started to ask the platform: {0}")]
    Runtime(#[source] std::io::Error),
    /// The name does not resolve.
    #[error("the host name {host:?} does not resolve")]
    Resolve {
        /// The name.
        host: String,
    },
    /// No TCP connection.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system said.
        #[source]
        reason: Underlying,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} gives no connection to {host}: {reason}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Host and port behind it.
        host: String,
        /// What it said.
        #[source]
        reason: Underlying,
    },
    /// No answer in time.
    #[error("{host} did not answer within {seconds} seconds")]
    Timeout {
        /// Host and port.
        host: String,
        /// The time that it had.
        seconds: u64,
    },
    /// The server's certificate is not trusted.
    #[error("the TLS certificate of {host} is not trusted: {fault}")]
    Untrusted {
        /// Host and port.
        host: String,
        /// Why not.
        #[source]
        fault: Distrust,
    },
    /// The handshake failed for another reason.
    #[error("no TLS connection to {host}: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// What went wrong.
        #[source]
        reason: Underlying,
    },
    /// The connection ended before the answer did.
    #[error("{host} broke off its answer to {method} {path}: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// What was seen.
        #[source]
        reason: Underlying,
    },
    /// The credentials are wrong (401).
    #[error("{host} does not accept {login}")]
    Unauthorized {
        /// Host and port.
        host: String,
        /// Who asked, without the secret.
        login: String,
        /// What the platform said, if it said anything.
        message: Option<Foreign>,
    },
    /// The user may not do that (403).
    #[error("{login} may not {method} {path}: {message}")]
    Forbidden {
        /// Who asked.
        login: String,
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// What the platform said.
        message: Foreign,
        /// The role that is needed, where it is known.
        role: Option<&'static str>,
    },
    /// The platform says no for another reason.
    #[error("the platform answers {method} {path} with {status}: {message}")]
    Refused {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// The HTTP status.
        status: u16,
        /// What the platform said.
        message: Foreign,
    },
    /// User, password or token cannot stand in a request.
    #[error("{login} cannot be sent: it holds a character that HTTP does not take")]
    BadLogin {
        /// Who asked, without the secret.
        login: String,
    },
    /// The login belongs to another tenant than was named.
    #[error("the login belongs to the tenant {found}, not to {wanted}")]
    OtherTenant {
        /// The tenant that was named.
        wanted: String,
        /// The tenant of the login.
        found: String,
    },
    /// The caller stopped it while it waited to try again.
    #[error("interrupted while waiting for {host}: {}", waited_for.in_short())]
    Stopped {
        /// Host and port.
        host: String,
        /// Why it was to be tried again.
        #[source]
        waited_for: Box<PlatformError>,
    },
    /// The server is overloaded or away, and stayed so.
    #[error("{host} is not available: it answers {status}{}", waits(*attempts, *wait))]
    Unavailable {
        /// Host and port.
        host: String,
        /// The HTTP status of the last answer.
        status: u16,
        /// How often it was tried.
        attempts: u32,
        /// How many seconds it asks to wait.
        wait: Option<u64>,
    },
    /// The answer is not what the platform would give.
    #[error("{host} does not answer {method} {path} as Cumulocity does: {problem}")]
    Answer {
        /// Host and port.
        host: String,
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// What is strange about it.
        #[source]
        problem: Underlying,
    },
    /// A text of the tenant that a CA must not sign.
    #[error("{host} gives a text that is no verification code, and nothing was signed: {problem}")]
    Code {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        #[source]
        problem: CodeError,
    },
    /// The proof was submitted and is not complete all the same.
    #[error("the platform took the proof for {fingerprint}, but does not call it complete")]
    NotProven {
        /// SHA-1 of the certificate.
        fingerprint: String,
    },
    /// A certificate that another tenant has.
    #[error(
        "another tenant of this instance holds the certificate {name:?} ({fingerprint}), and only one tenant can"
    )]
    InAnotherTenant {
        /// Its name.
        name: String,
        /// Its SHA-1.
        fingerprint: String,
    },
    /// A certificate that is to be there.
    #[error("the tenant {tenant} has no trusted certificate {fingerprint}")]
    NotThere {
        /// The tenant.
        tenant: String,
        /// SHA-1 of the certificate.
        fingerprint: String,
    },
    /// A certificate that is to be there, in whose place another one of the same CA is.
    #[error(
        "the tenant {tenant} has another certificate of {subject}, of the same name and key ({found}{until}): \
         the CA was renewed"
    )]
    OtherOfCa {
        /// The tenant.
        tenant: String,
        /// Subject of the CA.
        subject: String,
        /// SHA-1 of the one that is there.
        found: String,
        /// Its end, as the rest of a sentence.
        until: String,
    },
    /// The key that is to prove possession.
    #[error("the private key does not belong to the certificate of {subject}")]
    OtherKey {
        /// Subject of the certificate.
        subject: String,
    },
    /// A device that the platform's own CA does not know, or not with that one-time password.
    #[error("{host} does not accept the one-time password of the device {device:?}{}", words(message.as_ref()))]
    OneTimePassword {
        /// Host and port.
        host: String,
        /// The device.
        device: String,
        /// What the platform said, if it said anything.
        message: Option<Foreign>,
    },
    /// The platform's own CA is switched off for the tenant.
    #[error(
        "the platform's own CA (feature certificate-authority) is switched off for this tenant"
    )]
    AuthorityOff,
    /// The platform does not know the feature at all.
    #[error("{host} has no feature certificate-authority, so it has no CA of its own: {message}")]
    NoAuthorityFeature {
        /// Host and port.
        host: String,
        /// What the platform said.
        message: Foreign,
    },
    /// The tenant has no CA of the platform.
    #[error("the tenant has no CA of the platform")]
    NoAuthority,
    /// The platform does not renew its CA.
    #[error("the platform does not renew its CA: {message}")]
    AuthorityNotRenewed {
        /// What the platform said.
        message: Foreign,
        /// The end of the CA, if the platform tells it.
        end: Option<time::OffsetDateTime>,
    },
    /// A device that is already registered, or waits to be.
    #[error("the platform does not register the device {device:?}: {message}")]
    NotRegistered {
        /// The device.
        device: String,
        /// What the platform said.
        message: Foreign,
    },
    /// A token that is no token of the device.
    #[error("{host} does not accept the token as one of the device")]
    DeviceToken {
        /// Host and port.
        host: String,
    },
    /// A client certificate that the platform does not take for one of a device.
    #[error(
        "{host} does not accept the device's certificate: the chain is not valid there, or revoked"
    )]
    DeviceCertificate {
        /// Host and port.
        host: String,
    },
    /// A chain that the platform cannot parse (400 of a token).
    #[error("{host} cannot read the chain in the header X-Ssl-Cert-Chain: {message}")]
    ChainUnread {
        /// Host and port.
        host: String,
        /// What the platform said.
        message: Foreign,
    },
    /// A platform that gives no tokens for certificates (404 of a token).
    #[error("{host} gives no tokens for certificates: {message}")]
    NoTokens {
        /// Host and port.
        host: String,
        /// What the platform said.
        message: Foreign,
    },
    /// A device that is not registered, and could not be registered for its token (422).
    #[error("{host} cannot register the device by itself: {message}")]
    NotAutoRegistered {
        /// Host and port.
        host: String,
        /// What the platform said.
        message: Foreign,
    },
    /// The answer to an enrolment was lost, and with it the one-time password.
    #[error("the answer to the enrolment of {device:?} was lost: {reason}")]
    EnrolmentLost {
        /// The device.
        device: String,
        /// What was seen.
        #[source]
        reason: Underlying,
    },
    /// A request that no CA would accept.
    #[error(transparent)]
    Csr(#[from] crate::csr::CsrError),
    /// The key cannot give the kind of signature that the proof needs.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
}

fn words(message: Option<&Foreign>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

fn waits(attempts: u32, wait: Option<u64>) -> String {
    let tried = match attempts {
        1 => String::new(),
        n => format!(" after {n} attempts"),
    };
    match wait {
        Some(seconds) => format!("{tried} and asks to wait {seconds} seconds"),
        None => tried,
    }
}

impl PlatformError {
    /// Itself, without what it says of attempts and waits: where another one is about to be made.
    pub(super) fn in_short(&self) -> String {
        match self {
            Self::Unavailable { host, status, .. } => format!("{host} answers {status}"),
            other => other.to_string(),
        }
    }

    /// The HTTP status with which the platform refused.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NotAutoRegistered { .. } => Some(422),
            Self::Forbidden { .. } => Some(403),
            Self::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }
}
