//! From a store to a PFX (RFC 7292, section 4), in DER.
//!
//! Certificates go into one encrypted part, keys each encrypted into another, as OpenSSL and Java
//! do. The alias is the friendlyName of a key and of its leaf; both carry the SHA-1 of the leaf as
//! localKeyID, by which readers join them.

use zeroize::Zeroizing;

use super::super::{Entry, EntryKind, Format, Salt, Store, StoreError, WriteOptions};
use super::cost::check_iterations;
use super::mac::{Mac, MacKdf, MacKey};
use super::{Compat, Pkcs12Options, oid};
use crate::cert::Certificate;
use crate::crypto::{MacHash, sha1};
use crate::der;
use crate::key::Pbes2Key;
use crate::key::pbe::pkcs12::{bmp, encrypt_3des};
use crate::key::pbe::{Kdf, Secret};
use crate::secret::Password;

/// What is derived from the password of a file, or of many files with one password.
pub struct Derived {
    options: Pkcs12Options,
    password: Password,
    cipher: Cipher,
    mac: MacKey,
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Derived").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Derived {
    /// Derives what PKCS#12 files with that password need. Files that share it share their salts: they
    /// have one password anyway, and anyone who guesses it at one of them has them all.
    ///
    /// Errors: as of [`write`](super::super::write()).
    pub fn new(options: &WriteOptions<'_>) -> Result<Self, StoreError> {
        Self::with(options, &mut crate::crypto::fill_random)
    }

    fn with(options: &WriteOptions<'_>, salt: Salt<'_>) -> Result<Self, StoreError> {
        let password = options.java_password(Format::Pkcs12)?;
        let Pkcs12Options { compat, encryption_iterations, mac_iterations, .. } = options.pkcs12;
        check_iterations(encryption_iterations.into(), "the encryption of the PKCS#12 store")?;
        check_iterations(mac_iterations.into(), "the MAC of the PKCS#12 store")?;
        let pbmac1 = options.pkcs12.pbmac1;
        let hash = match (compat, pbmac1) {
            (Compat::Modern, _) | (_, true) => MacHash::Sha256,
            (Compat::Legacy, false) => MacHash::Sha1,
        };
        let cipher = Cipher::new(password, compat, encryption_iterations, salt)?;
        let mut mac_salt = vec![0; 20];
        salt(&mut mac_salt)?;
        let text = zeroize::Zeroizing::new(password.expose().as_bytes().to_vec());
        let secret = Secret { text, bmp: bmp(password.expose()) };
        let mac = MacKey::derive(hash, &secret, mac_salt, mac_iterations, pbmac1);
        Ok(Self { options: options.pkcs12, password: password.clone(), cipher, mac })
    }
}

/// Writes a file.
pub(in super::super) fn write(
    store: &Store,
    options: &WriteOptions<'_>,
    salt: Salt<'_>,
) -> Result<Vec<u8>, StoreError> {
    if options.unprotected {
        return unprotected(store, options);
    }
    let password = options.java_password(Format::Pkcs12)?;
    if options.key_password.is_some_and(|key| key != password) {
        return Err(StoreError::SeparateKeyPassword);
    }
    let own;
    let derived = match options.derived {
        Some(derived) if derived.options == options.pkcs12 && derived.password == *password => {
            derived
        }
        _ => {
            own = Derived::with(options, salt)?;
            &own
        }
    };
    let mut encrypt = |data: &[u8]| derived.cipher.encrypt(data, salt);

    let bags = certificate_bags(store)?;
    let certificates = match (bags.is_empty(), options.pkcs12.plain_certificates) {
        (true, _) => None,
        (false, true) => Some(Certificates::Plain(sequence_of(&bags))),
        (false, false) => Some(Certificates::Sealed(encrypt(&sequence_of(&bags))?)),
    };
    let keys = key_bags(store, &mut |pkcs8| {
        let sealed = encrypt(pkcs8)?;
        let info = der::element(der::OCTET_STRING, &[&sealed.data]);
        let der = Zeroizing::new(der::element(der::SEQUENCE, &[&sealed.algorithm, &info]));
        Ok(KeyValue { kind: oid::SHROUDED_KEY_BAG, der })
    })?;
    let safe = authenticated_safe(certificates, &keys);
    Ok(pfx(&safe, Some(&derived.mac.mac(&safe))))
}

/// A file without password: its keys are as they are, and it has no MAC.
fn unprotected(store: &Store, options: &WriteOptions<'_>) -> Result<Vec<u8>, StoreError> {
    if options.store_password.or(options.key_password).is_some() {
        let what = "a password and be without one".to_owned();
        return Err(StoreError::CannotHold { format: Format::Pkcs12, what });
    }
    let bags = certificate_bags(store)?;
    let certificates = (!bags.is_empty()).then(|| Certificates::Plain(sequence_of(&bags)));
    let keys = key_bags(store, &mut |pkcs8| {
        Ok(KeyValue { kind: oid::KEY_BAG, der: Zeroizing::new(pkcs8.to_vec()) })
    })?;
    let safe = Zeroizing::new(authenticated_safe(certificates, &keys));
    Ok(pfx(&safe, None))
}

