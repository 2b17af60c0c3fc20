//! What a PKI directory does not take from a database.

use crate::failure::{Failure, Fault, Hint, Task};

/// What a PKI directory does not take from a database that it shares.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// A CA of the same name is another one there.
    #[error(
        "the registry {registry} has another key for {subject} in the chain of the CA {ca} than {file}: nothing is \
         taken from it"
    )]
    OtherKey {
        /// The CA.
        ca: String,
        /// The certificate whose key differs.
        subject: String,
        /// The file with the certificate that is trusted here.
        file: String,
        /// The registry.
        registry: String,
    },
    /// What it has of a CA cannot be used.
    #[error("what the registry {registry} has of the CA {ca} cannot be used: {problem}")]
    Unfit {
        /// The CA.
        ca: String,
        /// The registry.
        registry: String,
        /// What is wrong.
        problem: String,
    },
    /// It has certificates, but nobody has put the CAs there.
    #[error("the registry {0} does not have the certificates of its CAs yet")]
    NoCas(String),
}

impl Failure for SharedError {
    fn fault(&self) -> Fault {
        match self {
            Self::OtherKey { .. } | Self::Unfit { .. } => Fault::Refusal,
            Self::NoCas(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::OtherKey { file, .. } => Hint::say(format!(
                "ask the owner of the database which certificate is right; if it is that of the database, put his \
                 chain.pem and cert.pem in the place of {file}"
            )),
            Self::Unfit { .. } => Hint::say("ask the owner of the database who has changed it"),
            Self::NoCas(_) => {
                Hint::run("in the PKI directory that has the CAs, put them there", Task::PublishCas)
            }
        })
    }
}
