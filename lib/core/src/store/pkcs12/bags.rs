//! From an AuthenticatedSafe (RFC 7292, section 4.1) to what its bags hold: parts and bags are
//! decrypted where they stand, by [`key::pbe`](crate::key::pbe).

use std::borrow::Cow;

use super::super::link::{FoundCertificate, FoundKey};
use super::super::{Format, OpenOptions, StoreError};
use super::cost::Budget;
use super::{damaged, oid, refused, unsupported};
use crate::ber::{self, BerError, Element, Reader, dotted};
use crate::cert::Certificate;
use crate::key::pbe::{Encryption, Sealed, Secret, is_private_key_info};
use crate::secret::SecretBytes;

/// SafeContents may hold SafeContents; nobody writes more than one level.
const MAX_NESTING: u8 = 4;

/// Most bags of a file: the bags of a hundred thousand devices are no keystore.
const MAX_BAGS: usize = 100_000;

/// What a file holds, in its order.
#[derive(Default)]
pub(super) struct Bags {
    pub(super) keys: Vec<FoundKey>,
    pub(super) certificates: Vec<FoundCertificate>,
    /// Alias and algorithm of secret keys.
    pub(super) secrets: Vec<(Option<String>, Option<String>)>,
}

/// Opens parts and bags.
pub(super) struct Opener<'a> {
    /// Readings of the store's password, the likeliest first.
    pub(super) secrets: &'a [Secret],
    /// Readings of the password that keys may have of their own.
    pub(super) key_secrets: &'a [Secret],
    pub(super) options: OpenOptions<'a>,
    /// Whether the MAC shows that the password is right.
    pub(super) verified: bool,
    /// Whether anything was decrypted: without a MAC only that shows that a password is right.
    pub(super) opened: bool,
    /// Whether what does not open is passed over: to see whether anything does.
    pub(super) lenient: bool,
    pub(super) budget: Budget,
    pub(super) bags: Bags,
    seen: usize,
}

/// The attributes of a bag that count here.
#[derive(Default)]
struct Attributes {
    alias: Option<String>,
    local_key_id: Option<Vec<u8>>,
    java_trusted: bool,
}

impl<'a> Opener<'a> {
    pub(super) fn new(
        secrets: &'a [Secret],
        key_secrets: &'a [Secret],
        options: OpenOptions<'a>,
        verified: bool,
    ) -> Self {
        let (budget, bags) = (Budget::new(), Bags::default());
        let (opened, lenient, seen) = (false, false, 0);
        Self { secrets, key_secrets, options, verified, opened, lenient, budget, bags, seen }
    }

    /// Opens an AuthenticatedSafe.
    pub(super) fn safe(&mut self, content: &[u8]) -> Result<(), StoreError> {
        let mut infos = Reader::new(content).sequence("the authenticated safe")?;
        while !infos.is_empty() {
            let mut info = infos.sequence("a content info")?;
            let kind = info.oid("a content info's type")?;
            let explicit = info.tagged(ber::CONTEXT_0, "a content info's content")?;
            let mut content = Reader::new(explicit.contents);
            match kind {
                oid::DATA => self.contents(&content.octet_string("safe contents")?, 0)?,
                oid::ENCRYPTED_DATA => self.encrypted_data(content)?,
                oid::ENVELOPED_DATA => {
                    let what =
                        "encryption to a public key (EnvelopedData), which no password opens";
                    return Err(unsupported(what.to_owned()));
                }
                other => return Err(unsupported(format!("content of type {}", dotted(other)))),
            }
        }
        Ok(())
    }

    /// EncryptedData (RFC 5652, section 8).
    fn encrypted_data(&mut self, mut content: Reader<'_>) -> Result<(), StoreError> {
        let mut data = content.sequence("encrypted data")?;
        data.uint("the version of encrypted data")?;
        let mut info = data.sequence("encrypted content")?;
        info.oid("the type of encrypted content")?;
        let algorithm = info.tagged(ber::SEQUENCE, "an encryption algorithm")?;
        let bytes = info.tagged(ber::CONTEXT_0_PRIMITIVE, "encrypted content")?;
        let bytes = bytes.octet_string("encrypted content")?;
        let encryption = Encryption::read(algorithm).map_err(refused)?;
        let open = |secret: &Secret| encryption.decrypt(secret, &bytes);
        match self.decrypt(&encryption, false, open, is_sequence)? {
            Some(plain) => self.contents(plain.expose(), 0),
            None if self.lenient => Ok(()),
            None if self.verified => Err(damaged(
                "its MAC is right, and yet its contents do not open: they have another password",
            )),
            None => Err(self.wrong_password()),
        }
    }

