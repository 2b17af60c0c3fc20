//! From a PFX to bags (RFC 7292, section 4).

use std::borrow::Cow;

use super::super::link::{FoundCertificate, FoundKey};
use super::super::{Format, OpenOptions, StoreError};
use super::ber::{self, Element, Reader, damaged, dotted};
use super::oid;
use super::pbe::{Budget, Failure, Mac, Passphrase, check_iterations, decrypt};
use crate::cert::Certificate;
use crate::crypto::MacHash;
use crate::secret::SecretBytes;

/// SafeContents may hold SafeContents; nobody writes more than one level.
const MAX_NESTING: u8 = 4;

/// What a file holds, in its order.
#[derive(Default)]
pub(super) struct Bags {
    pub(super) keys: Vec<FoundKey>,
    pub(super) certificates: Vec<FoundCertificate>,
    /// Alias and algorithm of secret keys.
    pub(super) secrets: Vec<(Option<String>, Option<String>)>,
    /// Whether anything was decrypted: only that shows that a password is right.
    decrypted: bool,
}

/// Reads the file: checks its MAC and decrypts what is in it.
pub(super) fn read(bytes: &[u8], options: OpenOptions<'_>) -> Result<Bags, StoreError> {
    let (content, mac) = read_pfx(bytes)?;
    if mac.is_none() && !options.allow_unverified {
        return Err(StoreError::NoMac);
    }
    let given = options.store_password.map(|p| p.expose()).unwrap_or_default();
    // "No password" is written in two ways, and a user cannot know which.
    let candidates = match given {
        "" => vec![Passphrase::Text(""), Passphrase::Null],
        text => vec![Passphrase::Text(text)],
    };
    let verified = |p: &Passphrase<'_>| mac.as_ref().is_none_or(|m| m.matches(*p, &content));
    let Some(first) = candidates.iter().position(verified) else {
        return Err(mac_failure(&content, &candidates, options));
    };
    // With a MAC the password is settled; without one each is tried.
    let settled = if mac.is_some() { &candidates[first..=first] } else { &candidates[..] };
    let (mut error, budget) = (wrong_password(options), Budget::new());
    for password in settled {
        let mut bags = Bags::default();
        let decoder = Decoder { password: *password, options, budget: &budget };
        match decoder.authenticated_safe(&content, &mut bags) {
            Ok(()) => return Ok(bags),
            Err(Failure::Password) if mac.is_some() => {
                return Err(damaged("its MAC is right, and yet its contents do not decrypt"));
            }
            // If nothing shows that the password is right, it is not the key's that is missing.
            Err(Failure::Store(e @ StoreError::WrongKeyPassword { .. }))
                if bags.decrypted || mac.is_some() =>
            {
                error = e;
            }
            Err(Failure::Password | Failure::Store(StoreError::WrongKeyPassword { .. })) => {}
            Err(Failure::Store(other)) => return Err(other),
        }
    }
    Err(error)
}

fn wrong_password(options: OpenOptions<'_>) -> StoreError {
    match options.store_password {
        Some(_) => StoreError::WrongPassword { format: Format::Pkcs12 },
        None => StoreError::PasswordNeeded { format: Format::Pkcs12 },
    }
}

