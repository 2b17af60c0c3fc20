//! From a PFX (RFC 7292, section 4) to bags: its MAC is checked here, its parts are decrypted and
//! parsed by `p12-keystore`.

use std::borrow::Cow;

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as CrateError;

use super::super::link::{FoundCertificate, FoundKey};
use super::super::{Format, OpenOptions, StoreError};
use super::ber::{self, Reader, dotted};
use super::cost::{Budget, check_iterations};
use super::part::{Kind, Part, parts};
use super::pbe::{Mac, bmp};
use super::{damaged, oid, unsupported};
use crate::cert::{CertError, Certificate};
use crate::crypto::MacHash;
use crate::secret::SecretBytes;

/// What a file holds, in its order.
#[derive(Default)]
pub(super) struct Bags {
    pub(super) keys: Vec<FoundKey>,
    pub(super) certificates: Vec<FoundCertificate>,
    /// Alias and algorithm of secret keys.
    pub(super) secrets: Vec<(Option<String>, Option<String>)>,
}

/// Reads the file: checks its MAC and has its parts opened.
pub(super) fn read(bytes: &[u8], options: OpenOptions<'_>) -> Result<Bags, StoreError> {
    let (content, mac) = read_pfx(bytes)?;
    if mac.is_none() && !options.allow_unverified {
        return Err(StoreError::NoMac);
    }
    let password = options.store_password.map(|p| p.expose()).unwrap_or_default();
    let matches = |password: &[u8]| mac.as_ref().is_none_or(|m| m.matches(password, &content));
    // "No password" is written in two ways, and a user cannot know which.
    let null = !matches(&bmp(password));
    if null && !(password.is_empty() && matches(&[])) {
        return Err(mac_failure(&content, password, options));
    }
    // What a crate that takes text cannot derive from: nothing at all, and UTF-16 in pairs.
    let underivable = null || password.chars().any(|c| u32::from(c) >= 0xffff);
    let (mut bags, mut budget) = (Bags::default(), Budget::new());
    let mut opener = Opener { password, options, verified: mac.is_some(), opened: false };
    for part in parts(&content)? {
        let legacy = part.encryption.as_ref().is_some_and(|e| e.legacy);
        if underivable && legacy && part.kind != Kind::Secret {
            let what = "encryption of RFC 7292 with the null password or signs beyond Unicode's \
                        first plane";
            return Err(unsupported(what.to_owned()));
        }
        let archive = opener.open(&part, &mut budget)?;
        bags.add(part, archive)?;
    }
    Ok(bags)
}

fn wrong_password(options: OpenOptions<'_>) -> StoreError {
    match options.store_password {
        Some(_) => StoreError::WrongPassword { format: Format::Pkcs12 },
        None => StoreError::PasswordNeeded { format: Format::Pkcs12 },
    }
}

/// A MAC that fails: the password is wrong, unless it decrypts some of the contents.
fn mac_failure(content: &[u8], password: &str, options: OpenOptions<'_>) -> StoreError {
    let mut budget = Budget::new();
    // What else is wrong does not matter: the file has changed anyway.
    let decrypts = parts(content).unwrap_or_default().iter().any(|part| {
        let Some(encryption) = &part.encryption else { return false };
        let some = |found: Pkcs12Archive| {
            !(found.keys.is_empty() && found.certs.is_empty() && found.secrets.is_empty())
        };
        budget.spend(encryption).is_ok() && open(part, password).is_ok_and(some)
    });
    if decrypts {
        return StoreError::Altered { format: Format::Pkcs12 };
    }
    wrong_password(options)
}

/// PFX: the octets of the AuthenticatedSafe, and the MAC.
fn read_pfx(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, Option<Mac>), StoreError> {
    let mut file = Reader::new(bytes);
    let mut pfx = file.sequence("the file")?;
    if !file.is_empty() {
        return Err(damaged("octets follow its end"));
    }
    let version = pfx.uint("the version")?;
    if version != 3 {
        return Err(unsupported(format!("version {version} of PKCS#12")));
    }
    let mut safe = pfx.sequence("the authenticated safe")?;
    match safe.oid("the type of the authenticated safe")? {
        oid::DATA => {}
        oid::SIGNED_DATA => return Err(unsupported("a signature in place of a MAC".to_owned())),
        other => return Err(unsupported(format!("content of type {}", dotted(other)))),
    }
    let explicit = safe.tagged(ber::CONTEXT_0, "the authenticated safe's content")?;
    let content = Reader::new(explicit.contents).octets("the authenticated safe's content")?;
    let mac = if pfx.is_empty() { None } else { Some(read_mac(pfx)?) };
    Ok((content, mac))
}

fn read_mac(mut pfx: Reader<'_>) -> Result<Mac, StoreError> {
    let mut data = pfx.sequence("the MAC")?;
    let mut digest_info = data.sequence("the MAC's value")?;
    let algorithm = digest_info.sequence("the MAC's algorithm")?.oid("the MAC's algorithm")?;
    let hash = match algorithm {
        oid::SHA1 => MacHash::Sha1,
        oid::SHA256 => MacHash::Sha256,
        oid::SHA384 => MacHash::Sha384,
        oid::SHA512 => MacHash::Sha512,
        oid::PBMAC1 => return Err(unsupported("a MAC of PBMAC1 (RFC 9579)".to_owned())),
        other => return Err(unsupported(format!("a MAC with the hash {}", dotted(other)))),
    };
    let digest = digest_info.octets("the MAC's value")?.into_owned();
    let salt = data.octets("the MAC's salt")?.into_owned();
    // DEFAULT 1
    let count = if data.is_empty() { 1 } else { data.uint("the MAC's iteration count")? };
    let iterations = check_iterations(count, "the MAC of the PKCS#12 store")?;
    Ok(Mac { hash, digest, salt, iterations })
}

