//! What a PKI directory has taken from a database, in words.

/// What a PKI directory has taken from a database that it shares, and what was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Brought {
    /// A CA that was not here.
    Added {
        /// Its name.
        ca: String,
        /// The SHA-256 of its certificate, in hex.
        sha256: String,
    },
    /// A CA's new certificates.
    Renewed {
        /// Its name.
        ca: String,
    },
    /// A CA's new name.
    Renamed {
        /// Its former name.
        from: String,
        /// Its name.
        to: String,
    },
    /// A CA's list of revocations.
    List {
        /// The CA.
        ca: String,
        /// The list's number.
        number: u64,
    },
    /// A CA's signing policy.
    Policy {
        /// The CA.
        ca: String,
    },
    /// The directory has another policy, which does not count.
    OtherPolicy {
        /// The CA.
        ca: String,
    },
    /// Something that was not taken.
    NotTaken {
        /// The CA.
        ca: String,
        /// What, and why not.
        problem: String,
    },
}

impl Brought {
    /// Whether somebody has to look at it.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::OtherPolicy { .. } | Self::NotTaken { .. })
    }

    /// It as a sentence, without its end.
    pub fn sentence(&self) -> String {
        match self {
            Self::Added { ca, sha256 } => {
                format!(
                    "the registry has a new CA, {ca}, with the SHA-256 {sha256}: it is in the directory now"
                )
            }
            Self::Renewed { ca } => {
                format!(
                    "the registry has newer certificates of the CA {ca}: they are in the directory now"
                )
            }
            Self::Renamed { from, to } => {
                format!(
                    "the CA {from} is called {to} in the registry: it has that name in the directory now"
                )
            }
            Self::List { ca, number } => {
                format!("the registry has list {number} of the CA {ca}: it is in the directory now")
            }
            Self::Policy { ca } => {
                format!(
                    "the registry has another signing policy of the CA {ca}: it counts from now on"
                )
            }
            Self::OtherPolicy { ca } => {
                format!(
                    "[policy.{ca}] in pki.toml does not count: the registry has another one, which counts"
                )
            }
            Self::NotTaken { ca, problem } => format!("the CA {ca}: {problem}"),
        }
    }
}
