//! One error over all modules, for callers that only report: a sentence, a hint, and whose fault.

use crate::authority::AuthorityError;
use crate::cert::CertError;
use crate::chain::ChainError;
use crate::client_id::ClientIdError;
use crate::clock::ClockError;
use crate::crl::CrlError;
use crate::crypto::CryptoError;
use crate::csr::CsrError;
use crate::describe::DescribeError;
use crate::device::bootstrap::BootstrapError;
use crate::device::connection::ConnectionError;
use crate::device::credentials::CredentialError;
use crate::device::link::LinkError;
use crate::device::mqtt::MqttError;
use crate::device::service::ServiceError;
use crate::device::smartrest::SmartRestError;
use crate::device::token::TokenError;
use crate::enrolment::folder::FolderError;
use crate::files::FileError;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::key::pkcs11::Pkcs11Error;
use crate::list::ListError;
use crate::manifest::ManifestError;
use crate::name::NameError;
use crate::platform::PlatformError;
use crate::platform::fetch::FetchError;
use crate::platform::register::results::ResultError;
use crate::platform::trusted::TrustProblem;
use crate::profile::ProfileError;
use crate::provision::ProvisionError;
use crate::read::ReadError;
use crate::registration::RegistrationError;
use crate::registry::RegistryError;
use crate::rollback::RollbackError;
use crate::rollout::RolloutError;
#[cfg(feature = "sandbox")]
use crate::sandbox::SandboxError;
use crate::secret::WeakPassword;
use crate::selftest::SelfTestError;
use crate::store::StoreError;
use crate::store::pkcs7::Pkcs7Error;

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller: another argument, file or password.
    Input,
    /// The environment: a disk, a network, another process. Trying again may help.
    Environment,
    /// Nobody: the platform was asked, and its answer is no.
    Refusal,
}

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

        impl Error {
            /// What the user can do about it.
            pub fn hint(&self) -> Option<String> {
                match self {
                    $($(#[$when])? Self::$variant(e) => e.hint(),)*
                    Self::In { source, .. } => source.hint(),
                }
            }
        }
    };
}

errors! {
    Authority(AuthorityError),
    Bootstrap(BootstrapError),
    Provision(ProvisionError),
    Cert(CertError),
    Chain(ChainError),
    ClientId(ClientIdError),
    Clock(ClockError),
    Connection(ConnectionError),
    Credentials(CredentialError),
    Crl(CrlError),
    Crypto(CryptoError),
    Csr(CsrError),
    Describe(DescribeError),
    Fetch(FetchError),
    File(FileError),
    Folder(FolderError),
    Issue(IssueError),
    Key(KeyError),
    Link(LinkError),
    List(ListError),
    Manifest(ManifestError),
    Mqtt(MqttError),
    Name(NameError),
    Pkcs11(Pkcs11Error),
    Pkcs7(Pkcs7Error),
    Platform(PlatformError),
    Profile(ProfileError),
    Read(ReadError),
    Registration(RegistrationError),
    Registry(RegistryError),
    Results(ResultError),
    Rollback(RollbackError),
    Rollout(RolloutError),
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxError),
    SelfTest(SelfTestError),
    Service(ServiceError),
    SmartRest(SmartRestError),
    Store(StoreError),
    Token(TokenError),
    Trust(TrustProblem),
    Weak(WeakPassword),
}

impl Error {
    /// The same error with the file that it concerns.
    pub fn in_file(self, path: impl Into<String>) -> Self {
        Self::In { path: path.into(), source: Box::new(self) }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Clock(_) => Fault::Environment,
            Self::File(e) | Self::Folder(FolderError::File(e)) => of_file(e),
            Self::Folder(FolderError::Busy { .. }) => Fault::Environment,
            Self::Registry(e) => of_registry(e),
            Self::Crypto(e) | Self::Csr(CsrError::Crypto(e)) => of_crypto(e),
            Self::Authority(e) => of_authority(e),
            Self::Pkcs11(e) => of_pkcs11(e),
            Self::Issue(e) => of_issue(e),
            Self::Manifest(ManifestError::Crypto(e)) => of_crypto(e),
            Self::Manifest(
                ManifestError::Signature(_)
                | ManifestError::OtherIssuer { .. }
                | ManifestError::OtherRow { .. },
            ) => Fault::Refusal,
            Self::Provision(e) => of_provision(e),
            Self::List(e) => of_list(e),
            Self::Fetch(e) if e.is_environment() => Fault::Environment,
            Self::Credentials(e) if e.is_environment() => Fault::Environment,
            Self::Link(e) => of_link(e),
            Self::Mqtt(e) => of_mqtt(e),
            Self::Connection(e) => of_connection(e),
            Self::Token(e) => of_token(e),
            Self::Bootstrap(e) => of_bootstrap(e),
            Self::Platform(e) => of_platform(e),
            Self::Results(e) => of_results(e),
            Self::Rollback(e) => of_rollback(e),
            Self::Rollout(e) => of_rollout(e),
            #[cfg(feature = "sandbox")]
            Self::Sandbox(e) if e.is_environment() => Fault::Environment,
            Self::SelfTest(SelfTestError::NotAllowed { .. }) => Fault::Refusal,
            Self::SelfTest(SelfTestError::Platform(e)) => of_platform(e),
            Self::Describe(e) => of_describe(e),
            Self::Read(ReadError::Key(KeyError::Crypto(e))) => of_crypto(e),
            Self::In { source, .. } => source.fault(),
            _ => Fault::Input,
        }
    }
}

