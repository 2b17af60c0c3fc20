//! Tokens through `cryptoki`: finding, logging in, making keys, signing.
//!
//! A module is loaded and initialised once in a process, and stays: PKCS#11 has one state for each
//! (2.40, section 5.4), and who is logged in to a token is so in all sessions of the process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::{KeyUri, ListedKey, Pkcs11Error, TokenContents};
use crate::crypto::{
    CryptoError, Hash, KeyAlgorithm, KeyType, PublicKey, SignatureAlgorithm, fill_random,
};
use crate::key::signer::Signer;
use crate::secret::Password;

type Result<T> = std::result::Result<T, Pkcs11Error>;

/// Octets of the id that a new key gets.
const ID_LENGTH: usize = 16;
/// The public exponent of a new RSA key: 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The module, loaded and initialised at its first use.
fn load(path: &Path) -> Result<Pkcs11> {
    static LOADED: Mutex<Vec<(PathBuf, Pkcs11)>> = Mutex::new(Vec::new());
    let mut loaded = locked(&LOADED);
    if let Some((_, module)) = loaded.iter().find(|(known, _)| known == path) {
        return Ok(module.clone());
    }
    let failed = |e: Error| Pkcs11Error::Module { module: path.to_owned(), reason: reason(&e) };
    let module = Pkcs11::new(path)
        .map_err(|e| Pkcs11Error::NotAModule { module: path.to_owned(), reason: reason(&e) })?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // By another part of the program.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(e) => return Err(failed(e)),
    }
    loaded.push((path.to_owned(), module.clone()));
    Ok(module)
}

/// What went wrong, in a sentence: the crate quotes whole paragraphs of the standard.
fn reason(e: &Error) -> String {
    match e {
        Error::LibraryLoading(e) => e.to_string(),
        Error::Pkcs11(e, _) => {
            let text = e.to_string();
            let first = text.split(". ").next().unwrap_or_default().trim_end_matches('.');
            format!("{first} ({e:?})")
        }
        Error::MissingSymbol(_) | Error::NullFunctionPointer => {
            "it is no PKCS#11 module".to_owned()
        }
        other => other.to_string(),
    }
}

/// A token in its slot.
#[derive(Debug, Clone)]
struct Token {
    module: Pkcs11,
    slot: Slot,
    label: String,
}

impl Token {
    /// The one token that the URI fits.
    fn find(uri: &KeyUri) -> Result<Self> {
        let path = uri.module.as_deref().ok_or_else(|| Pkcs11Error::NoModule(boxed(uri)))?;
        let module = load(path)?;
        let all = tokens(&module, path)?;
        let mut fit: Vec<_> = all.iter().filter(|(_, info)| fits(uri, info)).collect();
        match (fit.pop(), fit.len()) {
            (Some((slot, info)), 0) => {
                Ok(Self { module, slot: *slot, label: info.label().to_owned() })
            }
            (Some(_), others) => {
                Err(Pkcs11Error::SeveralTokens { uri: boxed(uri), count: others + 1 })
            }
            (None, _) => Err(Pkcs11Error::NoToken {
                uri: boxed(uri),
                module: path.to_owned(),
                present: all.iter().map(|(_, info)| info.label().to_owned()).collect(),
            }),
        }
    }

    fn failed(&self, what: &'static str) -> impl Fn(Error) -> Pkcs11Error {
        let token = self.label.clone();
        move |e| Pkcs11Error::Failed { token: token.clone(), what, reason: reason(&e) }
    }

    fn session(&self) -> Result<Session> {
        self.module.open_ro_session(self.slot).map_err(self.failed("opening a session"))
    }

