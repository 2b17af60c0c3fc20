//! `store create --from`, `store add --from`: the entries of another store.

use std::path::{Path, PathBuf};

use c8y_pki_core::chain::{self, LeafChoice};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::read;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{
    self, DEVICE_KEY_ALIAS, EntryKind, Format, SERVER_CERTIFICATE_ALIAS, Store, StoreError,
};
use c8y_pki_engine::Error;
use c8y_pki_engine::files;

use crate::failure::{Failure, Result};
use crate::secrets::{self as room, known};

/// The files of the passwords of what is taken over.
pub(super) struct Secrets<'a> {
    pub(super) store_file: Option<&'a PathBuf>,
    /// Of keys that have one of their own.
    pub(super) key_file: Option<&'a PathBuf>,
}

/// Adds all entries of a file. What this store cannot hold is refused when it is written.
pub(super) fn add_all(path: &Path, secrets: &Secrets<'_>, store: &mut Store) -> Result<()> {
    let bytes = files::read_small(path)?;
    let in_file = |e: StoreError| Error::from(e).in_file(path.display().to_string());
    if !read::is_store(&bytes) {
        return add_loose(path, &bytes, secrets, store);
    }
    let what = path.display().to_string();
    let source = known::former_store(secrets.store_file, &what);
    let key_password = known::key(secrets.key_file, &what).given()?;
    let open = |password: Option<&Password>| {
        let options = store::OpenOptions {
            store_password: password,
            key_password: key_password.as_ref(),
            // Without a password only PKCS#12 opens: JKS would have its keys left behind.
            allow_unverified: store::is_pkcs12(&bytes),
        };
        store::open_with(&bytes, options)
    };
    let needs = |e: &StoreError| matches!(e, StoreError::PasswordNeeded { .. });
    let other = room::opening(source, open, needs)?.map_err(in_file)?;
    if other.entries.is_empty() {
        return Err(empty(path));
    }
    for entry in other.entries {
        let alias = entry.alias.clone();
        match entry.into_kind() {
            EntryKind::Key { pkcs8, chain } => {
                let key = PrivateKey::from_pkcs8(pkcs8.expose())
                    .map_err(|e| Error::from(e).in_file(path.display().to_string()))?;
                store.add_key(&alias, &key, chain)?;
            }
            EntryKind::Trusted { certificate, .. } => {
                store.add_trusted(&alias, *certificate)?;
            }
            EntryKind::Sealed { .. } => {
                let format = Format::Jks;
                return Err(in_file(StoreError::WrongKeyPassword { format, alias }).into());
            }
            // Secret keys are listed only.
            _ => {
                let what = format!("the secret key {alias:?}");
                return Err(in_file(StoreError::CannotHold { format: Format::Pkcs12, what }).into());
            }
        }
    }
    Ok(())
}

/// What stands in PEM, DER or PKCS#7 has no names: those of the platform's recipe are taken.
fn add_loose(path: &Path, bytes: &[u8], secrets: &Secrets<'_>, store: &mut Store) -> Result<()> {
    let what = format!("the key in {}", path.display());
    let in_file = |e| Error::from(e).in_file(path.display().to_string());
    let certificates = read::certificates(bytes, None).map_err(in_file)?;
    if !read::may_hold_key(bytes) {
        for (index, certificate) in certificates.into_iter().enumerate() {
            let number = if index == 0 { String::new() } else { (index + 1).to_string() };
            store.add_trusted(&format!("{SERVER_CERTIFICATE_ALIAS}{number}"), certificate)?;
        }
        return Ok(());
    }
    let source = known::key(secrets.key_file, &what);
    let (key, _) = room::read_bytes(bytes, source)?.map_err(in_file)?;
    let ordered = chain::order(&certificates, LeafChoice::PublicKey(key.public_key()))?;
    store.add_key(DEVICE_KEY_ALIAS, &key, ordered.certificates)?;
    Ok(())
}

fn empty(path: &Path) -> Failure {
    Failure::usage(
        format!("{} has no entries", path.display()),
        "name the store with the entries to take",
    )
}