fn of_file(e: &FileError) -> Fault {
    if e.is_input() { Fault::Input } else { Fault::Environment }
}

fn of_registry(e: &RegistryError) -> Fault {
    match e {
        RegistryError::Conflict
        | RegistryError::KeyTaken { .. }
        | RegistryError::Database { .. }
        | RegistryError::NoSpace(_)
        | RegistryError::ReadOnly(_) => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_crypto(e: &CryptoError) -> Fault {
    match e {
        CryptoError::Failed(_) | CryptoError::Token(_) => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_authority(e: &AuthorityError) -> Fault {
    match e {
        AuthorityError::File(e) => of_file(e),
        AuthorityError::Registry(e) => of_registry(e),
        AuthorityError::Crypto(e) => of_crypto(e),
        AuthorityError::Issue(e) => of_issue(e),
        AuthorityError::Crl(CrlError::Issue(e)) => of_issue(e),
        AuthorityError::RolledBack { .. } | AuthorityError::LastList { .. } => Fault::Refusal,
        AuthorityError::KeyUri { source: e, .. } | AuthorityError::Pkcs11(e) => of_pkcs11(e),
        _ => Fault::Input,
    }
}

fn of_issue(e: &IssueError) -> Fault {
    match e {
        IssueError::Crypto(e) => of_crypto(e),
        _ => Fault::Input,
    }
}

fn of_pkcs11(e: &Pkcs11Error) -> Fault {
    match e {
        Pkcs11Error::Crypto(e) => of_crypto(e),
        e if e.is_environment() => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_list(e: &ListError) -> Fault {
    match e {
        ListError::File(e) => of_file(e),
        _ => Fault::Input,
    }
}

fn of_provision(e: &ProvisionError) -> Fault {
    match e {
        ProvisionError::File(e) => of_file(e),
        ProvisionError::List(e) => of_list(e),
        ProvisionError::Registry(e) => of_registry(e),
        ProvisionError::Authority(e) => of_authority(e),
        ProvisionError::Issue(e) => of_issue(e),
        ProvisionError::Busy { .. } | ProvisionError::Write(_) => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_link(e: &LinkError) -> Fault {
    match e {
        LinkError::Alert { .. } => Fault::Refusal,
        e if e.is_environment() => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_mqtt(e: &MqttError) -> Fault {
    match e {
        e if e.is_environment() => Fault::Environment,
        e if e.is_refusal() => Fault::Refusal,
        _ => Fault::Input,
    }
}

fn of_connection(e: &ConnectionError) -> Fault {
    match e {
        ConnectionError::Link(e) => of_link(e),
        ConnectionError::Mqtt(e) => of_mqtt(e),
    }
}

fn of_token(e: &TokenError) -> Fault {
    match e {
        TokenError::Connection(e) => of_connection(e),
        TokenError::Platform(e) => of_platform(e),
        TokenError::NoSmartRest => Fault::Refusal,
        _ => Fault::Environment,
    }
}

fn of_bootstrap(e: &BootstrapError) -> Fault {
    match e {
        BootstrapError::Connection(e) => of_connection(e),
        BootstrapError::NotAccepted { .. } => Fault::Refusal,
        _ => Fault::Environment,
    }
}

fn of_platform(e: &PlatformError) -> Fault {
    match e {
        e if e.is_environment() => Fault::Environment,
        PlatformError::Crypto(e) => of_crypto(e),
        PlatformError::Refused { .. }
        | PlatformError::NotProven { .. }
        | PlatformError::Code { .. }
        | PlatformError::DeviceCertificate { .. }
        | PlatformError::AuthorityOff
        | PlatformError::NoAuthorityFeature { .. }
        | PlatformError::NoAuthority
        | PlatformError::AuthorityNotRenewed { .. }
        | PlatformError::NotRegistered { .. }
        | PlatformError::ChainUnread { .. }
        | PlatformError::NoTokens { .. }
        | PlatformError::NotAutoRegistered { .. }
        | PlatformError::OtherOfCa { .. }
        | PlatformError::InAnotherTenant { .. } => Fault::Refusal,
        _ => Fault::Input,
    }
}

fn of_results(e: &ResultError) -> Fault {
    match e {
        ResultError::File(e) => of_file(e),
        ResultError::Busy(_) => Fault::Environment,
        _ => Fault::Input,
    }
}

fn of_rollback(e: &RollbackError) -> Fault {
    match e {
        RollbackError::File(e) => of_file(e),
        RollbackError::Registry(e) => of_registry(e),
        RollbackError::Authority(e) => of_authority(e),
        RollbackError::Forgotten { .. } => Fault::Refusal,
        _ => Fault::Input,
    }
}

fn of_rollout(e: &RolloutError) -> Fault {
    match e {
        RolloutError::File(e) => of_file(e),
        RolloutError::Registry(e) => of_registry(e),
        RolloutError::Crypto(e) => of_crypto(e),
        RolloutError::Authority(e) => of_authority(e),
        RolloutError::Pkcs11(e) => of_pkcs11(e),
        RolloutError::Provision(e) => of_provision(e),
        RolloutError::Platform(e) => of_platform(e),
        RolloutError::Results(e) => of_results(e),
        RolloutError::ChainRefused(_) => Fault::Refusal,
        _ => Fault::Input,
    }
}

fn of_describe(e: &DescribeError) -> Fault {
    match e {
        DescribeError::Crypto(e) => of_crypto(e),
        _ => Fault::Input,
    }
}
