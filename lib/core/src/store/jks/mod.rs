//! JKS, the keystore format of Java up to version 8 (`sun.security.provider.JavaKeyStore` of
//! OpenJDK is its description; it is frozen).
//!
//! ```text
//! file    magic u32, version u32 (1, 2), count u32, entry*, digest [20]
//! entry   tag u32 (1 key, 2 certificate), alias UTF, date u64 (ms since 1970), body
//! key     length u32, EncryptedPrivateKeyInfo, count u32, cert*
//! cert    type UTF (version 2 only), length u32, DER
//! digest  SHA-1(password as UTF-16BE, "Mighty Aphrodite", all bytes before)
//! ```
//!
//! A guess at a key's password costs one SHA-1, so anyone who has the file can guess fast: prefer
//! PKCS#12. Refused: lengths beyond the file, certificates that are not X.509, entries of other
//! tags; on writing, secret keys and passwords that Java's tools cannot take.

mod bytes;
mod protect;

use time::OffsetDateTime;

use self::bytes::{Reader, write_len, write_utf};
use super::model::Collector;
use super::{Entry, EntryKind, Format, OpenOptions, Salt, Store, StoreError, WriteOptions};
use crate::cert::Certificate;
use crate::secret::Password;

/// The first bytes of a file.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

const VERSION: u32 = 2;
const KEY: u32 = 1;
const TRUSTED: u32 = 2;
const DIGEST: usize = 20;
/// The only certificate type that Java's own providers know.
const X509: &str = "X.509";

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged { format: Format::Jks, what: what.into() }
}

/// Opens a file: first its structure, then its digest, then its keys.
pub(super) fn open(bytes: &[u8], options: OpenOptions<'_>) -> Result<Store, StoreError> {
    let mut store = read_entries(bytes)?;
    let verified = match options.store_password {
        None if options.allow_unverified => true,
        None => return Err(StoreError::PasswordNeeded { format: Format::Jks }),
        Some(password) => {
            let (data, digest) = bytes.split_at(bytes.len() - DIGEST);
            protect::integrity_digest(password, data)[..] == *digest
        }
    };
    if !verified {
        // A key that opens shows that the password is right.
        let right = store.entries.iter_mut().any(|e| unseal(e, &[options.store_password]));
        let format = Format::Jks;
        return Err(match right {
            true => StoreError::Altered { format },
            false => StoreError::WrongPassword { format },
        });
    }
    for entry in &mut store.entries {
        unseal(entry, &[options.key_password, options.store_password]);
    }
    Ok(store)
}

/// Opens a sealed key with the first password that does; whether one did.
fn unseal(entry: &mut Entry, passwords: &[Option<&Password>]) -> bool {
    let EntryKind::Sealed { protected, chain } = &mut entry.kind else {
        return false;
    };
    for password in passwords.iter().copied().flatten() {
        if let Some(pkcs8) = protect::recover(protected, password) {
            entry.kind = EntryKind::Key { pkcs8, chain: std::mem::take(chain) };
            return true;
        }
    }
    false
}

/// Reads all entries, keys still sealed.
fn read_entries(bytes: &[u8]) -> Result<Store, StoreError> {
    let mut reader = Reader::new(bytes);
    reader.take(MAGIC.len(), "the magic number")?;
    let version = reader.u32("the version")?;
    if !(1..=VERSION).contains(&version) {
        let what = format!("version {version}; only 1 and 2 exist");
        return Err(StoreError::Unsupported { format: Format::Jks, what });
    }
    let count = reader.u32("the number of entries")?;
    let mut entries = Collector::default();
    for _ in 0..count {
        let tag = reader.u32("an entry's tag")?;
        let alias = reader.utf("an alias")?;
        let modified = Some(read_date(&mut reader)?);
        let kind = match tag {
            KEY => {
                let protected = reader.block("a key")?.to_vec();
                let length = reader.u32("a chain's length")?;
                let certificate = |_| read_certificate(&mut reader, version);
                // A wrong length ends at the end of the file; nothing is allocated ahead.
                let chain = (0..length).map(certificate).collect::<Result<_, _>>()?;
                EntryKind::Sealed { protected, chain }
            }
            TRUSTED => EntryKind::Trusted {
                certificate: Box::new(read_certificate(&mut reader, version)?),
                java_trusted: true,
            },
            other => return Err(damaged(format!("an entry has tag {other}; 1 and 2 exist"))),
        };
        entries.push(&alias, modified, kind);
    }
    reader.take(DIGEST, "the digest")?;
    match reader.left() {
        0 => Ok(entries.finish()),
        extra => Err(damaged(format!("{extra} bytes follow its end"))),
    }
}