    /// A session that may change the token, logged in. All others of this process then are, too.
    fn log_in(&self, session: &Session, pin: &Password) -> Result<()> {
        let token = || self.label.clone();
        let pin = AuthPin::from(pin.expose().to_owned());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                let info = self.module.get_token_info(self.slot);
                let last_try = info.is_ok_and(|info| info.user_pin_final_try());
                Err(Pkcs11Error::WrongPin { token: token(), last_try })
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => {
                Err(Pkcs11Error::PinLocked { token: token() })
            }
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => {
                Err(Pkcs11Error::NoPinYet { token: token() })
            }
            Err(e) => Err(self.failed("the login")(e)),
        }
    }

    /// The objects of a class that the key's part of the URI fits.
    fn objects(
        &self,
        session: &Session,
        class: ObjectClass,
        uri: &KeyUri,
    ) -> Result<Vec<ObjectHandle>> {
        let mut template = vec![Attribute::Class(class)];
        template.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into())));
        template.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
        session.find_objects(&template).map_err(self.failed("looking for keys"))
    }

    fn attributes(&self, session: &Session, object: ObjectHandle) -> Result<Attributes> {
        let wanted = [
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::AlwaysAuthenticate,
        ];
        let found =
            session.get_attributes(object, &wanted).map_err(self.failed("reading a key"))?;
        let mut all = Attributes::default();
        for attribute in found {
            match attribute {
                Attribute::Label(octets) => {
                    all.label = String::from_utf8_lossy(&octets).into_owned();
                }
                Attribute::Id(octets) => all.id = octets,
                Attribute::Modulus(octets) => all.modulus = octets,
                Attribute::PublicExponent(octets) => all.exponent = octets,
                Attribute::EcParams(octets) => all.curve = octets,
                Attribute::EcPoint(octets) => all.point = octets,
                Attribute::AlwaysAuthenticate(always) => all.always_authenticate = always,
                _ => {}
            }
        }
        Ok(all)
    }
}

/// For messages, which name the module apart.
fn boxed(uri: &KeyUri) -> Box<KeyUri> {
    Box::new(KeyUri { module: None, ..uri.clone() })
}

fn tokens(module: &Pkcs11, path: &Path) -> Result<Vec<(Slot, TokenInfo)>> {
    let failed = |e: Error| Pkcs11Error::Module { module: path.to_owned(), reason: reason(&e) };
    let slots = module.get_slots_with_initialized_token().map_err(failed)?;
    slots.into_iter().map(|slot| Ok((slot, module.get_token_info(slot).map_err(failed)?))).collect()
}

fn fits(uri: &KeyUri, info: &TokenInfo) -> bool {
    let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
    same(&uri.token, info.label())
        && same(&uri.serial, info.serial_number())
        && same(&uri.manufacturer, info.manufacturer_id())
        && same(&uri.model, info.model())
}

/// What a token says of a key. What it does not say is empty.
#[derive(Default)]
struct Attributes {
    label: String,
    id: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    curve: Vec<u8>,
    point: Vec<u8>,
    always_authenticate: bool,
}

impl Attributes {
    /// The public key, if the object holds it; why not, if it cannot be used.
    fn public_key(&self) -> std::result::Result<Option<PublicKey>, CryptoError> {
        if !self.modulus.is_empty() && !self.exponent.is_empty() {
            return PublicKey::from_rsa(&self.modulus, &self.exponent).map(Some);
        }
        if !self.point.is_empty() && !self.curve.is_empty() {
            return PublicKey::from_ec_point(&self.curve, &self.point).map(Some);
        }
        Ok(None)
    }
}

/// A private key in a token. It stays there; what signs is the token.
pub struct TokenKey {
    token: Token,
    key: ObjectHandle,
    uri: KeyUri,
    public: PublicKey,
    /// Sessions that nobody signs with at the moment.
    idle: Mutex<Vec<Session>>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({}, {})", self.uri, self.public.algorithm())
    }
}

