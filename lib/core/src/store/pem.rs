//! A store as PEM text (RFC 7468): one unencrypted key with its chain, or certificates to trust.
//!
//! Keys are read in every form that the module `key` reads, encrypted ones with the password of the keys or
//! of the store. Refused on writing: more than one key, or keys and trusted certificates together: a text could
//! not tell which belongs where.

use super::link::{FoundCertificate, FoundKey, link};
use super::{
    DEVICE_KEY_ALIAS, EntryKind, Format, OpenOptions, SERVER_CERTIFICATE_ALIAS, Store, StoreError,
    WriteOptions,
};
use crate::cert::{Certificate, pem_blocks, pem_text, without_trust};
use crate::key::{KeyError, PrivateKey};
use crate::secret::SecretBytes;

/// The PKCS#12 file in a text that holds one, under the label of GnuTLS.
pub(super) fn enclosed_pkcs12(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut blocks = pem_blocks(bytes).ok()?.into_iter();
    Some(blocks.find(|block| matches!(block.tag(), "PKCS12" | "PFX"))?.into_contents())
}

/// Reads a text. PEM has no aliases: keys and certificates get those of the platform's recipe.
pub(super) fn open(bytes: &[u8], options: OpenOptions<'_>) -> Result<Store, StoreError> {
    let blocks = pem_blocks(bytes).map_err(|e| damaged(e.to_string()))?;
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.tag() {
            "PRIVATE KEY" => keys.push(FoundKey {
                alias: Some(DEVICE_KEY_ALIAS.to_owned()),
                local_key_id: None,
                pkcs8: SecretBytes::new(block.into_contents()),
            }),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                let certificate = Certificate::from_der(without_trust(&block))
                    .map_err(|source| StoreError::Certificate { format: Format::Pem, source })?;
                certificates.push(FoundCertificate {
                    alias: Some(SERVER_CERTIFICATE_ALIAS.to_owned()),
                    local_key_id: None,
                    java_trusted: false,
                    certificate,
                });
            }
            tag if tag.ends_with("PRIVATE KEY") => keys.push(FoundKey {
                alias: Some(DEVICE_KEY_ALIAS.to_owned()),
                local_key_id: None,
                pkcs8: other_key(&block, options)?,
            }),
            _ => {}
        }
    }
    if keys.is_empty() && certificates.is_empty() {
        return Err(damaged("it has neither BEGIN PRIVATE KEY nor BEGIN CERTIFICATE".to_owned()));
    }
    Ok(link(keys, &certificates).finish())
}

/// A key that is encrypted, or of the forms before PKCS#8.
fn other_key(block: &pem::Pem, options: OpenOptions<'_>) -> Result<SecretBytes, StoreError> {
    let text = zeroize::Zeroizing::new(pem::encode(block));
    let password = options.key_password.or(options.store_password);
    let key = PrivateKey::read(text.as_bytes(), password).map_err(|e| match e {
        KeyError::NeedsPassword => StoreError::PasswordNeeded { format: Format::Pem },
        source => StoreError::Key { format: Format::Pem, source },
    })?;
    Ok(key.pkcs8().clone())
}

/// Writes a text: the key, then its chain, leaf first; or the trusted certificates in their order.
pub(super) fn write(store: &Store, options: &WriteOptions<'_>) -> Result<Vec<u8>, StoreError> {
    if options.store_password.is_some() || options.key_password.is_some() {
        return Err(cannot_hold("a password: its key is not encrypted".to_owned()));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    for entry in &store.entries {
        match &entry.kind {
            EntryKind::Key { pkcs8, chain } if store.entries.len() == 1 => {
                text.push_str(&pem_text("PRIVATE KEY", pkcs8.expose()));
                chain.iter().for_each(|c| text.push_str(&c.pem()));
            }
            EntryKind::Key { .. } => {
                return Err(cannot_hold(format!("the key {:?} beside other entries", entry.alias)));
            }
            EntryKind::Trusted { certificate, .. } => text.push_str(&certificate.pem()),
            EntryKind::SecretKey { .. } => {
                return Err(cannot_hold(format!("the secret key {:?}", entry.alias)));
            }
            EntryKind::Sealed { .. } => {
                let alias = entry.alias.clone();
                return Err(StoreError::SealedKey { format: Format::Pem, alias });
            }
        }
    }
    Ok(text.as_bytes().to_vec())
}

fn damaged(what: String) -> StoreError {
    StoreError::Damaged { format: Format::Pem, what }
}

fn cannot_hold(what: String) -> StoreError {
    StoreError::CannotHold { format: Format::Pem, what }
}