/// The value of a key's bag, and of which kind the bag is then.
struct KeyValue {
    kind: &'static [u8],
    der: Zeroizing<Vec<u8>>,
}

/// The bags of all keys; `value` makes the value of one.
fn key_bags(
    store: &Store,
    value: &mut dyn FnMut(&[u8]) -> Result<KeyValue, StoreError>,
) -> Result<Vec<Zeroizing<Vec<u8>>>, StoreError> {
    let mut bags = Vec::new();
    for entry in &store.entries {
        if let EntryKind::Key { pkcs8, chain } = &entry.kind {
            let id = chain.first().map(local_key_id);
            let KeyValue { kind, der } = value(pkcs8.expose())?;
            bags.push(Zeroizing::new(bag(kind, Some(&entry.alias), id, false, &der)));
        }
    }
    Ok(bags)
}

/// The part with the certificates.
enum Certificates {
    Plain(Zeroizing<Vec<u8>>),
    Sealed(Sealed),
}

fn local_key_id(leaf: &Certificate) -> [u8; 20] {
    sha1(leaf.der())
}

/// Ciphertext with its AlgorithmIdentifier (DER).
struct Sealed {
    algorithm: Vec<u8>,
    data: Vec<u8>,
}

/// How the parts of a file are encrypted.
enum Cipher {
    Modern(Pbes2Key),
    Legacy { password: Password, iterations: u32 },
}

impl Cipher {
    fn new(
        password: &Password,
        compat: Compat,
        iterations: u32,
        random: Salt<'_>,
    ) -> Result<Self, StoreError> {
        Ok(match compat {
            Compat::Modern => {
                // 128 bits of salt: NIST SP 800-132, section 5.1.
                let mut salt = [0; 16];
                random(&mut salt)?;
                Self::Modern(Pbes2Key::derive(password.expose(), salt, iterations))
            }
            Compat::Legacy => Self::Legacy { password: password.clone(), iterations },
        })
    }

    fn encrypt(&self, data: &[u8], random: Salt<'_>) -> Result<Sealed, StoreError> {
        let (id, parameters, data) = match self {
            Self::Modern(key) => {
                let mut iv = [0; 16];
                random(&mut iv)?;
                let (parameters, data) = key.encrypt(data, iv)?;
                (oid::PBES2, parameters, data)
            }
            // The IV comes from the salt here, so that each part needs a salt of its own.
            Self::Legacy { password, iterations } => {
                let mut salt = [0; 20];
                random(&mut salt)?;
                let parameters =
                    sequence(&[&octet_string(&salt), &der::number((*iterations).into())]);
                let data = encrypt_3des(data, password.expose(), &salt, *iterations)?;
                (oid::PBE_SHA1_3DES, parameters, data)
            }
        };
        Ok(Sealed { algorithm: sequence(&[&oid_of(id), &parameters]), data })
    }
}

/// The bags of all certificates. A CA's certificate that several chains share is written once.
fn certificate_bags(store: &Store) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut bags = Vec::new();
    let mut issuers: Vec<&Certificate> = Vec::new();
    for Entry { alias, kind, .. } in &store.entries {
        match kind {
            EntryKind::Key { chain, .. } => {
                let Some((leaf, rest)) = chain.split_first() else {
                    return Err(StoreError::EmptyChain { alias: alias.clone() });
                };
                let id = Some(local_key_id(leaf));
                bags.push(certificate_bag(leaf, Some(alias), id, false));
                for issuer in rest {
                    if !issuers.contains(&issuer) {
                        issuers.push(issuer);
                        bags.push(certificate_bag(issuer, None, None, false));
                    }
                }
            }
            EntryKind::Trusted { certificate, .. } => {
                bags.push(certificate_bag(certificate, Some(alias), None, true));
            }
            EntryKind::SecretKey { .. } => {
                let what = format!("the secret key {alias:?}: secret keys are listed only");
                return Err(StoreError::CannotHold { format: Format::Pkcs12, what });
            }
            EntryKind::Sealed { .. } => {
                let alias = alias.clone();
                return Err(StoreError::SealedKey { format: Format::Pkcs12, alias });
            }
        }
    }
    Ok(bags)
}

fn certificate_bag(
    certificate: &Certificate,
    alias: Option<&str>,
    local_key_id: Option<[u8; 20]>,
    trusted: bool,
) -> Vec<u8> {
    let value = sequence(&[
        &oid_of(oid::X509_CERTIFICATE),
        &der::element(der::CONTEXT_0, &[&octet_string(certificate.der())]),
    ]);
    bag(oid::CERT_BAG, alias, local_key_id, trusted, &value)
}

