//! What a store holds, whatever its format.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::StoreError;
use crate::cert::Certificate;
use crate::crypto::CryptoError;
use crate::key::PrivateKey;
use crate::secret::SecretBytes;

/// A keystore or truststore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Store {
    /// Its entries in their order.
    pub entries: Vec<Entry>,
}

/// One entry of a store. It is made by [`Store::add_key`] and [`Store::add_trusted`], which look at what goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, as written; Java shows it in lower case.
    pub alias: String,
    /// When it was made, to the millisecond; JKS only.
    pub modified: Option<OffsetDateTime>,
    /// What it is. Nobody changes it from outside: a key would stand beside a certificate of another one.
    pub(super) kind: EntryKind,
}

impl Entry {
    /// What it is.
    pub fn kind(&self) -> &EntryKind {
        &self.kind
    }

    /// What it is, without copying it.
    pub fn into_kind(self) -> EntryKind {
        self.kind
    }

    /// Puts another chain above the same leaf. Returns whether there was another one; of another leaf none is taken.
    #[doc(hidden)]
    pub fn renew_chain(&mut self, chain: &[Certificate]) -> bool {
        let (EntryKind::Key { chain: own, .. } | EntryKind::Sealed { chain: own, .. }) =
            &mut self.kind
        else {
            return false;
        };
        let is_changed = own.first() == chain.first() && own != chain;
        if is_changed {
            *own = chain.to_vec();
        }
        is_changed
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A private key and its certificates.
    Key {
        /// The key: DER of an unencrypted PKCS#8 (RFC 5208).
        pkcs8: SecretBytes,
        /// Leaf first, each followed by its issuer. Empty if the file has no certificate for it.
        chain: Vec<Certificate>,
    },
    /// A certificate to trust.
    Trusted {
        /// The certificate.
        certificate: Box<Certificate>,
        /// Whether Java sees it. Java passes over PKCS#12 certificates without its attribute, such
        /// as those that OpenSSL writes: to Java such a truststore is empty.
        java_trusted: bool,
    },
    /// A symmetric key: shown, never read nor written.
    #[doc(hidden)]
    SecretKey {
        /// Dotted object identifier of its algorithm, if the file says it.
        algorithm: Option<String>,
    },
    /// A JKS key under a password that was not given.
    #[doc(hidden)]
    Sealed {
        /// The key as it stands in the file: DER of an EncryptedPrivateKeyInfo.
        protected: Vec<u8>,
        /// Leaf first.
        chain: Vec<Certificate>,
    },
}

/// The longest alias, in characters (RFC 2985, 5.5.1: pkcs-9-ub-friendlyName).
const MAX_ALIAS: usize = 255;

impl Store {
    /// A store without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry of that alias; case does not matter.
    pub fn entry(&self, alias: &str) -> Option<&Entry> {
        let wanted = alias.to_lowercase();
        self.entries.iter().find(|e| e.alias.to_lowercase() == wanted)
    }

    /// Adds a private key with its whole chain, leaf first. The leaf has to be for this key.
    ///
    /// Errors: [`StoreError::Alias`], [`StoreError::DuplicateAlias`], [`StoreError::EmptyChain`],
    /// [`StoreError::KeyMismatch`], [`StoreError::BrokenChain`].
    pub fn add_key(
        &mut self,
        alias: &str,
        key: &PrivateKey,
        chain: Vec<Certificate>,
    ) -> Result<(), StoreError> {
        self.check_alias(alias)?;
        let Some(leaf) = chain.first() else {
            return Err(StoreError::EmptyChain { alias: alias.to_owned() });
        };
        if leaf.public_key.as_ref() != Ok(key.public_key()) {
            return Err(StoreError::KeyMismatch {
                alias: alias.to_owned(),
                subject: leaf.subject.to_string(),
            });
        }
        for (certificate, next) in chain.iter().zip(&chain[1..]) {
            if !is_issued_by(certificate, next) {
                return Err(StoreError::BrokenChain {
                    alias: alias.to_owned(),
                    subject: certificate.subject.to_string(),
                    next: next.subject.to_string(),
                });
            }
        }
        self.push(alias, EntryKind::Key { pkcs8: key.pkcs8().clone(), chain });
        Ok(())
    }

    /// A store with one key whose chain is known to be whole: it was made with the key, link by
    /// link. Checking each signature again costs a device more than its certificate.
    #[doc(hidden)]
    pub fn of_issued_key(alias: &str, pkcs8: SecretBytes, chain: Vec<Certificate>) -> Self {
        let mut store = Self::new();
        store.push(alias, EntryKind::Key { pkcs8, chain });
        store
    }

    /// Adds a certificate to trust.
    ///
    /// Errors: [`StoreError::Alias`], [`StoreError::DuplicateAlias`].
    pub fn add_trusted(&mut self, alias: &str, certificate: Certificate) -> Result<(), StoreError> {
        self.check_alias(alias)?;
        self.push(
            alias,
            EntryKind::Trusted { certificate: Box::new(certificate), java_trusted: true },
        );
        Ok(())
    }

    fn push(&mut self, alias: &str, kind: EntryKind) {
        self.entries.push(Entry { alias: alias.to_owned(), modified: None, kind });
    }

    /// Holds an alias to what all formats can keep: a BMPString (RFC 2985, 5.5.1).
    fn check_alias(&self, alias: &str) -> Result<(), StoreError> {
        let refuse = |rule| Err(StoreError::Alias { alias: alias.to_owned(), rule });
        if alias.is_empty() {
            return refuse("it is empty");
        }
        if alias.chars().count() > MAX_ALIAS {
            return refuse("it has more than 255 characters");
        }
        if alias.chars().any(|c| c.is_control() || u32::from(c) > 0xffff) {
            return refuse("it has control characters, or characters beyond Unicode's first plane");
        }
        match self.entry(alias) {
            Some(entry) => Err(StoreError::DuplicateAlias {
                alias: alias.to_owned(),
                taken: entry.alias.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Entries on their way out of a file. An alias that is taken gets a number: unlike Java, which
/// keeps the last of equal entries, we show them all.
#[derive(Default)]
pub(super) struct Collector {
    store: Store,
    /// Aliases in lower case, and the last number given to each: a hostile file of equal aliases
    /// must not make us search.
    taken: HashMap<String, u64>,
}

impl Collector {
    pub(super) fn push(&mut self, alias: &str, modified: Option<OffsetDateTime>, kind: EntryKind) {
        let mut unique = alias.to_owned();
        while self.taken.contains_key(&unique.to_lowercase()) {
            let number = self.taken.entry(alias.to_lowercase()).or_insert(1);
            *number += 1;
            unique = format!("{alias}-{number}");
        }
        self.taken.insert(unique.to_lowercase(), 1);
        self.store.entries.push(Entry { alias: unique, modified, kind });
    }

    pub(super) fn finish(self) -> Store {
        self.store
    }
}

/// Whether `issuer` signed `certificate`. Where an algorithm is beyond us (SHA-1, DSA) the names
/// have to do: a store with an old chain is still to be shown.
pub(super) fn is_issued_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    if !certificate.issuer.matches(&issuer.subject) {
        return false;
    }
    match &issuer.public_key {
        Ok(key) => certificate.verify_signature(key) != Err(CryptoError::BadSignature),
        Err(_) => true,
    }
}