    /// Tries the passwords. `own` says whether it may have a password of its own, `fits` whether what
    /// comes out is no garbage.
    fn decrypt(
        &mut self,
        encryption: &Encryption,
        own: bool,
        open: impl Fn(&Secret) -> Option<SecretBytes>,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<SecretBytes>, StoreError> {
        let own = if own { self.key_secrets } else { &[] };
        for secret in self.secrets.iter().chain(own) {
            self.budget.spend(encryption)?;
            if let Some(plain) = open(secret).filter(|plain| fits(plain.expose())) {
                self.opened = true;
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }

    fn wrong_password(&self) -> StoreError {
        wrong_password(self.options)
    }

    fn contents(&mut self, bytes: &[u8], depth: u8) -> Result<(), StoreError> {
        let mut contents = Reader::new(bytes).sequence("safe contents")?;
        while !contents.is_empty() {
            self.seen += 1;
            if self.seen > MAX_BAGS {
                return Err(damaged(format!("it has more than {MAX_BAGS} bags")));
            }
            let mut bag = contents.sequence("a bag")?;
            let id = bag.oid("a bag's type")?;
            let value = bag.tagged(ber::CONTEXT_0, "a bag's value")?.contents;
            match id {
                oid::SAFE_CONTENTS_BAG if depth < MAX_NESTING => self.contents(value, depth + 1)?,
                oid::SAFE_CONTENTS_BAG => {
                    return Err(damaged(format!(
                        "its bags are nested more than {MAX_NESTING} deep"
                    )));
                }
                oid::KEY_BAG => {
                    let key = Reader::new(value).any("a key")?.to_der()?;
                    self.key(SecretBytes::new(key), Attributes::read(bag)?);
                }
                oid::SHROUDED_KEY_BAG => self.shrouded_key(value, Attributes::read(bag)?)?,
                oid::CERT_BAG => self.certificate(value, Attributes::read(bag)?)?,
                oid::SECRET_BAG => {
                    let alias = Attributes::read(bag)?.alias;
                    let algorithm = self.secret_algorithm(value)?;
                    self.bags.secrets.push((alias, algorithm));
                }
                // A revocation list is no entry, nor is what nobody knows: OpenSSL passes over it too.
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, pkcs8: SecretBytes, attributes: Attributes) {
        let Attributes { alias, local_key_id, .. } = attributes;
        self.bags.keys.push(FoundKey { alias, local_key_id, pkcs8 });
    }

    fn shrouded_key(&mut self, value: &[u8], attributes: Attributes) -> Result<(), StoreError> {
        let sealed = Sealed::read(value).map_err(refused)?;
        let open = |secret: &Secret| sealed.open(secret);
        // Before this one is tried: its own opening says nothing about the store's password.
        let known = self.verified || self.opened;
        match self.decrypt(&sealed.encryption, true, open, is_private_key_info)? {
            Some(plain) => {
                let key = Reader::new(plain.expose()).any("a key")?.to_der()?;
                self.key(SecretBytes::new(key), attributes);
                Ok(())
            }
            None if self.lenient => Ok(()),
            None if known => {
                let alias = attributes.alias.unwrap_or_default();
                Err(StoreError::WrongKeyPassword { format: Format::Pkcs12, alias })
            }
            None => Err(self.wrong_password()),
        }
    }

    fn certificate(&mut self, value: &[u8], attributes: Attributes) -> Result<(), StoreError> {
        let mut bag = Reader::new(value).sequence("a certificate bag")?;
        if bag.oid("a certificate's type")? != oid::X509_CERTIFICATE {
            return Err(unsupported("certificates other than X.509".to_owned()));
        }
        let explicit = bag.tagged(ber::CONTEXT_0, "a certificate")?;
        let der = Reader::new(explicit.contents).octet_string("a certificate")?;
        let certificate = Certificate::from_der(&der)
            .map_err(|source| StoreError::Certificate { format: Format::Pkcs12, source })?;
        let Attributes { alias, local_key_id, java_trusted } = attributes;
        let found = FoundCertificate { alias, local_key_id, java_trusted, certificate };
        self.bags.certificates.push(found);
        Ok(())
    }

    /// The algorithm of a secret key, which Java wraps in an EncryptedPrivateKeyInfo. Secret keys are
    /// listed only, so whatever is odd about one is no error; what it would cost is.
    fn secret_algorithm(&mut self, value: &[u8]) -> Result<Option<String>, StoreError> {
        let wrapped = || -> Result<Cow<'_, [u8]>, BerError> {
            let mut bag = Reader::new(value).sequence("a secret bag")?;
            bag.oid("a secret's type")?;
            let explicit = bag.tagged(ber::CONTEXT_0, "a secret")?;
            Reader::new(explicit.contents).octet_string("a secret")
        };
        let Ok(wrapped) = wrapped() else { return Ok(None) };
        let Ok(sealed) = Sealed::read(&wrapped) else { return Ok(None) };
        let opened = self.opened;
        let open = |secret: &Secret| sealed.open(secret);
        let plain = self.decrypt(&sealed.encryption, false, open, is_private_key_info)?;
        self.opened = opened;
        Ok(plain.and_then(|plain| algorithm_of(plain.expose()).ok()))
    }
}

/// Why nothing opens.
pub(super) fn wrong_password(options: OpenOptions<'_>) -> StoreError {
    match options.store_password {
        Some(_) => StoreError::WrongPassword { format: Format::Pkcs12 },
        None => StoreError::PasswordNeeded { format: Format::Pkcs12 },
    }
}

/// Whether bytes are one SEQUENCE: a wrong password passes the padding once in 256 times, and then
/// nothing parses.
fn is_sequence(plain: &[u8]) -> bool {
    let mut file = Reader::new(plain);
    file.sequence("it").is_ok() && file.is_empty()
}

/// Dotted object identifier of a PrivateKeyInfo's algorithm.
fn algorithm_of(info: &[u8]) -> Result<String, BerError> {
    let mut info = Reader::new(info).sequence("a secret")?;
    info.uint("the version of a secret")?;
    Ok(dotted(info.sequence("a secret's algorithm")?.oid("a secret's algorithm")?))
}

impl Attributes {
    /// Reads the attributes after a bag's value. Those of another form than theirs do not count.
    fn read(mut bag: Reader<'_>) -> Result<Self, StoreError> {
        let mut found = Self::default();
        if bag.is_empty() {
            return Ok(found);
        }
        let mut attributes = Reader::new(bag.tagged(ber::SET, "a bag's attributes")?.contents);
        while !attributes.is_empty() {
            let mut attribute = attributes.sequence("an attribute")?;
            let id = attribute.oid("an attribute's type")?;
            let values = attribute.tagged(ber::SET, "an attribute's values")?;
            let mut values = Reader::new(values.contents);
            match id {
                oid::FRIENDLY_NAME if found.alias.is_none() && !values.is_empty() => {
                    found.alias = friendly_name(values.any("a friendlyName")?);
                }
                oid::LOCAL_KEY_ID if found.local_key_id.is_none() => {
                    let id = values.octet_string("a localKeyID");
                    found.local_key_id = id.ok().map(Cow::into_owned);
                }
                oid::JAVA_TRUSTED => found.java_trusted = true,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A BMPString; some writers end it with a NUL.
fn friendly_name(value: Element<'_>) -> Option<String> {
    if value.tag != ber::BMP_STRING {
        return None;
    }
    let units = value.contents.chunks(2).map(|c| c.iter().fold(0, |n, b| n << 8 | u16::from(*b)));
    let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let name: String = chars.collect();
    Some(name.trim_end_matches('\0').to_owned())
}