/// SafeBag with its attributes. Java's mark makes a certificate a trusted entry.
fn bag(
    kind: &[u8],
    alias: Option<&str>,
    local_key_id: Option<[u8; 20]>,
    trusted: bool,
    value: &[u8],
) -> Vec<u8> {
    let attribute =
        |kind: &[u8], value: &[u8]| sequence(&[&oid_of(kind), &der::element(der::SET, &[value])]);
    let mut attributes = Vec::new();
    if let Some(alias) = alias {
        let characters: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let name = der::element(der::BMP_STRING, &[&characters]);
        attributes.push(attribute(oid::FRIENDLY_NAME, &name));
    }
    if let Some(id) = local_key_id {
        attributes.push(attribute(oid::LOCAL_KEY_ID, &octet_string(&id)));
    }
    if trusted {
        attributes.push(attribute(oid::JAVA_TRUSTED, &oid_of(oid::ANY_EXTENDED_KEY_USAGE)));
    }
    // The order of a SET OF in DER (X.690, 11.6).
    attributes.sort();
    let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
    let attributes = match attributes.is_empty() {
        true => Vec::new(),
        false => der::element(der::SET, &attributes),
    };
    let value = der::secret(der::CONTEXT_0, &[value]);
    sequence(&[&oid_of(kind), &value, &attributes])
}

fn sequence_of(elements: &[impl AsRef<[u8]>]) -> Zeroizing<Vec<u8>> {
    let elements: Vec<&[u8]> = elements.iter().map(AsRef::as_ref).collect();
    der::secret(der::SEQUENCE, &elements)
}

/// AuthenticatedSafe: the certificates, then the keys.
fn authenticated_safe(certificates: Option<Certificates>, keys: &[Zeroizing<Vec<u8>>]) -> Vec<u8> {
    let mut infos = Vec::new();
    match &certificates {
        Some(Certificates::Plain(contents)) => {
            infos.push(content_info(oid::DATA, &octet_string(contents)));
        }
        Some(Certificates::Sealed(sealed)) => {
            let data = der::element(der::CONTEXT_0_PRIMITIVE, &[&sealed.data]);
            let info = sequence(&[&oid_of(oid::DATA), &sealed.algorithm, &data]);
            infos.push(content_info(oid::ENCRYPTED_DATA, &sequence(&[&der::number(0), &info])));
        }
        None => {}
    }
    if !keys.is_empty() {
        let contents = der::secret(der::OCTET_STRING, &[&sequence_of(keys)]);
        infos.push(content_info(oid::DATA, &contents));
    }
    let infos: Vec<&[u8]> = infos.iter().map(|info| info.as_slice()).collect();
    sequence(&infos)
}

fn content_info(kind: &[u8], content: &[u8]) -> Zeroizing<Vec<u8>> {
    let content = der::secret(der::CONTEXT_0, &[content]);
    der::secret(der::SEQUENCE, &[&oid_of(kind), &content])
}

fn pfx(safe: &[u8], mac: Option<&Mac>) -> Vec<u8> {
    let safe = content_info(oid::DATA, &der::secret(der::OCTET_STRING, &[safe]));
    sequence(&[&der::number(3), &safe, &mac.map(mac_data).unwrap_or_default()])
}

/// MacData.
fn mac_data(mac: &Mac) -> Vec<u8> {
    let info = sequence(&[&mac_algorithm(mac), &octet_string(&mac.digest)]);
    let (salt, iterations) = match &mac.kdf {
        MacKdf::Pkcs12 { salt, iterations } => (salt.as_slice(), der::number((*iterations).into())),
        // The salt has to be there and does not count; OpenSSL writes the same.
        MacKdf::Pbmac1 { .. } => (&b"NOT USED"[..], Vec::new()),
    };
    sequence(&[&info, &octet_string(salt), &iterations])
}

/// The AlgorithmIdentifier of a MAC: a hash, or PBMAC1 with its parameters (RFC 8018, appendix A.5).
fn mac_algorithm(mac: &Mac) -> Vec<u8> {
    const NULL: &[u8] = &[0x05, 0x00];
    let MacKdf::Pbmac1 { kdf: Kdf::Pbkdf2 { salt, iterations, key_len, .. }, .. } = &mac.kdf else {
        let hash = oid::HASHES.iter().find(|(hash, _)| *hash == mac.hash);
        return sequence(&[&oid_of(hash.map(|(_, id)| *id).unwrap_or_default()), NULL]);
    };
    let hmac = sequence(&[&oid_of(oid::HMAC_SHA256), NULL]);
    let length = der::number(key_len.unwrap_or_default());
    let pbkdf2 = sequence(&[&octet_string(salt), &der::number(*iterations), &length, &hmac]);
    let kdf = sequence(&[&oid_of(oid::PBKDF2), &pbkdf2]);
    sequence(&[&oid_of(oid::PBMAC1), &sequence(&[&kdf, &hmac])])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der::element(der::SEQUENCE, parts)
}

fn octet_string(contents: &[u8]) -> Vec<u8> {
    der::element(der::OCTET_STRING, &[contents])
}

/// An OBJECT IDENTIFIER from its contents.
fn oid_of(contents: &[u8]) -> Vec<u8> {
    der::element(der::OID, &[contents])
}
