//! Private keys that never leave a token: an HSM or a smart card behind a PKCS#11 module (OASIS
//! PKCS#11 2.40), named by a [`KeyUri`]. Needs the feature `pkcs11`; without it each use is
//! [`Pkcs11Error::NotBuiltIn`].
//!
//! [`TokenKey`] is a [`Signer`](super::signer::Signer): a CA's certificates, CRLs and proofs are
//! signed by it as by a key in a file. The hash is made here and the token signs it with `CKM_ECDSA`
//! or `CKM_RSA_PKCS`, which every token has; each signature is verified before it is used. The PIN is
//! given to the token once; a wrong one is never tried again, since a token counts them.
//!
//! ```no_run
//! use c8y_pki_core::key::pkcs11::{KeyUri, TokenKey};
//! use c8y_pki_core::key::signer::Signer;
//! use c8y_pki_core::secret::Password;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let uri: KeyUri = "pkcs11:token=Factory;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so".parse()?;
//! // It signs wherever a `&dyn Signer` is wanted: `issue::self_sign`, `issue::Issuer`, `platform::pop`.
//! let key = TokenKey::open(&uri, &Password::new("4711"))?;
//! println!("{}", key.public_key().algorithm());
//! # Ok(())
//! # }
//! ```
//!
//! Refused: keys other than RSA and EC on P-256, P-384 and P-521; keys that want their PIN for each
//! signature (`CKA_ALWAYS_AUTHENTICATE`); URIs that fit no key, or several. Not there: PIN pads
//! (`CKF_PROTECTED_AUTHENTICATION_PATH`), keys of devices.

#[cfg(not(feature = "pkcs11"))]
mod absent;
#[cfg(feature = "pkcs11")]
mod making;
#[cfg(feature = "pkcs11")]
mod sessions;
#[cfg(feature = "pkcs11")]
mod signing;
#[cfg(feature = "pkcs11")]
mod token;
mod uri;

use std::path::PathBuf;

#[cfg(not(feature = "pkcs11"))]
pub use absent::{TokenKey, is_one_token, list, public_keys};
#[cfg(feature = "pkcs11")]
pub use signing::TokenKey;
#[cfg(feature = "pkcs11")]
pub use token::{is_one_token, list, public_keys};
pub use uri::KeyUri;

use crate::crypto::{CryptoError, KeyType, TOKEN_LOST};
use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};