/// A MAC that fails: the password is wrong, unless it decrypts the contents.
fn mac_failure(
    content: &[u8],
    candidates: &[Passphrase<'_>],
    options: OpenOptions<'_>,
) -> StoreError {
    let budget = Budget::new();
    let decrypts = candidates.iter().any(|password| {
        let mut bags = Bags::default();
        // What is wrong after that does not matter: the file has changed anyway.
        let _ = Decoder { password: *password, options, budget: &budget }
            .authenticated_safe(content, &mut bags);
        bags.decrypted
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

fn unsupported(what: String) -> StoreError {
    StoreError::Unsupported { format: Format::Pkcs12, what }
}

/// The attributes of a bag that matter.
#[derive(Default)]
struct Attributes {
    alias: Option<String>,
    local_key_id: Option<Vec<u8>>,
    java_trusted: bool,
}

#[derive(Clone, Copy)]
struct Decoder<'a> {
    password: Passphrase<'a>,
    options: OpenOptions<'a>,
    budget: &'a Budget,
}

impl Decoder<'_> {
    fn authenticated_safe(self, content: &[u8], bags: &mut Bags) -> Result<(), Failure> {
        let mut infos = Reader::new(content).sequence("the authenticated safe")?;
        while !infos.is_empty() {
            let mut info = infos.sequence("a content info")?;
            let kind = info.oid("a content info's type")?;
            let explicit = info.tagged(ber::CONTEXT_0, "a content info's content")?;
            let mut content = Reader::new(explicit.contents);
            match kind {
                oid::DATA => {
                    let octets = content.octets("safe contents")?;
                    self.safe_contents(&octets, bags, 0)?;
                }
                oid::ENCRYPTED_DATA => {
                    let plain = self.encrypted_data(content)?;
                    // Wrong passwords pass the padding once in 256 times; then nothing parses.
                    if !is_one_sequence(&plain) {
                        return Err(Failure::Password);
                    }
                    bags.decrypted = true;
                    self.safe_contents(&plain, bags, 0)?;
                }
                oid::ENVELOPED_DATA => {
                    return Err(unsupported("encryption to a public key".to_owned()).into());
                }
                other => {
                    let what = format!("content of type {}", dotted(other));
                    return Err(unsupported(what).into());
                }
            }
        }
        Ok(())
    }

    /// EncryptedData (RFC 5652, section 8).
    fn encrypted_data(
        self,
        mut content: Reader<'_>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
        let mut data = content.sequence("encrypted data")?;
        data.uint("the version of encrypted data")?;
        let mut info = data.sequence("encrypted content")?;
        info.oid("the type of encrypted content")?;
        let algorithm = info.sequence("an encryption algorithm")?;
        let octets = info.tagged(ber::CONTEXT_0_PRIMITIVE, "encrypted content")?;
        decrypt(algorithm, &octets.octets("encrypted content")?, self.password, self.budget)
    }

    fn safe_contents(self, octets: &[u8], bags: &mut Bags, depth: u8) -> Result<(), Failure> {
        let mut contents = Reader::new(octets).sequence("safe contents")?;
        while !contents.is_empty() {
            let mut bag = contents.sequence("a bag")?;
            let kind = bag.oid("a bag's type")?;
            let explicit = bag.tagged(ber::CONTEXT_0, "a bag's value")?;
            let value = Reader::new(explicit.contents);
            let attributes = read_attributes(bag)?;
            match kind {
                oid::KEY_BAG => add_key(bags, attributes, explicit.contents),
                oid::SHROUDED_KEY_BAG => {
                    let key = self.shrouded_key(value, attributes.alias.as_deref())?;
                    bags.decrypted = true;
                    add_key(bags, attributes, &key);
                }
                oid::CERT_BAG => add_certificate(bags, attributes, value)?,
                oid::SECRET_BAG => {
                    let algorithm = self.secret_algorithm(value);
                    bags.secrets.push((attributes.alias, algorithm));
                }
                oid::SAFE_CONTENTS_BAG if depth < MAX_NESTING => {
                    self.safe_contents(explicit.contents, bags, depth + 1)?;
                }
                // A revocation list is no entry.
                oid::CRL_BAG => {}
                other => {
                    let what = format!("a bag of type {}", dotted(other));
                    return Err(unsupported(what).into());
                }
            }
        }
        Ok(())
    }

    /// EncryptedPrivateKeyInfo, under the store's password or the key's own.
    fn shrouded_key(
        self,
        mut value: Reader<'_>,
        alias: Option<&str>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
        let info = value.tagged(ber::SEQUENCE, "an encrypted key")?;
        let own = self.options.key_password.map(|p| Passphrase::Text(p.expose()));
        for password in [Some(self.password), own].into_iter().flatten() {
            match self.decrypt_info(info, password) {
                // What a wrong password decrypts to passes the padding now and then.
                Ok(plain) if is_one_sequence(&plain) => return Ok(plain),
                Ok(_) | Err(Failure::Password) => {}
                Err(other) => return Err(other),
            }
        }
        let alias = alias.unwrap_or_default().to_owned();
        Err(StoreError::WrongKeyPassword { format: Format::Pkcs12, alias }.into())
    }

    /// The algorithm of a secret key, which Java wraps in an EncryptedPrivateKeyInfo.
    fn secret_algorithm(self, mut value: Reader<'_>) -> Option<String> {
        let mut bag = value.sequence("a secret bag").ok()?;
        bag.oid("a secret's type").ok()?;
        let explicit = bag.tagged(ber::CONTEXT_0, "a secret").ok()?;
        let wrapped = Reader::new(explicit.contents).octets("a secret").ok()?;
        let info = Reader::new(&wrapped).tagged(ber::SEQUENCE, "a secret").ok()?;
        let plain = self.decrypt_info(info, self.password).ok()?;
        let mut key = Reader::new(&plain).sequence("a secret key").ok()?;
        key.uint("a secret key's version").ok()?;
        let algorithm = key.sequence("a secret key's algorithm").ok()?.oid("an algorithm").ok()?;
        Some(dotted(algorithm))
    }

    fn decrypt_info(
        self,
        info: Element<'_>,
        password: Passphrase<'_>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
        let mut info = Reader::new(info.contents);
        let algorithm = info.sequence("an encryption algorithm")?;
        decrypt(algorithm, &info.octets("an encrypted key")?, password, self.budget)
    }
}

/// Whether what was decrypted is one SEQUENCE to its end: by chance, once in some 2^24 times.
fn is_one_sequence(plain: &[u8]) -> bool {
    let mut reader = Reader::new(plain);
    reader.sequence("decrypted contents").is_ok() && reader.is_empty()
}

fn add_key(bags: &mut Bags, attributes: Attributes, pkcs8: &[u8]) {
    bags.keys.push(FoundKey {
        alias: attributes.alias,
        local_key_id: attributes.local_key_id,
        pkcs8: SecretBytes::new(pkcs8),
    });
}

fn add_certificate(
    bags: &mut Bags,
    attributes: Attributes,
    mut value: Reader<'_>,
) -> Result<(), StoreError> {
    let mut bag = value.sequence("a certificate bag")?;
    let kind = bag.oid("a certificate's type")?;
    if kind != oid::X509_CERTIFICATE {
        return Err(unsupported(format!("a certificate of type {}", dotted(kind))));
    }
    let explicit = bag.tagged(ber::CONTEXT_0, "a certificate")?;
    let der = Reader::new(explicit.contents).octets("a certificate")?;
    let certificate = Certificate::from_der(&der)
        .map_err(|source| StoreError::Certificate { format: Format::Pkcs12, source })?;
    bags.certificates.push(FoundCertificate {
        alias: attributes.alias,
        local_key_id: attributes.local_key_id,
        java_trusted: attributes.java_trusted,
        certificate,
    });
    Ok(())
}

/// The attributes after a bag's value; unknown ones are passed over.
fn read_attributes(mut bag: Reader<'_>) -> Result<Attributes, StoreError> {
    let mut found = Attributes::default();
    if bag.is_empty() {
        return Ok(found);
    }
    let mut attributes = Reader::new(bag.tagged(ber::SET, "a bag's attributes")?.contents);
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence("an attribute")?;
        let kind = attribute.oid("an attribute's type")?;
        let mut values = Reader::new(attribute.tagged(ber::SET, "an attribute's values")?.contents);
        if values.is_empty() {
            continue;
        }
        match kind {
            oid::FRIENDLY_NAME => {
                let octets = values.tagged(ber::BMP_STRING, "a friendlyName")?.contents;
                let units =
                    octets.chunks(2).map(|c| c.iter().fold(0, |n, b| n << 8 | u16::from(*b)));
                let name: String = char::decode_utf16(units)
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect();
                found.alias = Some(name.trim_end_matches('\0').to_owned());
            }
            oid::LOCAL_KEY_ID => {
                found.local_key_id = Some(values.octets("a localKeyID")?.into_owned());
            }
            oid::JAVA_TRUSTED => found.java_trusted = true,
            _ => {}
        }
    }
    Ok(found)
}
