//! Why the service does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::clock::rfc3339;
use crate::crypto::CryptoError;
use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};
use crate::files::{FileError, reason};
use crate::list::ListError;
use crate::pki::AuthorityError;
use crate::read::ReadError;
use crate::registration::RegistrationError;
use crate::registry::{RegistryError, ServerNameError};

/// Why the service does not start, or does not take a file that was replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", reason(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no threads.
    #[error("cannot start the threads of the service: {}", reason(.0))]
    Threads(#[source] io::Error),
    /// The registry has no live certificate of that server.
    #[error("the registry has no live certificate of the server {0:?}")]
    NoServer(String),
    /// The files of that server were put nowhere that is known.
    #[error("the registry does not know where the files of the server {0:?} are")]
    NoFolder(String),
    /// The file of the service's certificate, or that of its key, cannot be read.
    #[error("{source}")]
    Unread {
        /// What names the file.
        setting: Setting,
        /// Why.
        source: FileError,
    },
    /// It holds no certificate or no key that can be used.
    #[error("{}: {source}", path.display())]
    Identity {
        /// What names the file.
        setting: Setting,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
    },
    /// The key is not that of the certificate.
    #[error("the key in {} is not the key of the certificate in {}", key.display(), chain.display())]
    OtherKey {
        /// The file with the certificate.
        chain: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// The certificate of the service is not valid now.
    #[error("the certificate in {} is valid from {} until {}", path.display(), rfc3339(*from), rfc3339(*until))]
    NotNow {
        /// The file.
        path: PathBuf,
        /// Its first moment.
        from: OffsetDateTime,
        /// Its last moment.
        until: OffsetDateTime,
    },
    /// The certificate of the service is not for TLS servers.
    #[error("the certificate in {} is not for TLS servers: it does not have the usage serverAuth", .0.display())]
    NotForServers(PathBuf),
    /// TLS does not take the certificate or its key.
    #[error("TLS cannot use the certificate in {}: {problem}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        problem: Underlying,
    },
    /// A file of one-time passwords without one.
    #[error("no device in {} has a one-time password", .0.display())]
    NoPasswords(PathBuf),
    /// A name that no token has.
    #[error(
        "token name {0:?} is not 1 to 64 letters, digits, dots, underscores or hyphens of ASCII"
    )]
    TokenName(String),
    /// There is a token of that name.
    #[error("there is a token {0:?} already")]
    TokenExists(String),
    /// There is no token of that name.
    #[error("there is no token {0:?}")]
    NoToken(String),
    /// A CA is no client.
    #[error("the certificate is that of a CA: a CA is no client of the API")]
    ClientIsCa,
    /// The certificate of a client is not for TLS clients.
    #[error("the certificate is not for TLS clients: it does not have the usage clientAuth")]
    NotForClients,
    /// The certificate of a client has ended.
    #[error("the certificate has ended on {}", rfc3339(*.0))]
    ClientEnded(OffsetDateTime),
    /// A device is no client.
    #[error("the key of the certificate is that of {0}: a device is no client of the API")]
    ClientIsDevice(String),
    /// The certificate is let in already.
    #[error("the certificate is known already, as {0:?}")]
    ClientExists(String),
    /// Nothing that a token can be good for.
    #[error("role {0:?} is not issue, read or revoke")]
    TokenRole(String),
    /// The file of tokens.
    #[error("{}: {problem}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// The backend.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The list of one-time passwords.
    #[error(transparent)]
    List(#[from] ListError),
    /// A one-time password that cannot be used.
    #[error(transparent)]
    Password(#[from] RegistrationError),
    /// A name that no server has.
    #[error(transparent)]
    ServerName(#[from] ServerNameError),
    /// The PKI directory.
    #[error(transparent)]
    Pki(#[from] AuthorityError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Failure for ServeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Listen { .. } | Self::Threads(_) => Fault::Environment,
            Self::NoServer(_)
            | Self::NoFolder(_)
            | Self::OtherKey { .. }
            | Self::NotNow { .. }
            | Self::NotForServers(_)
            | Self::Tls { .. }
            | Self::NoPasswords(_)
            | Self::TokenName(_)
            | Self::TokenExists(_)
            | Self::NoToken(_)
            | Self::ClientIsCa
            | Self::NotForClients
            | Self::ClientEnded(_)
            | Self::ClientIsDevice(_)
            | Self::ClientExists(_)
            | Self::TokenRole(_)
            | Self::TokenFile { .. } => Fault::Input,
            Self::Crypto(e) => e.fault(),
            Self::Unread { source, .. } => source.fault(),
            Self::Identity { source, .. } => source.fault(),
            Self::File(e) => e.fault(),
            Self::List(e) => e.fault(),
            Self::Password(e) => e.fault(),
            Self::ServerName(e) => e.fault(),
            Self::Pki(e) => e.fault(),
            Self::Registry(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "stop what listens there, or choose another port".into()
            }
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "choose a port above 1023, or give the program the right (CAP_NET_BIND_SERVICE)"
                    .into()
            }
            Self::Listen { .. } => "choose an address of this computer".into(),
            Self::Threads(_) => return None,
            Self::NoServer(_) => Hint::run("see what there is", Task::ListServers),
            Self::NoFolder(_) => "name the files of its certificate and of its key".into(),
            Self::OtherKey { .. } => {
                Hint::give("name the certificate of that key", Setting::ServiceCertificate)
                    .then(Hint::give("or the key of that certificate", Setting::ServiceKey))
            }
            Self::Identity { source, .. } if source.is_about_password() => Hint::run(
                "the service starts without asking: take its password off",
                Task::DecryptKey,
            ),
            Self::Identity { setting, .. } | Self::Unread { setting, .. } => {
                let what = match setting {
                    Setting::ServiceKey => {
                        "name the file with the key of the service's certificate"
                    }
                    _ => "name the file with the service's certificate and those above it",
                };
                Hint::give(what, *setting)
            }
            Self::NotNow { .. } => "renew it".into(),
            Self::NotForServers(_) | Self::Tls { .. } => {
                "issue the service a certificate with the profile server".into()
            }
            Self::NoPasswords(_) => "give it a column ENROLLMENT_OTP".into(),
            Self::TokenName(_) => "give it another name".into(),
            Self::TokenExists(_) => Hint::say("give it another name")
                .then(Hint::run("or see all of them", Task::ListTokens)),
            Self::NoToken(_) => Hint::run("see all of them", Task::ListTokens),
            Self::ClientIsCa | Self::NotForClients | Self::ClientIsDevice(_) => {
                "give the certificate that the client shows, with a key of its own".into()
            }
            Self::ClientEnded(_) => "give the one that the client has now".into(),
            Self::ClientExists(_) => Hint::run("see all of them", Task::ListTokens),
            Self::TokenRole(_) => "give one of these".into(),
            Self::TokenFile { .. } => {
                "put back the file from a backup, or remove it and make all tokens anew".into()
            }
            Self::Crypto(e) => return e.hint(),
            Self::File(e) => return e.hint(),
            Self::List(e) => return e.hint(),
            Self::Password(e) => return e.hint(),
            Self::ServerName(e) => return e.hint(),
            Self::Pki(e) => return e.hint(),
            Self::Registry(e) => return e.hint(),
        })
    }
}