/// Why a key in a token cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The build has no PKCS#11.
    #[error("this build knows no keys in tokens (PKCS#11)")]
    NotBuiltIn,
    /// The program is one file that loads no libraries.
    #[error(
        "the PKCS#11 module {} cannot be loaded: this program is linked statically, and loads no libraries", _0.display()
    )]
    Static(PathBuf),
    /// Not a URI that names a key.
    #[error("the PKCS#11 URI {uri:?} is refused: {reason}")]
    BadUri {
        /// The URI without its query, which may hold a PIN.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URI does not say by which library the token is reached.
    #[error("{0} names no PKCS#11 module")]
    NoModule(Box<KeyUri>),
    /// The library cannot be loaded, or is no PKCS#11 module.
    #[error("the PKCS#11 module {} cannot be loaded: {reason}", module.display())]
    NotAModule {
        /// The library.
        module: PathBuf,
        /// What the system said.
        #[source]
        reason: Underlying,
    },
    /// The module failed.
    #[error("the PKCS#11 module {} failed: {reason}", module.display())]
    Module {
        /// The library.
        module: PathBuf,
        /// What it said.
        #[source]
        reason: Underlying,
    },
    /// The module has no such token.
    #[error("the PKCS#11 module {} has no token for {uri}", module.display())]
    NoToken {
        /// What was looked for.
        uri: Box<KeyUri>,
        /// The library.
        module: PathBuf,
        /// Labels of the tokens that it has.
        present: Vec<String>,
    },
    /// The URI fits several tokens.
    #[error("{uri} fits {count} tokens")]
    SeveralTokens {
        /// What was looked for.
        uri: Box<KeyUri>,
        /// How many there are.
        count: usize,
    },
    /// The token has no such private key.
    #[error("the token {token:?} has no private key for {uri}")]
    NoKey {
        /// What was looked for.
        uri: Box<KeyUri>,
        /// The token's label.
        token: String,
        /// Labels of the private keys that it has.
        present: Vec<String>,
    },
    /// The URI fits several private keys.
    #[error("{uri} fits {count} private keys of the token {token:?}")]
    SeveralKeys {
        /// What was looked for.
        uri: Box<KeyUri>,
        /// The token's label.
        token: String,
        /// How many there are.
        count: usize,
    },
    /// A new key was to get a label or an id that a key has.
    #[error("the token {token:?} has a private key with the {what} already")]
    KeyExists {
        /// The label or the id.
        what: String,
        /// The token's label.
        token: String,
    },
    /// A new key has to get a label.
    #[error("{0} gives the new key no label")]
    NoLabel(Box<KeyUri>),
    /// The token refuses the PIN.
    #[error("the token {token:?} refuses the PIN{}", if *last_try { "; one try is left" } else { "" })]
    WrongPin {
        /// The token's label.
        token: String,
        /// Whether the token locks itself at the next wrong one, as far as it says so.
        last_try: bool,
    },
    /// The PIN has to be changed.
    #[error("the PIN of the token {token:?} has expired")]
    PinExpired {
        /// The token's label.
        token: String,
    },
    /// Too many wrong PINs.
    #[error("the token {token:?} has locked itself after too many wrong PINs")]
    PinLocked {
        /// The token's label.
        token: String,
    },
    /// No PIN has been set yet.
    #[error("the token {token:?} has no user PIN yet")]
    NoPinYet {
        /// The token's label.
        token: String,
    },
    /// A key that cannot sign certificates here.
    #[error("the key {label:?} in the token {token:?} cannot be used: {reason}")]
    UnusableKey {
        /// The key's label.
        label: String,
        /// The token's label.
        token: String,
        /// Why not.
        #[source]
        reason: Unusable,
    },
    /// A type of key that the token, or this library, does not make in tokens.
    #[error("no key of type {key_type} is made in the token {token:?}")]
    CannotMake {
        /// The type that was asked for.
        key_type: KeyType,
        /// The token's label.
        token: String,
    },
    /// The token failed.
    #[error("the token {token:?} failed at {what}: {reason}")]
    Failed {
        /// The token's label.
        token: String,
        /// What it was asked to do.
        what: &'static str,
        /// What it said.
        #[source]
        reason: Underlying,
    },
    /// The token has no more sessions, and none that will come back.
    #[error("the token {token:?} has no session left")]
    NoSession {
        /// The token's label.
        token: String,
    },
    /// A public key in the token that is none.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Why a key in a token cannot sign certificates here.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// `CKA_ALWAYS_AUTHENTICATE`.
    #[error("it wants the PIN again for each signature")]
    PinForEach,
    /// An EC key whose public half is neither in the token nor in a certificate.
    #[error(
        "it is neither RSA nor EC, or its public key is neither in the token nor in a certificate that was given"
    )]
    NoPublicKey,
    /// Public keys beside it that differ.
    #[error("several public keys in the token have its id")]
    SeveralPublicKeys,
    /// The public key in the token is another key's.
    #[error("what it signs does not fit its public key")]
    OtherPublicKey,
    /// Its public key is refused.
    #[error(transparent)]
    Refused(#[from] CryptoError),
}

impl Failure for Unusable {
    fn fault(&self) -> Fault {
        match self {
            Self::Refused(e) => e.fault(),
            Self::PinForEach
            | Self::NoPublicKey
            | Self::SeveralPublicKeys
            | Self::OtherPublicKey => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Refused(e) => e.hint(),
            Self::PinForEach
            | Self::NoPublicKey
            | Self::SeveralPublicKeys
            | Self::OtherPublicKey => None,
        }
    }
}

