//! A CA of the directory: read from its files, its key opened, its name.

use std::path::{Path, PathBuf};

use super::{AuthorityError, Ca, CaKey, KeyPlace, MAX_NAME, Result};
use crate::cert::Certificate;
use crate::files::{self, Cached};
use crate::profile::{Kind, Profile};
use crate::secret::Password;

impl Ca {
    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        // `load` refuses an empty chain.
        &self.chain[0]
    }

    /// The PEM of its chain: itself … root.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }

    /// Its directory.
    #[doc(hidden)]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its key is.
    #[doc(hidden)]
    pub fn key_place(&self) -> &KeyPlace {
        &self.key
    }

    /// Whether its key, or the file that says which key in a token it is, is in its directory.
    #[doc(hidden)]
    pub fn has_key(&self) -> bool {
        self.key.path().exists()
    }

    /// Refuses a CA whose key is not here: to be asked before anybody is asked for a secret.
    ///
    /// Errors: [`AuthorityError::NoKey`].
    #[doc(hidden)]
    pub fn check_has_key(&self) -> Result<()> {
        match self.has_key() {
            true => Ok(()),
            false => Err(AuthorityError::NoKey {
                ca: self.name.clone(),
                path: self.key.path().to_owned(),
            }),
        }
    }

    /// Opens its key: with the password of its file, or the PIN of its token.
    pub fn unlock(&self, secret: &Password) -> Result<CaKey> {
        self.unlock_through(secret, None)
    }

    /// The same, with the PKCS#11 module for a key in a token whose URI names none.
    pub fn unlock_through(&self, secret: &Password, module: Option<&Path>) -> Result<CaKey> {
        self.check_has_key()?;
        let own = self.certificate().public_key.as_ref().ok();
        Ok(CaKey::new(&self.name, self.key.open(secret, module, own)?))
    }
}
/// The CA whose certificate this is, or was before it was renewed.
pub(super) fn parent_of(above: &Certificate, all: &[(String, Certificate)]) -> Option<String> {
    let same = all.iter().find(|(_, cert)| cert == above);
    let renewed = || {
        all.iter().find(|(_, cert)| cert.spki == above.spki && cert.subject.matches(&above.subject))
    };
    same.or_else(renewed).map(|(name, _)| name.clone())
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first = name.bytes().next().is_some_and(fits);
    let rest = name.bytes().all(|b| fits(b) || b == b'-' || b == b'_');
    if first && rest && name.len() <= MAX_NAME {
        Ok(())
    } else {
        Err(AuthorityError::BadName(name.to_owned()))
    }
}

/// Refuses a profile of another kind.
pub(crate) fn want_kind(profile: &Profile, wanted: Kind) -> Result<()> {
    let word = |kind| match kind {
        Kind::Root => "root CA",
        Kind::Intermediate => "intermediate CA",
        Kind::Device => "device",
        Kind::Server => "server",
    };
    if profile.kind == wanted {
        return Ok(());
    }
    Err(AuthorityError::WrongProfile {
        profile: profile.name.clone(),
        is: word(profile.kind),
        wanted: word(wanted),
    })
}

pub(super) fn load(name: String, dir: PathBuf) -> Result<Ca> {
    load_seen(name, dir, &Cached::default())
}

/// The same; a chain whose file has not changed is not read again.
pub(super) fn load_seen(
    name: String,
    dir: PathBuf,
    chains: &Cached<Vec<Certificate>>,
) -> Result<Ca> {
    let path = dir.join("chain.pem");
    let chain = chains.get(&path, |_| {
        Certificate::all_from_pem_or_der(&files::read(&path)?).map_err(|e| {
            AuthorityError::Certificate { path: path.clone(), source: Box::new(e.into()) }
        })
    })?;
    let key = KeyPlace::in_dir(&dir)?;
    Ok(Ca { name, chain, parent: None, dir, key })
}