impl TokenKey {
    /// Logs in with the user's PIN and takes the one private key that the URI fits.
    pub fn open(uri: &KeyUri, pin: &Password) -> Result<Self> {
        let token = Token::find(uri)?;
        let session = token.session()?;
        token.log_in(&session, pin)?;
        let mut found = token.objects(&session, ObjectClass::PRIVATE_KEY, uri)?;
        let name = || token.label.clone();
        match (found.pop(), found.len()) {
            (Some(key), 0) => Self::of(token, session, key, uri),
            (Some(_), others) => {
                Err(Pkcs11Error::SeveralKeys { uri: boxed(uri), token: name(), count: others + 1 })
            }
            (None, _) => {
                let mut present = Vec::new();
                let any = KeyUri::default();
                for other in token.objects(&session, ObjectClass::PRIVATE_KEY, &any)? {
                    present.push(token.attributes(&session, other)?.label);
                }
                present.sort();
                Err(Pkcs11Error::NoKey { uri: boxed(uri), token: name(), present })
            }
        }
    }

    /// Makes a key pair in the token: private, sensitive, and it cannot be taken out. Its label is
    /// the URI's `object`, which no private key may have yet; its id that of the URI, or random.
    pub fn generate(uri: &KeyUri, key_type: KeyType, pin: &Password) -> Result<Self> {
        let label = uri.object.clone().filter(|label| !label.is_empty());
        let label = label.ok_or_else(|| Pkcs11Error::NoLabel(boxed(uri)))?;
        let token = Token::find(uri)?;
        let writing = token.module.open_rw_session(token.slot);
        let writing = writing.map_err(token.failed("opening a session"))?;
        token.log_in(&writing, pin)?;
        let same_label = KeyUri { object: Some(label.clone()), ..KeyUri::default() };
        if !token.objects(&writing, ObjectClass::PRIVATE_KEY, &same_label)?.is_empty() {
            return Err(Pkcs11Error::KeyExists { label, token: token.label });
        }
        let mut id = uri.id.clone().unwrap_or_else(|| vec![0; ID_LENGTH]);
        if uri.id.is_none() {
            fill_random(&mut id)?;
        }
        let unknown = Pkcs11Error::CannotMake { key_type, token: token.label.clone() };
        let Some((mechanism, kind)) = making(key_type) else { return Err(unknown) };
        let name = [Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(id)];
        let public = [&kind[..], &name, &[Attribute::Verify(true)]].concat();
        let kept = [
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        let private = [&name[..], &kept].concat();
        let (_, key) = match writing.generate_key_pair(&mechanism, &public, &private) {
            Err(Error::Pkcs11(
                RvError::MechanismInvalid
                | RvError::CurveNotSupported
                | RvError::DomainParamsInvalid
                | RvError::KeySizeRange,
                _,
            )) => return Err(unknown),
            other => other.map_err(token.failed("making a key"))?,
        };
        let session = token.session()?;
        Self::of(token, session, key, uri)
    }

    fn of(token: Token, session: Session, key: ObjectHandle, uri: &KeyUri) -> Result<Self> {
        let own = token.attributes(&session, key)?;
        let unusable = |reason: String| Pkcs11Error::UnusableKey {
            label: own.label.clone(),
            token: token.label.clone(),
            reason,
        };
        if own.always_authenticate {
            return Err(unusable("it wants the PIN again for each signature".to_owned()));
        }
        let mut public = own.public_key().map_err(|e| unusable(e.to_string()))?;
        if public.is_none() {
            // An EC private key does not say its public half; the public key beside it does.
            let beside = match own.id.is_empty() {
                true => KeyUri { object: Some(own.label.clone()), ..KeyUri::default() },
                false => KeyUri { id: Some(own.id.clone()), ..KeyUri::default() },
            };
            for object in token.objects(&session, ObjectClass::PUBLIC_KEY, &beside)? {
                let found = token.attributes(&session, object)?.public_key();
                public = public.or(found.map_err(|e| unusable(e.to_string()))?);
            }
        }
        let public = public.ok_or_else(|| {
            unusable("it is neither RSA nor EC, or its public key is not in the token".to_owned())
        })?;
        public.check_strength()?;
        // With all that tells it from others, also from those that will come.
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let uri = KeyUri {
            token: some(&token.label),
            object: some(&own.label),
            id: Some(own.id).filter(|id| !id.is_empty()),
            ..uri.clone()
        };
        let idle = Mutex::new(vec![session]);
        Ok(Self { token, key, uri, public, idle })
    }

    /// The URI by which it is found again.
    pub fn uri(&self) -> &KeyUri {
        &self.uri
    }

    /// Lets the token sign a hash, in a session that nobody else uses at the moment.
    fn sign_with(&self, hash: Hash, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        let idle = locked(&self.idle).pop();
        let session = idle.map_or_else(|| self.token.session(), Ok).map_err(token_failed)?;
        let digest = hash.digest(message);
        let is_rsa = matches!(self.public.algorithm(), KeyAlgorithm::Rsa { .. });
        let signature = if is_rsa {
            session.sign(&Mechanism::RsaPkcs, self.key, &hash.digest_info(&digest))
        } else {
            session.sign(&Mechanism::Ecdsa, self.key, &digest)
        };
        let signature = signature.map_err(self.token.failed("signing")).map_err(token_failed)?;
        locked(&self.idle).push(session);
        match is_rsa {
            true => Ok(signature),
            false => crate::crypto::ecdsa_to_der(&signature),
        }
    }
}

fn token_failed(e: Pkcs11Error) -> CryptoError {
    CryptoError::Token(e.to_string())
}

/// How a token makes a key of a type, and what has to be said of the public half.
fn making(key_type: KeyType) -> Option<(Mechanism<'static>, Vec<Attribute>)> {
    let rsa = |bits: u64| {
        let size = Attribute::ModulusBits(bits.into());
        (Mechanism::RsaPkcsKeyPairGen, vec![size, Attribute::PublicExponent(EXPONENT.into())])
    };
    let ec = |curve: KeyAlgorithm| {
        let params = Attribute::EcParams(curve.curve()?.to_vec());
        Some((Mechanism::EccKeyPairGen, vec![params]))
    };
    match key_type {
        KeyType::Rsa2048 => Some(rsa(2048)),
        KeyType::Rsa3072 => Some(rsa(3072)),
        KeyType::Rsa4096 => Some(rsa(4096)),
        KeyType::EcP256 => ec(KeyAlgorithm::EcP256),
        KeyType::EcP384 => ec(KeyAlgorithm::EcP384),
        KeyType::EcP521 => ec(KeyAlgorithm::EcP521),
        KeyType::Ed25519 => None,
    }
}

impl Signer for TokenKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm().signature_algorithm()
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        let algorithm = self.algorithm();
        let hash = algorithm.hash().ok_or(CryptoError::Failed("signing"))?;
        let signature = self.sign_with(hash, message)?;
        self.public.verify(algorithm, message, &signature)?;
        Ok(signature)
    }

    fn sign_sha256(&self, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        let signature = self.sign_with(Hash::Sha256, message)?;
        self.public.verify_sha256(message, &signature)?;
        Ok(signature)
    }
}

