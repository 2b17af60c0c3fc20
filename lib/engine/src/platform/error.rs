//! Why the platform could not be asked, or said no.

use super::Method;
use crate::failure::{Failure, Fault, Hint, Setting, Task};
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
    BadRoots(String),
    /// The address of a proxy.
    #[error("{proxy:?} is not the address of a proxy: {problem}")]
    BadProxy {
        /// What was given.
        proxy: String,
        /// What is wrong with it.
        problem: String,
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
        reason: String,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} gives no connection to {host}: {reason}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Host and port behind it.
        host: String,
        /// What it said.
        reason: String,
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
    #[error("the TLS certificate of {host} is not trusted: {reason}")]
    Untrusted {
        /// Host and port.
        host: String,
        /// Why not.
        reason: String,
        /// Whether another trust anchor would help.
        unknown_issuer: bool,
    },
    /// The handshake failed for another reason.
    #[error("no TLS connection to {host}: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// What went wrong.
        reason: String,
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
        reason: String,
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
    #[error("interrupted while waiting for {host}: {reason}")]
    Stopped {
        /// Host and port.
        host: String,
        /// What was waited for.
        reason: String,
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
        problem: String,
    },
    /// A text of the tenant that a CA must not sign.
    #[error("{host} gives a text that is no verification code, and nothing was signed: {problem}")]
    Code {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        #[source]
        problem: super::pop::CodeError,
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
        reason: String,
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

impl Failure for PlatformError {
    fn fault(&self) -> Fault {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } | Self::Proxy { .. } => Fault::Unreached,
            Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::EnrolmentLost { .. }
            | Self::Unavailable { status: 502 | 504, .. } => Fault::Lost,
            Self::Unavailable { .. } => Fault::Busy,
            Self::Runtime(_) | Self::Stopped { .. } | Self::Refused { status: 500.., .. } => {
                Fault::Environment
            }
            Self::Tls { .. }
            | Self::Answer { .. }
            | Self::Untrusted { unknown_issuer: false, .. } => Fault::Stranger,
            Self::Untrusted { .. } => Fault::Untrusted,
            Self::DeviceCertificate { .. } => Fault::Unclear,
            Self::Refused { .. }
            | Self::NotProven { .. }
            | Self::Code { .. }
            | Self::AuthorityOff
            | Self::NoAuthorityFeature { .. }
            | Self::NoAuthority
            | Self::AuthorityNotRenewed { .. }
            | Self::NotRegistered { .. }
            | Self::ChainUnread { .. }
            | Self::NoTokens { .. }
            | Self::NotAutoRegistered { .. }
            | Self::OtherOfCa { .. }
            | Self::InAnotherTenant { .. } => Fault::Refusal,
            Self::Csr(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::BadHost { .. }
            | Self::BadRoots(_)
            | Self::BadProxy { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::BadLogin { .. }
            | Self::OtherTenant { .. }
            | Self::NotThere { .. }
            | Self::OtherKey { .. }
            | Self::OneTimePassword { .. }
            | Self::DeviceToken { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let hint = match self {
            Self::BadHost { .. } => "for example https://acme.eu-latest.cumulocity.com",
            Self::BadRoots(_) => "give a PEM file with the CA that signed the server's certificate",
            Self::BadProxy { .. } => "for example http://proxy.example.com:3128",
            Self::Resolve { .. } => {
                return Some(
                    Hint::give("is the host spelled right?", Setting::Host)
                        .then("does this machine reach a DNS?"),
                );
            }
            Self::Connect { .. } => {
                "check the port, and whether there is a firewall or a proxy (HTTPS_PROXY) in between"
            }
            Self::Proxy { .. } => "check HTTPS_PROXY; hosts in NO_PROXY are reached directly",
            Self::Timeout { .. } => {
                return Some(Hint::give("try again, or give it more time", Setting::Timeout));
            }
            Self::Untrusted { unknown_issuer: true, .. } => {
                let task = Task::FetchServer { address: Some("HOST:443".to_owned()) };
                return Some(
                    Hint::give("if it is your own or your proxy's CA, give it", Setting::ServerCas)
                        .then(Hint::run("see what is presented", task)),
                );
            }
            Self::Unauthorized { .. } => {
                return Some(
                    Hint::give("check the login (tokens expire)", Setting::Login).then(Hint::give(
                        "the tenant's id has to be of this host",
                        Setting::Tenant,
                    )),
                );
            }
            Self::Forbidden { role: Some(role), .. } => {
                return Some(format!("ask an administrator of the tenant for {role}").into());
            }
            Self::Forbidden { role: None, .. } => {
                "ask an administrator of the tenant for the right"
            }
            Self::Tls { .. } => "is it the address and the port of a tenant?",
            Self::DeviceToken { .. } => {
                "a device gets its token with its certificate; it is good for an hour and for this \
                 device only"
            }
            Self::DeviceCertificate { .. } => {
                return Some(Hint::run("see the likely causes, step by step", Task::CheckDevice));
            }
            Self::ChainUnread { .. } => {
                "check whether a proxy in between changes header fields; if the device's issuer is \
                 uploaded, present the certificate alone"
            }
            Self::NoTokens { .. } => {
                return Some(
                    Hint::say("the feature may be off: ask the operator of the platform")
                        .then(Hint::omit("or let the device ask over MQTT", Setting::Https)),
                );
            }
            Self::NotAutoRegistered { .. } => {
                return Some(Hint::run("register the device", Task::UploadRegistration).then(
                    Hint::run(
                        "or switch auto-registration on",
                        Task::AllowAutoRegistration { name: None },
                    ),
                ));
            }
            Self::Answer { .. } => "is it the address of a tenant, and not of a proxy or portal?",
            Self::Code { .. } => {
                return Some(
                    Hint::say("check that the address is that of your tenant")
                        .then(Hint::run("ask for another code", Task::NewCode))
                        .then("if that is refused too, ask the operator of the tenant"),
                );
            }
            Self::Unavailable { .. } => "try again later",
            Self::OtherOfCa { .. } => {
                return Some(Hint::run("upload the new one beside it", Task::UploadCa));
            }
            Self::NotThere { .. } => return Some(Hint::run("upload it first", Task::UploadCa)),
            Self::InAnotherTenant { .. } => "remove it there, or give this tenant a CA of its own",
            Self::OtherKey { .. } => "give the key of the CA whose certificate is proven",
            Self::BadLogin { .. } => "is there a line end or a control character in it?",
            Self::OtherTenant { .. } => {
                return Some(Hint::give(
                    "correct the tenant's id, or leave it out",
                    Setting::Tenant,
                ));
            }
            Self::Stopped { .. } => "run the same command again",
            Self::NotProven { .. } => {
                return Some(Hint::run("see it", Task::ListTrusted).then("and try once more"));
            }
            Self::OneTimePassword { .. } => {
                return Some(one_time_password());
            }
            Self::AuthorityOff => {
                return Some(
                    Hint::run("switch it on", Task::EnableAuthority)
                        .then("whether the platform allows it to a tenant is up to its operator"),
                );
            }
            Self::NoAuthorityFeature { .. } => {
                return Some(
                    Hint::say("ask the operator whether this platform is new enough")
                        .then(Hint::run("a CA of your own needs no such feature", Task::InitCa)),
                );
            }
            Self::NoAuthority => return Some(Hint::run("make it", Task::CreateAuthority)),
            Self::AuthorityNotRenewed { .. } => {
                "it is renewed only when less than 18 months are left; the platform does so by itself each \
                 2 October"
            }
            Self::NotRegistered { .. } => {
                let delete = "if it is registered already, delete the device and its user device_ID at the tenant first";
                return Some(
                    Hint::say(delete)
                        .then(Hint::run("see the requests that are open", Task::ListRegistrations)),
                );
            }
            Self::EnrolmentLost { .. } => {
                let add = "if the one-time password is used up by then, register the device with a new one";
                return Some(Hint::say("run it again").then(Hint::run(add, Task::AddRegistration)));
            }
            Self::Csr(e) => return e.hint(),
            Self::Crypto(e) => return e.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}

/// What to do where an enrolment was refused.
fn one_time_password() -> Hint {
    Hint::say("a one-time password is good for one enrolment, and the device has to be registered with it")
        .then(Hint::run("see what is open or BLOCKED", Task::ListRegistrations))
        .then(Hint::run("make a new one", Task::AddRegistration))
        .then("a device that was enrolled before has to be deleted at the tenant first, with its user")
}
