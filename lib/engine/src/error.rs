//! One error over all modules, for callers that only report: a sentence, a hint, and whose fault.

use crate::backup::BackupError;
use crate::cert::{AltNameError, CertError};
use crate::chain::ChainError;
use crate::client_id::ClientIdError;
use crate::clock::ClockError;
use crate::crl::CrlError;
use crate::crypto::CryptoError;
use crate::csr::CsrError;
use crate::device::bootstrap::BootstrapError;
use crate::device::connection::ConnectionError;
use crate::device::credentials::CredentialError;
use crate::device::link::LinkError;
use crate::device::mqtt::MqttError;
use crate::device::service::ServiceError;
use crate::device::smartrest::SmartRestError;
use crate::device::token::TokenError;
use crate::enrolment::folder::FolderError;
use crate::failure::{Failure, Fault, Hint};
use crate::files::FileError;
use crate::in_memory::InMemoryError;
use crate::inspect::InspectError;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::key::pkcs11::Pkcs11Error;
use crate::labels::LabelError;
use crate::list::ListError;
use crate::manifest::ManifestError;
use crate::name::NameError;
use crate::orders::OrderError;
use crate::pki::{AuthorityError, RequestError};
use crate::platform::PlatformError;
use crate::platform::fetch::FetchError;
use crate::platform::register::results::ResultError;
use crate::platform::trusted::TrustProblem;
use crate::platform::webhook::WebhookError;
use crate::profile::ProfileError;
use crate::provision::ProvisionError;
use crate::read::ReadError;
use crate::registration::RegistrationError;
use crate::registry::{RegistryError, ServerNameError};
use crate::rollback::RollbackError;
use crate::rollout::RolloutError;
#[cfg(feature = "sandbox")]
use crate::sandbox::SandboxError;
use crate::secret::WeakPassword;
use crate::selftest::SelfTestError;
#[cfg(feature = "serve")]
use crate::serve::ServeError;
use crate::servers::ServerError;
use crate::store::StoreError;
use crate::store::pkcs7::Pkcs7Error;

macro_rules! errors {
    ($($(#[$when:meta])? $variant:ident($source:ty)),* $(,)?) => {
        /// Any error of this library.
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum Error {
            $(
                $(#[$when])?
                #[doc = concat!("See [`", stringify!($source), "`].")]
                #[error(transparent)]
                $variant(#[from] $source),
            )*
            /// An error that concerns a file.
            #[error("{path}: {source}")]
            In {
                /// The file, as the user wrote it.
                path: String,
                /// The error.
                source: Box<Error>,
            },
        }

        impl Failure for Error {
            fn fault(&self) -> Fault {
                match self {
                    $($(#[$when])? Self::$variant(e) => e.fault(),)*
                    Self::In { source, .. } => source.fault(),
                }
            }

            fn hint(&self) -> Option<Hint> {
                match self {
                    $($(#[$when])? Self::$variant(e) => e.hint(),)*
                    Self::In { source, .. } => source.hint(),
                }
            }
        }
    };
}

errors! {
    AltName(AltNameError),
    Authority(AuthorityError),
    Backup(BackupError),
    Bootstrap(BootstrapError),
    Cert(CertError),
    Chain(ChainError),
    ClientId(ClientIdError),
    Clock(ClockError),
    Connection(ConnectionError),
    Credentials(CredentialError),
    Crl(CrlError),
    Crypto(CryptoError),
    Csr(CsrError),
    Describe(InspectError),
    Fetch(FetchError),
    File(FileError),
    Folder(FolderError),
    InMemory(InMemoryError),
    Issue(IssueError),
    Key(KeyError),
    Label(LabelError),
    Link(LinkError),
    List(ListError),
    Manifest(ManifestError),
    Mqtt(MqttError),
    Name(NameError),
    Order(OrderError),
    Pkcs11(Pkcs11Error),
    Pkcs7(Pkcs7Error),
    Platform(PlatformError),
    Profile(ProfileError),
    Provision(ProvisionError),
    Read(ReadError),
    Registration(RegistrationError),
    Registry(RegistryError),
    Request(RequestError),
    Results(ResultError),
    Rollback(RollbackError),
    Rollout(RolloutError),
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxError),
    SelfTest(SelfTestError),
    #[cfg(feature = "serve")]
    Serve(ServeError),
    Server(ServerError),
    ServerName(ServerNameError),
    Service(ServiceError),
    SmartRest(SmartRestError),
    Store(StoreError),
    Token(TokenError),
    Trust(TrustProblem),
    Weak(WeakPassword),
    Webhook(WebhookError),
}

impl Error {
    /// The same error with the file that it concerns.
    pub fn in_file(self, path: impl Into<String>) -> Self {
        Self::In { path: path.into(), source: Box::new(self) }
    }
}
