//! Why a store cannot be read, changed or written.

use super::Format;
use crate::cert::CertError;
use crate::crypto::{CryptoError, MlDsa};
use crate::failure::{Failure, Fault, Hint};
use crate::key::KeyError;

/// What can go wrong with a keystore or truststore. `Display` says what and the rule; what to do
/// is in [`StoreError::hint`]. No variant holds a password or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No bytes at all.
    #[error("the store is empty: it has no bytes")]
    Empty,
    /// Neither PKCS#12, JKS nor PEM.
    #[error("this is no keystore, neither PKCS#12, JKS nor PEM: it looks like {looks}")]
    Unrecognised {
        /// The kind of file. Never its bytes: it may be a file with a password.
        looks: &'static str,
    },
    /// Java's second format of its own.
    #[error("the store is JCEKS, a format of Java alone that is not supported")]
    Jceks,
    /// A format of somebody else, of which nothing more is known here than its name.
    #[error("this is {name}, which is not supported")]
    Foreign {
        /// What it is, and whose.
        name: &'static str,
        /// The command that makes something of it that is read.
        convert: &'static str,
    },
    /// What was written is not what another reader finds.
    #[error("the new store does not read back as it was written: entry {alias:?}")]
    Unconfirmed {
        /// The entry that is not found, or is another one.
        alias: String,
    },
    /// The file stops before its structure does.
    #[error("the {format} store is truncated: {what} needs {needed} bytes and {left} are left")]
    Truncated {
        /// Its format.
        format: Format,
        /// The part that is cut off.
        what: &'static str,
        /// Bytes that the part has by its own account.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// The structure is not that of the format.
    #[error("the {format} store is damaged: {what}")]
    Damaged {
        /// Its format.
        format: Format,
        /// What is wrong, in words.
        what: String,
    },
    /// Decrypts with the password, but its integrity check fails.
    #[error(
        "the {format} store was changed after it was written: \
         the password is right, its integrity check fails"
    )]
    Altered {
        /// Its format.
        format: Format,
    },
    /// The integrity check fails and nothing decrypts.
    #[error("the password does not open the {format} store: its integrity check fails")]
    WrongPassword {
        /// Its format.
        format: Format,
    },
    /// The store opens, a key in it does not.
    #[error("the password does not open the key {alias:?}, although it opens the {format} store")]
    WrongKeyPassword {
        /// Its format.
        format: Format,
        /// The key's alias.
        alias: String,
    },
    /// No password was given.
    #[error("a {format} store needs a password and none was given")]
    PasswordNeeded {
        /// Its format.
        format: Format,
    },
    /// No MAC (RFC 7292, section 4 makes it optional): anybody may have changed the file.
    #[error("the PKCS#12 store has no MAC, so nothing shows whether it was changed")]
    NoMac,
    /// An algorithm or feature that is not supported.
    #[error("the {format} store uses {what}, which is not supported")]
    Unsupported {
        /// Its format.
        format: Format,
        /// The algorithm or feature.
        what: String,
    },
    /// An iteration count (or scrypt cost) beyond all use.
    #[error("{what} asks for {found} iterations; 1 to {max} are allowed")]
    Iterations {
        /// What the count is for.
        what: &'static str,
        /// The count.
        found: u64,
        /// The bound.
        max: u32,
    },
    /// A certificate in the store cannot be read.
    #[error("a certificate in the {format} store cannot be read: {source}")]
    Certificate {
        /// Its format.
        format: Format,
        /// What is wrong with it.
        source: CertError,
    },
    /// A key in the store cannot be read.
    #[error("a key in the {format} store cannot be read: {source}")]
    Key {
        /// Its format.
        format: Format,
        /// What is wrong with it.
        source: KeyError,
    },
    /// An alias that the formats cannot hold.
    #[error("the alias {alias:?} is refused: {rule}")]
    Alias {
        /// The alias.
        alias: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Java compares aliases in lower case.
    #[error("the alias {alias:?} is taken by the entry {taken:?}: Java ignores case")]
    DuplicateAlias {
        /// The alias asked for.
        alias: String,
        /// The alias that is there.
        taken: String,
    },
    /// A key entry without certificates.
    #[error("the key {alias:?} has no certificate: a key entry holds its whole chain, leaf first")]
    EmptyChain {
        /// Its alias.
        alias: String,
    },
    /// The leaf certificate is about another key.
    #[error("the key {alias:?} does not belong to the certificate {subject}")]
    KeyMismatch {
        /// Its alias.
        alias: String,
        /// The leaf's subject.
        subject: String,
    },
    /// A certificate that is not followed by its issuer.
    #[error(
        "the chain of {alias:?} is broken: {subject} is not signed by {next}, which follows it"
    )]
    BrokenChain {
        /// The entry's alias.
        alias: String,
        /// Subject of the certificate.
        subject: String,
        /// Subject of the certificate after it.
        next: String,
    },
    /// Something the format has no place for.
    #[error("a {format} store cannot hold {what}")]
    CannotHold {
        /// The format.
        format: Format,
        /// What it cannot hold.
        what: String,
    },
    /// A key that programs do not take from such a store, although they open it.
    #[error(
        "a {format} store is not written with an {set} key: no reader is known that takes it from there"
    )]
    NoReader {
        /// The format.
        format: Format,
        /// The kind of key.
        set: MlDsa,
    },
    /// One password covers a PKCS#12 file, for Java and OpenSSL alike.
    #[error("a PKCS#12 store cannot hold a key password that differs from the store's")]
    SeparateKeyPassword,
    /// A JKS key whose password was not given cannot change its format.
    #[error("the key {alias:?} cannot be written as {format}: its password was not given")]
    SealedKey {
        /// The format asked for.
        format: Format,
        /// The key's alias.
        alias: String,
    },
    /// Java reads passwords of printable ASCII only.
    #[error(
        "the password has characters beyond printable ASCII: Java could not open the {format} store"
    )]
    PasswordCharset {
        /// The format.
        format: Format,
    },
    /// The random generator or a cipher failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Failure for StoreError {
    fn fault(&self) -> Fault {
        match self {
            Self::Certificate { source, .. } => source.fault(),
            Self::Key { source, .. } => source.fault(),
            Self::Crypto(e) => e.fault(),
            Self::Empty
            | Self::Unrecognised { .. }
            | Self::Jceks
            | Self::Foreign { .. }
            | Self::Unconfirmed { .. }
            | Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::Altered { .. }
            | Self::WrongPassword { .. }
            | Self::WrongKeyPassword { .. }
            | Self::PasswordNeeded { .. }
            | Self::NoMac
            | Self::Unsupported { .. }
            | Self::Iterations { .. }
            | Self::Alias { .. }
            | Self::DuplicateAlias { .. }
            | Self::EmptyChain { .. }
            | Self::KeyMismatch { .. }
            | Self::BrokenChain { .. }
            | Self::CannotHold { .. }
            | Self::NoReader { .. }
            | Self::SeparateKeyPassword
            | Self::SealedKey { .. }
            | Self::PasswordCharset { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let hint = match self {
            Self::Jceks => {
                "convert it: keytool -importkeystore -srckeystore OLD -srcstoretype JCEKS \
                 -destkeystore NEW.p12 -deststoretype PKCS12"
            }
            Self::Foreign { convert, .. } => convert,
            Self::Truncated { .. } | Self::Altered { .. } => "copy the file again, in binary mode",
            Self::WrongPassword { format: Format::Jks } => {
                "check the password; a JKS file that was changed looks the same"
            }
            Self::WrongPassword { .. } => {
                "check the password, upper and lower case, and spaces at its end"
            }
            Self::WrongKeyPassword { .. } => "give the key's own password as well",
            Self::PasswordNeeded { .. } => "give the store's password",
            Self::NoMac => "write the store again with a password, or allow it to be unverified",
            Self::Iterations { .. } => "10000 is what Java writes",
            Self::DuplicateAlias { .. } => "choose another alias",
            Self::EmptyChain { .. } | Self::BrokenChain { .. } => {
                "give the leaf first, then each certificate's issuer"
            }
            Self::KeyMismatch { .. } => "give the certificate that was issued for this key",
            Self::SeparateKeyPassword => "use one password for both, or write JKS",
            Self::SealedKey { .. } => "open the store with the key's password too",
            Self::NoReader { .. } => "take PEM for the key and its chain",
            Self::CannotHold { format: Format::Pem, .. } => {
                "write PKCS#12, or each key with its chain into a PEM file of its own"
            }
            Self::Unrecognised { .. } => {
                "PKCS#12 starts with 30, JKS with feedfeed, PEM with -----BEGIN"
            }
            Self::Unsupported { format: Format::Pkcs12, .. } => {
                "write it again with the tool that made it, with PBES2 and a MAC of SHA-256"
            }
            Self::Certificate { source, .. } => return source.hint(),
            Self::Key { source, .. } => return source.hint(),
            Self::PasswordCharset { .. } => "use letters, digits and signs of ASCII",
            Self::Crypto(e) => return e.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}
