//! What can go wrong with a PKI directory.

use std::path::PathBuf;

use super::MAX_NAME;
use super::policy::PolicyError;
use super::shared_error::SharedError;
use crate::cert::LongestChain;
use crate::chain::Refusal;
use crate::crl::CrlError;
use crate::crypto::{CryptoError, KeyType};
use crate::csr::{CaAskedError, CsrError};
use crate::failure::{Failure, Fault, Hint, Permission, Setting, Task, Underlying};
use crate::files::FileError;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::key::pkcs11::Pkcs11Error;
use crate::name::Name;
use crate::read::ReadError;
#[cfg(feature = "postgres")]
use crate::registry::AddressError;
use crate::registry::RegistryError;

/// What can go wrong with a PKI directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// No PKI directory there.
    #[error("{} is not a PKI directory: it has no pki.toml", .0.display())]
    NotAPki(PathBuf),
    /// A pki.toml that cannot be read.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// A CA made elsewhere whose devices servers would refuse.
    #[error("no device under this CA can connect: {0}")]
    Unusable(#[source] Box<Refusal>),
    /// Fewer keys in the pool than devices need.
    #[error("{wanted} keys of type {key_type} are needed, and the key pool has {waiting}")]
    PoolTooSmall {
        /// Their type.
        key_type: KeyType,
        /// How many keys wait.
        waiting: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// No CA of that name.
    #[error("there is no CA named {name:?} in {}", pki.display())]
    NoSuchCa {
        /// The name asked for.
        name: String,
        /// The PKI directory.
        pki: PathBuf,
        /// The CAs there are.
        known: Vec<String>,
    },
    /// A CA whose issuer is not in the directory.
    #[error("the CA {name:?} was issued by {issuer}, which is not in this PKI directory")]
    IssuerElsewhere {
        /// Its name.
        name: String,
        /// Its issuer's name.
        issuer: String,
    },
    /// A directory with CAs and without what they have issued.
    #[error("the registry {} must not be used: {what}", path.display())]
    RegistryLost {
        /// The registry's file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The directory has its registry in another place.
    #[error("{} has its registry in {there} already", .dir.display())]
    OtherRegistry {
        /// The directory.
        dir: PathBuf,
        /// Where it is.
        there: String,
    },
    /// A registry that was to be in a database, and is named by something else.
    #[error("{0:?} is not the address of a PostgreSQL database")]
    NoAddress(String),
    /// The address of a registry in a database cannot be used.
    #[cfg(feature = "postgres")]
    #[error("{}: {source}", .path.display())]
    Address {
        /// pki.toml.
        path: PathBuf,
        /// Why.
        source: AddressError,
    },
    /// A registry that is older than the last list that was made from it.
    #[error("the registry is older than what was made from it: {difference}; {refused}")]
    RolledBack {
        /// The CA.
        ca: String,
        /// `no list of line is made`, `line signs nothing`.
        refused: String,
        /// What the list has and the registry has not.
        difference: String,
    },
    /// The last list in a CA's directory cannot be compared with the registry.
    #[error("the last revocation list {} cannot be used: {problem}", path.display())]
    LastList {
        /// The CA.
        ca: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// A CA that waits for its certificate.
    #[error("the CA {name:?} waits for its certificate; its request is {}", request.display())]
    Waiting {
        /// Its name.
        name: String,
        /// The file of its request.
        request: PathBuf,
    },
    /// Certificates of which none is for the key of a CA that waits.
    #[error(
        "none of the certificates is for the key of {name}, which waits for its certificate: there are {}",
        subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NotAnswered {
        /// The CA.
        name: String,
        /// Whose certificates there are.
        subjects: Vec<Name>,
    },
    /// A request of a CA that cannot be read, or cannot be made.
    #[error("{}: {source}", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: CsrError,
    },
    /// A request of a CA elsewhere that cannot be signed.
    #[error(transparent)]
    CaRequest(#[from] CsrError),
    /// A request of a CA elsewhere that asks for what it may not have.
    #[error(transparent)]
    CaAsked(#[from] CaAskedError),
    /// A request whose subject is that of the CA that is to sign it, or of one above.
    #[error(
        "the request is for {0}, and this is the subject of the CA that signs it, or of one above it"
    )]
    SubjectAbove(Name),
    /// A name under which a CA has issued that is not in the directory any more.
    #[error(
        "the registry has certificates that another CA named {0:?} has issued, with another key"
    )]
    NameOfAnother(String),
    /// A CA that must not sign any more.
    #[error("the certificate of {subject} was revoked on {since} ({reason}): it must not sign")]
    Revoked {
        /// Its subject.
        subject: String,
        /// Since when.
        since: String,
        /// Why.
        reason: &'static str,
    },
    /// The name is in use.
    #[error("a CA named {0:?} exists already")]
    NameTaken(String),
    /// A key that another CA, a device or a revoked certificate has.
    #[error("the key of the new CA is that of {0}")]
    KeyTaken(String),
    /// A key of the pool for which there is a certificate already.
    #[error("{}: a certificate was issued for this key before", .0.display())]
    KeyUsed(PathBuf),
    /// The name is not fit for a directory.
    #[error(
        "{0:?} is not a name for a CA: use 1 to {MAX_NAME} of a-z, 0-9, '-' and '_', a letter or digit first"
    )]
    BadName(String),
    /// No directory can have the name on Windows.
    #[error(
        "{0:?} is not a name for a CA: Windows keeps it for a device, and no directory can have it there"
    )]
    NameOfWindows(String),
    /// A device profile for a CA, or the other way round.
    #[error("profile {profile:?} is for a {is}, not for a {wanted}")]
    WrongProfile {
        /// Its name.
        profile: String,
        /// What it is for.
        is: &'static str,
        /// What was to be made.
        wanted: &'static str,
    },
    /// A CA whose devices would present more certificates than the installation takes.
    #[error(
        "a device of the CA {name:?} would present {length} certificates; the platform takes at most {longest}"
    )]
    ChainTooLong {
        /// The CA.
        name: String,
        /// How many certificates.
        length: usize,
        /// How many there may be.
        longest: LongestChain,
    },
    /// A pki.toml with another longest chain than the one that is wanted.
    #[error(
        "{} allows chains of at most {found} certificates, but a longest chain of {wanted} is asked for",
        path.display()
    )]
    OtherLongestChain {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: LongestChain,
        /// What is wanted.
        wanted: LongestChain,
    },
    /// An import that does not fit together.
    #[error("the CA cannot be imported: {0}")]
    Import(String),
    /// What a CA did before that cannot be taken over without losing something.
    #[error("the history of the CA {ca} cannot be imported: {problem}")]
    History {
        /// The CA.
        ca: String,
        /// What is wrong.
        problem: String,
    },
    /// A CA whose key is not in the directory.
    #[error("the key of the CA {ca} is not here: there is no {}", path.display())]
    NoKey {
        /// The CA.
        ca: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// What is not taken from a database that others share.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// A key file.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A key in a token that a file of the directory names.
    #[error("{}: {source}", path.display())]
    KeyUri {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key, or with its token.
        source: Pkcs11Error,
    },
    /// A key in a token.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
    /// A certificate file.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
    },
    /// The signing policy of the issuing CA.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Making a certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Making a CRL.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// Making a key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl AuthorityError {
    /// Whether the directory has a CA of that name.
    pub fn is_name_taken(&self) -> bool {
        matches!(self, Self::NameTaken(_))
    }
}