fn read_date(reader: &mut Reader<'_>) -> Result<OffsetDateTime, StoreError> {
    let ms = reader.i64("an entry's date")?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .map_err(|_| damaged(format!("an entry's date is {ms} ms from 1970")))
}

fn read_certificate(reader: &mut Reader<'_>, version: u32) -> Result<Certificate, StoreError> {
    if version == VERSION {
        let kind = reader.utf("a certificate's type")?;
        if kind != X509 {
            let what = format!("a certificate of type {kind:?}");
            return Err(StoreError::Unsupported { format: Format::Jks, what });
        }
    }
    Certificate::from_der(reader.block("a certificate")?)
        .map_err(|source| StoreError::Certificate { format: Format::Jks, source })
}

/// Writes a file of version 2. A sealed key is written as it was found.
pub(super) fn write(
    store: &Store,
    options: &WriteOptions<'_>,
    salt: Salt<'_>,
) -> Result<Vec<u8>, StoreError> {
    let password = options.java_password(Format::Jks)?;
    let key_password = options.key_password.unwrap_or(password);
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    write_len(&mut out, store.entries.len())?;
    for Entry { alias, modified, kind } in &store.entries {
        let tag = if matches!(kind, EntryKind::Trusted { .. }) { TRUSTED } else { KEY };
        out.extend(tag.to_be_bytes());
        // Java looks aliases up in lower case.
        write_utf(&mut out, &alias.to_lowercase())?;
        let ms = modified.unwrap_or(options.modified).unix_timestamp_nanos() / 1_000_000;
        out.extend(i64::try_from(ms).unwrap_or(i64::MAX).to_be_bytes());
        match kind {
            EntryKind::Key { chain, .. } if chain.is_empty() => {
                return Err(StoreError::EmptyChain { alias: alias.clone() });
            }
            EntryKind::Key { pkcs8, chain } => {
                let mut key_salt = [0; protect::SALT];
                salt(&mut key_salt)?;
                let protected = protect::protect(pkcs8, key_password, key_salt);
                write_key(&mut out, &protected, chain)?;
            }
            EntryKind::Sealed { protected, chain } => write_key(&mut out, protected, chain)?,
            EntryKind::Trusted { certificate, .. } => write_certificate(&mut out, certificate)?,
            EntryKind::SecretKey { .. } => {
                let what = format!("the secret key {alias:?}");
                return Err(StoreError::CannotHold { format: Format::Jks, what });
            }
        }
    }
    let digest = protect::integrity_digest(password, &out);
    out.extend(digest);
    Ok(out)
}

fn write_key(out: &mut Vec<u8>, protected: &[u8], chain: &[Certificate]) -> Result<(), StoreError> {
    write_len(out, protected.len())?;
    out.extend(protected);
    write_len(out, chain.len())?;
    chain.iter().try_for_each(|c| write_certificate(out, c))
}

fn write_certificate(out: &mut Vec<u8>, certificate: &Certificate) -> Result<(), StoreError> {
    write_utf(out, X509)?;
    write_len(out, certificate.der().len())?;
    out.extend(certificate.der());
    Ok(())
}

#[cfg(test)]
mod tests;
