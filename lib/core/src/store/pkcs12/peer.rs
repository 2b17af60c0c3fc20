//! A second reader for a file that was written here: the crate `p12-keystore`, which shares no code with the
//! writer. A keystore that only its own maker can open is found before it goes out.
//!
//! It does not know PBMAC1, so such a file is not looked at.

use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};

use super::super::{EntryKind, Store, StoreError, WriteOptions};

/// Whether another reader finds each key and its chain in a file as they stand in `store`. False if it does not
/// know such files.
///
/// Errors: [`StoreError::Unconfirmed`] names the first entry that it does not find.
pub fn confirm(
    bytes: &[u8],
    store: &Store,
    options: &WriteOptions<'_>,
) -> Result<bool, StoreError> {
    let (Some(password), false) = (options.store_password, options.pkcs12.pbmac1) else {
        return Ok(false);
    };
    let differs = |alias: &str| StoreError::Unconfirmed { alias: alias.to_owned() };
    let keys = || {
        store.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::Key { pkcs8, chain } => Some((entry.alias.as_str(), pkcs8, chain)),
            _ => None,
        })
    };
    let first = || store.entries.first().map_or("", |entry| entry.alias.as_str());
    let read = KeyStore::from_pkcs12(bytes, password.expose(), Pkcs12ImportPolicy::Strict)
        .map_err(|_| differs(first()))?;
    for (alias, pkcs8, chain) in keys() {
        let Some(KeyStoreEntry::PrivateKeyChain(found)) = read.entry(alias) else {
            return Err(differs(alias));
        };
        let theirs = found.certs().iter().map(|certificate| certificate.as_der());
        if found.key().as_der() != pkcs8.expose() || !theirs.eq(chain.iter().map(|c| c.der())) {
            return Err(differs(alias));
        }
    }
    Ok(true)
}