impl Failure for AuthorityError {
    fn fault(&self) -> Fault {
        match self {
            Self::RolledBack { .. } | Self::LastList { .. } => Fault::Refusal,
            Self::Shared(e) => e.fault(),
            Self::Key { source, .. } => source.fault(),
            Self::KeyUri { source, .. } | Self::Pkcs11(source) => source.fault(),
            Self::Certificate { source, .. } => source.fault(),
            Self::Unusable(refusal) => refusal.fault(),
            Self::Request { source: e, .. } | Self::CaRequest(e) => e.fault(),
            Self::CaAsked(e) => e.fault(),
            Self::Policy(e) => e.fault(),
            Self::File(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Crl(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            #[cfg(feature = "postgres")]
            Self::Address { source, .. } => source.fault(),
            Self::NotAPki(_)
            | Self::Config { .. }
            | Self::PoolTooSmall { .. }
            | Self::NoSuchCa { .. }
            | Self::IssuerElsewhere { .. }
            | Self::RegistryLost { .. }
            | Self::OtherRegistry { .. }
            | Self::NoAddress(_)
            | Self::Waiting { .. }
            | Self::NotAnswered { .. }
            | Self::SubjectAbove(_)
            | Self::NameOfAnother(_)
            | Self::Revoked { .. }
            | Self::NameTaken(_)
            | Self::KeyTaken(_)
            | Self::KeyUsed(_)
            | Self::NoKey { .. }
            | Self::BadName(_)
            | Self::NameOfWindows(_)
            | Self::WrongProfile { .. }
            | Self::ChainTooLong { .. }
            | Self::OtherLongestChain { .. }
            | Self::Import(_)
            | Self::History { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Address { source, .. } => source.hint(),
            Self::NoAddress(_) => {
                Some("it is as postgresql://user@host/database; without one the registry is a file".into())
            }
            Self::OtherRegistry { .. } => {
                Some("leave the address out: the directory knows it".into())
            }
            Self::NotAPki(_) => Some(
                Hint::run("make one", Task::InitCa)
                    .then(Hint::give("or say where it is", Setting::PkiFolder)),
            ),
            Self::NoSuchCa { known, .. } if known.is_empty() => {
                Some(Hint::run("there is none yet: make a root", Task::InitCa))
            }
            Self::NoSuchCa { known, .. } => Some(format!("known CAs: {}", known.join(", ")).into()),
            Self::IssuerElsewhere { name, .. } => Some(
                Hint::run("write a request and have it signed there", Task::RequestCa { ca: name.clone() })
                    .then(Hint::run("take the new certificate in", Task::ImportCa { ca: Some(name.clone()) })),
            ),
            Self::History { .. } => Some(
                "correct that first: a list without it would take a revocation back".into(),
            ),
            Self::RegistryLost { .. } => Some(
                Hint::say("restore a backup of it; nothing else knows what was issued and revoked").then(
                    Hint::run("bring one that is older than the CAs up to date", Task::RepairRegistry),
                ),
            ),
            Self::RolledBack { ca, .. } => Some(
                Hint::run("see what is missing", Task::PreviewRepair)
                    .then(Hint::run("take it over", Task::RepairRegistry))
                    .then(accept("if this registry is right as it is", ca)),
            ),
            Self::LastList { ca, .. } => Some(
                Hint::run(
                    "get the last list from where it was handed out, and put it back with it",
                    Task::RepairByList,
                )
                .then(accept("if it is lost, make one without it, which the audit log keeps", ca)),
            ),
            Self::Waiting { name, .. } => Some(Hint::run(
                "have the CA above sign the request, then take its answer in",
                Task::TakeAnswer { ca: name.clone() },
            )),
            Self::NotAnswered { name, .. } => Some(Hint::run(
                "give the certificate that was made for this very request; see the request again",
                Task::RequestCa { ca: name.clone() },
            )),
            Self::SubjectAbove(_) => Some("have the request made again with a subject of its own".into()),
            Self::Request { source: e, .. } | Self::CaRequest(e) => e.hint(),
            Self::CaAsked(e) => e.hint(),
            Self::NameOfAnother(name) => {
                Some(format!("restore the directory ca/{name} from a backup, or choose another name").into())
            }
            Self::PoolTooSmall { key_type, wanted, .. } => Some(Hint::run(
                "make them first",
                Task::FillPool { key_type: (*key_type).to_string(), count: *wanted },
            )),
            Self::ChainTooLong { .. } => Some(
                "issue from a CA nearer to the root; if the installation takes longer chains, say so in \
                 pki.toml: `longest_chain = N`"
                    .into(),
            ),
            Self::OtherLongestChain { path, wanted, .. } => Some(format!(
                "write `longest_chain = {wanted}` into {}, above the first [section], if that is right for all \
                 its CAs",
                path.display()
            ).into()),
            Self::Revoked { .. } => Some("use another CA, or make a new one".into()),
            Self::NameTaken(_) => Some(
                Hint::say("give the new one another name")
                    .then(Hint::run("see which are in use", Task::ListCas)),
            ),
            Self::KeyUsed(_) => Some(
                "remove this file: its key was used already, and came back to the key pool, perhaps from a backup"
                    .into(),
            ),
            Self::KeyTaken(_) => Some("give each CA its own key".into()),
            Self::NoKey { path, .. } => Some(format!(
                "work where the key is, or bring it: its file to {}, with the mode 0600; or, if it is in a token, the \
                 token's URI into {}",
                path.display(),
                path.with_file_name("key.uri").display()
            ).into()),
            Self::Shared(e) => e.hint(),
            Self::WrongProfile { .. } => {
                Some(Hint::run("see what each is for", Task::ListProfiles))
            }
            Self::Key { source, .. } => source.hint(),
            Self::KeyUri {
                source: Pkcs11Error::NotAModule { .. } | Pkcs11Error::NoModule(_),
                path,
            } => {
                let path = path.display();
                Some(format!("write the path of this machine's module into {path}, as module-path").into())
            }
            Self::KeyUri { source: e, .. } | Self::Pkcs11(e) => e.hint(),
            Self::Certificate { source, .. } => source.hint(),
            Self::Unusable(refusal) => refusal.hint(),
            Self::Policy(e) => e.hint(),
            Self::File(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::Crl(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
            _ => None,
        }
    }
}

/// To make a list although the registry has forgotten what the last one said.
fn accept(what: &'static str, ca: &str) -> Hint {
    Hint::permit(what, Permission::Rollback { ca: ca.to_owned() })
}

impl From<KeyError> for AuthorityError {
    fn from(source: KeyError) -> Self {
        match source {
            KeyError::Crypto(e) => Self::Crypto(e),
            other => Self::Import(other.to_string()),
        }
    }
}