impl Failure for Pkcs11Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Module { .. } | Self::Failed { .. } | Self::NoSession { .. } => {
                Fault::Environment
            }
            // One that is unplugged, or reached over a network.
            Self::NoToken { present, .. } if present.is_empty() => Fault::Environment,
            Self::Crypto(e) => e.fault(),
            Self::NotBuiltIn
            | Self::Static(_)
            | Self::BadUri { .. }
            | Self::NoModule(_)
            | Self::NotAModule { .. }
            | Self::NoToken { .. }
            | Self::SeveralTokens { .. }
            | Self::NoKey { .. }
            | Self::SeveralKeys { .. }
            | Self::KeyExists { .. }
            | Self::NoLabel(_)
            | Self::WrongPin { .. }
            | Self::PinExpired { .. }
            | Self::PinLocked { .. }
            | Self::NoPinYet { .. }
            | Self::UnusableKey { .. }
            | Self::CannotMake { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let among = |what: &str, present: &[String]| match present {
            [] => format!("there is no {what} in it, or it cannot be reached").into(),
            _ => format!("it has {}", present.join(", ")).into(),
        };
        Some(match self {
            Self::NotBuiltIn => "build it with the feature `pkcs11`, which is on by default".into(),
            Self::Static(_) => {
                "for keys in tokens take the package of your system (.deb), or build it with a dynamic C library"
                    .into()
            }
            Self::BadUri { reason, .. } if *reason == uri::PIN => {
                "give the PIN as the password of the key: a file, the environment, or a prompt"
                    .into()
            }
            Self::BadUri { .. } => {
                "it looks like pkcs11:token=Factory;object=line-7?module-path=/usr/lib/…/lib….so"
                    .into()
            }
            Self::NoModule(_) => Hint::say("append ?module-path=FILE")
                .then(Hint::give("or name it for this machine", Setting::Pkcs11Module)),
            Self::CannotMake { .. } => {
                Hint::give("choose another type, RSA, or EC", Setting::KeyType)
            }
            Self::NotAModule { .. } => {
                "it is a library of the token's maker, built for this machine; for SoftHSM: \
                 libsofthsm2.so"
                    .into()
            }
            Self::NoToken { present, .. } => among("token", present),
            Self::NoKey { present, .. } => among("private key", present),
            Self::SeveralTokens { .. } => {
                Hint::run("add serial=…, which is listed", Task::ListKeys)
            }
            Self::SeveralKeys { .. } => "add id=…, in which they differ".into(),
            Self::KeyExists { .. } => Hint::say("give the new one another name")
                .then(Hint::give("or use that key", Setting::ExistingKey))
                .then("in a rollout file: `existing_key = true`"),
            Self::NoLabel(_) => "add object=NAME".into(),
            Self::WrongPin { last_try: true, .. } => {
                "the token locks itself after the next wrong PIN: make sure that the PIN is right".into()
            }
            Self::WrongPin { .. } => {
                "the token counts wrong PINs: make sure that PIN and token are right before you try again".into()
            }
            Self::PinExpired { .. } => "set a new one with the tool of the token's maker".into(),
            Self::PinLocked { .. } => "its security officer can set a new PIN".into(),
            Self::NoPinYet { .. } => "set one with the tool of the token's maker".into(),
            Self::Module { .. } | Self::Failed { .. } => TOKEN_LOST.into(),
            Self::UnusableKey { .. } => Hint::run("use another key of the token", Task::ListKeys),
            Self::NoSession { .. } => {
                "end other programs that use it; two keys in one token take two sessions".into()
            }
            Self::Crypto(e) => return e.hint(),
        })
    }
}

/// A token and the keys in it that can be seen without its PIN.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TokenContents {
    /// The token, as a URI names it.
    pub token: KeyUri,
    /// What it is: maker and model.
    pub model: String,
    /// The public keys: each stands for a private key, if it was made in the token.
    pub keys: Vec<ListedKey>,
    /// Why they cannot be read.
    pub problem: Option<String>,
}

/// A key that was found in a token.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ListedKey {
    /// The URI by which it is used.
    pub uri: KeyUri,
    /// Its algorithm, if it can be used.
    pub algorithm: Option<String>,
    /// Why it cannot be used.
    pub problem: Option<String>,
}