/// The tokens behind a module, with the keys that can be seen without a PIN.
pub fn list(module: &Path) -> Result<Vec<TokenContents>> {
    let loaded = load(module)?;
    let mut contents = Vec::new();
    for (slot, info) in tokens(&loaded, module)? {
        let label = info.label().to_owned();
        let uri = KeyUri {
            token: Some(label.clone()),
            serial: Some(info.serial_number().to_owned()),
            module: Some(module.to_owned()),
            ..KeyUri::default()
        };
        let token = Token { module: loaded.clone(), slot, label };
        let session = token.session()?;
        let mut keys = Vec::new();
        for object in token.objects(&session, ObjectClass::PUBLIC_KEY, &KeyUri::default())? {
            let found = token.attributes(&session, object)?;
            let algorithm = match found.public_key() {
                Ok(Some(key)) => Ok(key.algorithm()),
                Ok(None) => Err("it is neither RSA nor EC".to_owned()),
                Err(e) => Err(e.to_string()),
            };
            let key = KeyUri {
                object: Some(found.label),
                id: Some(found.id),
                serial: None,
                ..uri.clone()
            };
            keys.push(ListedKey { uri: key, algorithm });
        }
        let model = format!("{} {}", info.manufacturer_id(), info.model());
        contents.push(TokenContents { uri, model, keys });
    }
    Ok(contents)
}