/// Why the crate does not open a part.
enum Failure {
    /// Most likely the password: padding or structure is what a wrong one breaks.
    Password(CrateError),
    /// Something else.
    Store(StoreError),
}

/// Has the crate open a part.
fn open(part: &Part, password: &str) -> Result<Pkcs12Archive, Failure> {
    use CrateError::{
        DerError, InvalidPrivateKey, Pkcs5Error, UnpadError, UnsupportedCertificateType,
        UnsupportedEncryptionScheme, X509Error,
    };
    let error = match Pkcs12Archive::from_pkcs12(&part.pfx, password) {
        Ok(archive) => return Ok(archive),
        Err(error) => error,
    };
    Err(Failure::Store(match error {
        Pkcs5Error(_) | UnpadError => return Err(Failure::Password(error)),
        // Wrong passwords pass the padding once in 256 times; then nothing parses.
        DerError(_) | InvalidPrivateKey if part.encryption.is_some() => {
            return Err(Failure::Password(error));
        }
        X509Error(e) => {
            let source = CertError::Malformed(e.to_string());
            StoreError::Certificate { format: Format::Pkcs12, source }
        }
        UnsupportedCertificateType => unsupported("certificates other than X.509".to_owned()),
        UnsupportedEncryptionScheme => unsupported("an encryption of unknown type".to_owned()),
        other => damaged(other.to_string()),
    }))
}

struct Opener<'a> {
    password: &'a str,
    options: OpenOptions<'a>,
    /// Whether the MAC shows that the password is right.
    verified: bool,
    /// Whether anything was decrypted: without a MAC only that shows that a password is right.
    opened: bool,
}

impl Opener<'_> {
    fn open(&mut self, part: &Part, budget: &mut Budget) -> Result<Pkcs12Archive, StoreError> {
        if part.kind == Kind::Secret && part.encryption.is_none() {
            return Ok(Pkcs12Archive::default());
        }
        // A key may have a password of its own.
        let own = self.options.key_password.filter(|_| part.kind == Kind::Key);
        let mut failure = None;
        for password in [Some(self.password), own.map(|p| p.expose())].into_iter().flatten() {
            if let Some(encryption) = &part.encryption {
                budget.spend(encryption)?;
            }
            match open(part, password) {
                Ok(archive) => {
                    self.opened |= matches!(part.kind, Kind::Encrypted | Kind::Key);
                    return Ok(archive);
                }
                // Secret keys are listed only, whether they open or not.
                Err(_) if part.kind == Kind::Secret => return Ok(Pkcs12Archive::default()),
                Err(Failure::Password(error)) => failure = Some(error),
                Err(Failure::Store(error)) => return Err(error),
            }
        }
        Err(self.refusal(part, failure))
    }

    /// The error for a part that no password opens. If nothing shows that the store's password is
    /// right, it is not the key's that is missing.
    fn refusal(&self, part: &Part, error: Option<CrateError>) -> StoreError {
        match error {
            _ if part.kind == Kind::Key && (self.verified || self.opened) => {
                let alias = part.alias.clone().unwrap_or_default();
                StoreError::WrongKeyPassword { format: Format::Pkcs12, alias }
            }
            Some(error) if self.verified => {
                damaged(format!("its MAC is right, and yet its contents do not open: {error}"))
            }
            _ => wrong_password(self.options),
        }
    }
}

impl Bags {
    /// Adds what the crate found in a part.
    fn add(&mut self, part: Part, archive: Pkcs12Archive) -> Result<(), StoreError> {
        // The crate drops names beyond Unicode's first plane, and keeps the NULs of some writers.
        let alias = |name: Option<String>| {
            let name = name.or_else(|| part.alias.clone());
            name.map(|n| n.trim_end_matches('\0').to_owned())
        };
        for bag in archive.keys {
            self.keys.push(FoundKey {
                alias: alias(bag.friendly_name),
                local_key_id: bag.local_key_id.map(|id| id.0),
                pkcs8: SecretBytes::new(bag.key.as_der()),
            });
        }
        for bag in archive.certs {
            let certificate = Certificate::from_der(bag.cert.as_der())
                .map_err(|source| StoreError::Certificate { format: Format::Pkcs12, source })?;
            self.certificates.push(FoundCertificate {
                alias: alias(bag.friendly_name),
                local_key_id: bag.local_key_id,
                java_trusted: bag.trusted,
                certificate,
            });
        }
        if part.kind == Kind::Secret && archive.secrets.is_empty() {
            self.secrets.push((alias(None), None));
        }
        for bag in archive.secrets {
            let algorithm = bag.key.key_type().to_oid().to_string();
            self.secrets.push((alias(bag.friendly_name), Some(algorithm)));
        }
        Ok(())
    }
}
