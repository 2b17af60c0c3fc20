//! Why a rollout ends, or does not begin.

use super::judged::Judged;
use super::occupied::Occupied;
use std::path::PathBuf;

use crate::cert::LongestChain;
use crate::crypto::CryptoError;
use crate::failure::{Example, Failure, Fault, Hint, Setting, Task};
use crate::files::FileError;
use crate::key::pkcs11::Pkcs11Error;
use crate::pki::AuthorityError;
use crate::platform::PlatformError;
use crate::platform::register::results::ResultError;
use crate::platform::trusted::TrustProblem;
use crate::profile::ProfileError;
use crate::provision::ProvisionError;
use crate::read::ReadError;
use crate::registration::RegistrationError;
use crate::registry::RegistryError;
use crate::secret::{NoPassword, WeakPassword};

/// Why a rollout cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// A fault in the file, with its line.
    #[error("{file} line {line}: {problem}")]
    Spec {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A CA of the file whose devices would present too many certificates.
    #[error(
        "{file}: a device of the CA {name:?} would present {length} certificates; the platform takes at most \
         {longest}"
    )]
    ChainTooLong {
        /// The file.
        file: String,
        /// The CA.
        name: String,
        /// How many certificates.
        length: usize,
        /// How many there may be.
        longest: LongestChain,
    },
    /// A CA is there, but not as the file wants it.
    #[error("the CA {name:?} has the subject {found}; {file} wants {wanted}")]
    OtherSubject {
        /// Its name.
        name: String,
        /// The file.
        file: String,
        /// Its subject.
        found: String,
        /// The subject in the file.
        wanted: String,
    },
    /// A CA of the file that is not there, while another CA has its subject.
    #[error(
        "{file} wants a CA {name:?} with the subject {subject}, which the CA {other:?} has already: a second CA of that \
         subject would have another key, and devices of one would not be accepted as those of the other"
    )]
    SecondCa {
        /// The file.
        file: String,
        /// The CA's name in the file.
        name: String,
        /// The subject.
        subject: String,
        /// The CA that has it.
        other: String,
        /// Whether that one is in the PKI directory and no longer named in the file.
        renamed: bool,
    },
    /// A file with the key of something else.
    #[error("{} holds a key that is not that of the CA {ca}", path.display())]
    AnotherKey {
        /// The CA.
        ca: String,
        /// The file.
        path: PathBuf,
    },
    /// Devices that would outlive their CA.
    #[error("{file}: `days` under [devices] is {days}, but the CA {ca} ends on {end}")]
    Days {
        /// The file.
        file: String,
        /// What it asks for.
        days: u32,
        /// The CA.
        ca: String,
        /// The day on which it ends.
        end: time::Date,
        /// The most that it allows.
        most: i64,
    },
    /// No CA of the devices would be trusted.
    #[error(
        "{file}: `cas` under [tenant] is {}, but the devices are issued by {ca}: the tenant {tenant} would refuse all of them",
        cas.join(", ")
    )]
    NoAnchor {
        /// The file.
        file: String,
        /// The tenant.
        tenant: String,
        /// The CA of the devices.
        ca: String,
        /// The CAs that the file uploads.
        cas: Vec<String>,
    },
    /// A CA of the file that is not there, though the registry has one of its subject.
    #[error(
        "{file} wants a CA {name:?} with the subject {subject}: the registry has issued it, and the PKI directory \
         {} has it no more. A new one would have another key, and devices of the former one would not be accepted as \
         its own", pki.display()
    )]
    LostCa {
        /// The file.
        file: String,
        /// The CA's name in the file.
        name: String,
        /// The subject.
        subject: String,
        /// The PKI directory.
        pki: PathBuf,
    },
    /// A file with several tenants, and none of them or an unknown one is named.
    #[error("{}", which_tenant(.file, .wanted.as_deref(), .known))]
    WhichTenant {
        /// The file.
        file: String,
        /// The name that is asked for.
        wanted: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The password file of CAs that exist is not there: a new password would not open their keys.
    #[error(
        "the password file {} does not exist, and the key of the CA {ca:?} is under the password that it held: a new \
         one would not open it", path.display()
    )]
    PasswordLost {
        /// The file.
        path: PathBuf,
        /// A CA that exists.
        ca: String,
    },
    /// A CA is there under another parent.
    #[error("the CA {name:?} is below {found}; {file} wants it below {wanted}")]
    OtherParent {
        /// Its name.
        name: String,
        /// The file.
        file: String,
        /// The CA above it.
        found: String,
        /// The parent in the file.
        wanted: String,
    },
    /// A password file that does not exist and is not to be made.
    #[error("the password file {0} does not exist")]
    NoPassword(String),
    /// A password file that holds none.
    #[error("the password file {} gives no password: {problem}", path.display())]
    BadPassword {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: NoPassword,
    },
    /// A password for keys of new CAs that is too weak.
    #[error("{}: {source}", path.display())]
    Weak {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeakPassword,
    },
    /// A CA whose key is in a token, without a PIN for that.
    #[error("the key of the CA {0:?} is in a token, and the file names no PIN")]
    NoPin(String),
    /// The file of the PIN is not there.
    #[error("the file with the token's PIN, {0}, does not exist")]
    NoPinFile(String),
    /// Keys in two tokens, for which there is one PIN.
    #[error(
        "the keys of the CAs {first:?} and {second:?} are in different tokens, and there is one PIN"
    )]
    TwoTokens {
        /// A CA.
        first: String,
        /// Another one.
        second: String,
    },
    /// A CA whose key is in a token that nothing leads to.
    #[error("{}: the URI has no module-path", .0.display())]
    NoModule(PathBuf),
    /// A token, looked at.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
    /// A CA whose key is in a file, and should be in a token.
    #[error("the key of the CA {name:?} is in a file; {file} wants it in a token")]
    NotInToken {
        /// Its name.
        name: String,
        /// The rollout file.
        file: String,
    },
    /// A certificate to trust that cannot be read.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
    },
    /// The registration CSV has something that the platform refuses.
    #[error("the platform would not take {file} line {line}: {problem}")]
    NotTaken {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The tenant.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A CA that the platform would refuse.
    #[error(transparent)]
    Trust(#[from] TrustProblem),
    /// The platform refuses the chain of a device, before the others are made.
    #[error(
        "the platform does not accept the chain of {}, one of the devices of the CA {:?}: {}; our own check \
         says {}: {}",
        .0.device, .0.ca, .0.no(), .0.ours(), .0.compared.ours.detail
    )]
    ChainRefused(Box<Judged>),
    /// A place to which the rollout does not write.
    #[error(transparent)]
    Place(#[from] Occupied),
    /// The result file of the registration.
    #[error(transparent)]
    Results(#[from] ResultError),
    /// A profile of the user's own.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The PKI directory and its CAs.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The devices.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The registration CSV.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
    /// Making a password.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

fn which_tenant(file: &str, wanted: Option<&str>, known: &[String]) -> String {
    let known: Vec<String> = known.iter().map(|name| format!("[tenant.{name}]")).collect();
    match (wanted, known.is_empty()) {
        (Some(wanted), true) => {
            format!("{file} has no tenants with names, but {wanted:?} is asked for")
        }
        (Some(wanted), false) => {
            format!("{file} has no [tenant.{wanted}]; it has {}", known.join(", "))
        }
        (None, _) => format!("{file} has several tenants: {}", known.join(", ")),
    }
}

impl Failure for RolloutError {
    fn fault(&self) -> Fault {
        match self {
            Self::ChainRefused(_) => Fault::Refusal,
            Self::Weak { source, .. } => source.fault(),
            Self::Certificate { source, .. } => source.fault(),
            Self::Pkcs11(e) => e.fault(),
            Self::Platform(e) => e.fault(),
            Self::Trust(e) => e.fault(),
            Self::Place(e) => e.fault(),
            Self::Results(e) => e.fault(),
            Self::Profile(e) => e.fault(),
            Self::Authority(e) => e.fault(),
            Self::Provision(e) => e.fault(),
            Self::Registration(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::File(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::Spec { .. }
            | Self::ChainTooLong { .. }
            | Self::OtherSubject { .. }
            | Self::SecondCa { .. }
            | Self::LostCa { .. }
            | Self::NoAnchor { .. }
            | Self::AnotherKey { .. }
            | Self::Days { .. }
            | Self::WhichTenant { .. }
            | Self::PasswordLost { .. }
            | Self::OtherParent { .. }
            | Self::NoPassword(_)
            | Self::BadPassword { .. }
            | Self::NoPin(_)
            | Self::NoPinFile(_)
            | Self::TwoTokens { .. }
            | Self::NoModule(_)
            | Self::NotInToken { .. }
            | Self::NotTaken { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::ChainTooLong { .. } => Some(
                "put it under a CA nearer to the root; if the installation takes longer chains, say so at the \
                 beginning of the file: `longest_chain = N`"
                    .into(),
            ),
            Self::SecondCa { other, name, renamed: true, .. } => Some(
                Hint::run(
                    "if it is the same CA under a new name, rename it",
                    Task::RenameCa { from: other.clone(), to: name.clone() },
                )
                .then(Hint::give("if a second CA is really meant", Setting::SecondCa)),
            ),
            Self::AnotherKey { .. } => Some("put its own key back from a backup".into()),
            Self::NoAnchor { ca, .. } => {
                Some(format!("add {ca} to `cas`, or a CA above it").into())
            }
            Self::Days { most, .. } => Some(match most {
                0 => "renew the CA first".into(),
                most => format!("give at most {most}, or leave `days` out: then it is shortened").into(),
            }),
            Self::LostCa { .. } => Some(
                Hint::say("put the CA's directory back from a backup")
                    .then(Hint::run("see what is missing", Task::CheckRegistry))
                    .then(Hint::give("or, if a second CA is really meant", Setting::SecondCa)),
            ),
            Self::SecondCa { .. } => Some(
                Hint::say("give it another subject")
                    .then(Hint::give("or, if a second CA is really meant", Setting::SecondCa)),
            ),
            Self::WhichTenant { known, .. } if known.is_empty() => None,
            Self::WhichTenant { known, .. } => Some(Hint::give(
                format!("name one of {}", known.join(", ")),
                Setting::RolloutTenant,
            )),
            Self::PasswordLost { .. } => {
                Some("put the password back into that file, or correct its path".into())
            }
            Self::NoPinFile(_) => Some(
                "write the PIN of the token into it; a rollout makes no PIN".into(),
            ),
            Self::NoModule(_) => {
                Some("append ?module-path=FILE: a rollout takes the module from there".into())
            }
            Self::Pkcs11(e) => e.hint(),
            Self::TwoTokens { .. } => Some(
                Hint::say("use one token")
                    .then(Hint::run("or make the CAs one by one", Task::InitCa))
                    .then(Hint::run(
                        "and the devices",
                        Task::IssueDevice { id: "ID".to_owned(), replace: false },
                    )),
            ),
            Self::OtherSubject { .. } | Self::OtherParent { .. } | Self::NotInToken { .. } => Some(
                "a CA cannot be changed: give the new one another name, or correct the file"
                    .into(),
            ),
            Self::NoPassword(_) => Some(
                "write the password into it, or set `create = true` under [passwords]".into(),
            ),
            Self::BadPassword { .. } => Some("write it into the file's first line".into()),
            Self::Weak { source, .. } => source.hint(),
            Self::NoPin(_) => {
                Some("name the file that holds it: `pin = \"FILE\"` under [passwords]".into())
            }
            Self::Spec { .. } => {
                Some(Hint::run("start from a complete file", Task::PrintExample(Example::Rollout)))
            }
            Self::NotTaken { .. } => Some("correct the device list, and run it again".into()),
            Self::Platform(e) => e.hint(),
            Self::Trust(e) => e.hint(),
            Self::ChainRefused(_) => Some(
                Hint::say("no other device was made: correct what is wrong")
                    .then(Hint::run("ask again", Task::VerifyAtTenant))
                    .then(
                        "then run the same command again: the certificate that was judged is kept and used",
                    ),
            ),
            Self::Place(e) => e.hint(),
            Self::Results(e) => e.hint(),
            Self::Certificate { source, .. } => source.hint(),
            Self::Profile(e) => e.hint(),
            Self::Authority(e) => e.hint(),
            Self::Provision(e) => e.hint(),
            Self::Registration(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::File(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
        }
    }
}
