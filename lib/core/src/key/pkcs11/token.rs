//! Tokens through `cryptoki`: finding them, logging in, looking at what is in them.
//!
//! A module is loaded and initialised once in a process, and stays: PKCS#11 has one state for each
//! (2.40, section 5.4), and who is logged in to a token is so in all sessions of the process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::{KeyUri, ListedKey, Pkcs11Error, TokenContents};
use crate::crypto::{CryptoError, PublicKey};
use crate::failure::Underlying;
use crate::secret::Password;

pub(super) type Result<T> = std::result::Result<T, Pkcs11Error>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this program loads no libraries: musl's static programs have no dynamic linker.
const IS_STATIC: bool = cfg!(all(target_env = "musl", target_feature = "crt-static"));

/// The module, loaded and initialised at its first use.
fn load(path: &Path) -> Result<Pkcs11> {
    static LOADED: Mutex<Vec<(PathBuf, Pkcs11)>> = Mutex::new(Vec::new());
    let mut loaded = locked(&LOADED);
    if let Some((_, module)) = loaded.iter().find(|(known, _)| known == path) {
        return Ok(module.clone());
    }
    if IS_STATIC {
        return Err(Pkcs11Error::Static(path.to_owned()));
    }
    let failed = |e: Error| Pkcs11Error::Module { module: path.to_owned(), reason: reason(e) };
    let module = Pkcs11::new(path)
        .map_err(|e| Pkcs11Error::NotAModule { module: path.to_owned(), reason: reason(e) })?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // By another part of the program.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(e) => return Err(failed(e)),
    }
    loaded.push((path.to_owned(), module.clone()));
    Ok(module)
}

/// What went wrong, in a sentence: the crate quotes whole paragraphs of the standard.
fn reason(e: Error) -> Underlying {
    let words = match &e {
        Error::LibraryLoading(e) => e.to_string(),
        Error::Pkcs11(e, _) => {
            let text = e.to_string();
            match text.split(". ").next().unwrap_or_default().trim_end_matches('.') {
                // It says where else it is found, not what it is.
                first if first.starts_with("This value") => constant(e),
                first => format!("{first} ({})", constant(e)),
            }
        }
        Error::MissingSymbol(_) | Error::NullFunctionPointer => {
            "it is no PKCS#11 module".to_owned()
        }
        other => other.to_string(),
    };
    Underlying::worded(words, e)
}

/// The name of a return value in the standard, CKR_DEVICE_ERROR: the crate has it only as a name of Rust's.
fn constant(e: &RvError) -> String {
    match e {
        RvError::VendorDefined(number) | RvError::UnknownErrorCode(number) => {
            format!("the return value {number:#x}, which the standard does not name")
        }
        named => {
            let mut name = "CKR".to_owned();
            for c in format!("{named:?}").chars() {
                if c.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(c.to_ascii_uppercase());
            }
            name
        }
    }
}

/// A token in its slot.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) module: Pkcs11,
    pub(super) slot: Slot,
    pub(super) label: String,
}

impl Token {
    /// The one token that the URI fits.
    pub(super) fn find(uri: &KeyUri) -> Result<Self> {
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

    pub(super) fn failed(&self, what: &'static str) -> impl Fn(Error) -> Pkcs11Error {
        let token = self.label.clone();
        move |e| match e {
            Error::Pkcs11(RvError::SessionCount, _) => {
                Pkcs11Error::NoSession { token: token.clone() }
            }
            e => Pkcs11Error::Failed { token: token.clone(), what, reason: reason(e) },
        }
    }

    pub(super) fn session(&self) -> Result<Session> {
        self.module.open_ro_session(self.slot).map_err(self.failed("opening a session"))
    }

    /// Logs the session in, and with it all others of this process.
    pub(super) fn log_in(&self, session: &Session, pin: &Password) -> Result<()> {
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
            Err(Error::Pkcs11(RvError::PinExpired, _)) => {
                Err(Pkcs11Error::PinExpired { token: token() })
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
    pub(super) fn objects(
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

    /// Its public keys; `uri` names the token.
    fn keys(&self, uri: &KeyUri) -> Result<Vec<ListedKey>> {
        let session = self.session()?;
        let mut keys = Vec::new();
        for object in self.objects(&session, ObjectClass::PUBLIC_KEY, &KeyUri::default())? {
            let found = self.attributes(&session, object)?;
            let (algorithm, problem) = match found.public_key() {
                Ok(Some(key)) => (Some(key.algorithm().to_string()), None),
                Ok(None) => (None, Some("it is neither RSA nor EC".to_owned())),
                Err(e) => (None, Some(e.to_string())),
            };
            let (object, id) = (Some(found.label), Some(found.id));
            keys.push(ListedKey { uri: KeyUri { object, id, ..uri.clone() }, algorithm, problem });
        }
        Ok(keys)
    }

    pub(super) fn attributes(&self, session: &Session, object: ObjectHandle) -> Result<Attributes> {
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
                Attribute::Label(bytes) => {
                    all.label = String::from_utf8_lossy(&bytes).into_owned();
                }
                Attribute::Id(bytes) => all.id = bytes,
                Attribute::Modulus(bytes) => all.modulus = bytes,
                Attribute::PublicExponent(bytes) => all.exponent = bytes,
                Attribute::EcParams(bytes) => all.curve = bytes,
                Attribute::EcPoint(bytes) => all.point = bytes,
                Attribute::AlwaysAuthenticate(always) => all.always_authenticate = always,
                _ => {}
            }
        }
        Ok(all)
    }
}

/// For messages, which name the module apart.
pub(super) fn boxed(uri: &KeyUri) -> Box<KeyUri> {
    Box::new(KeyUri { module: None, ..uri.clone() })
}

/// All tokens that can be looked at. A slot that fails is another's concern.
fn tokens(module: &Pkcs11, path: &Path) -> Result<Vec<(Slot, TokenInfo)>> {
    let failed = |e: Error| Pkcs11Error::Module { module: path.to_owned(), reason: reason(e) };
    let slots = module.get_slots_with_token().map_err(failed)?;
    let found =
        slots.into_iter().filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?)));
    Ok(found.filter(|(_, info)| info.token_initialized()).collect())
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
pub(super) struct Attributes {
    pub(super) label: String,
    pub(super) id: Vec<u8>,
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
    pub(super) curve: Vec<u8>,
    pub(super) point: Vec<u8>,
    pub(super) always_authenticate: bool,
}

impl Attributes {
    /// The public key, if the object holds it; why not, if it cannot be used.
    pub(super) fn public_key(&self) -> std::result::Result<Option<PublicKey>, CryptoError> {
        if !self.modulus.is_empty() && !self.exponent.is_empty() {
            return PublicKey::from_rsa(&self.modulus, &self.exponent).map(Some);
        }
        if !self.point.is_empty() && !self.curve.is_empty() {
            return PublicKey::from_ec_point(&self.curve, &self.point).map(Some);
        }
        Ok(None)
    }
}

/// Whether two URIs lead to one token, however they name it. One that is reached through two modules
/// counts as two.
pub fn is_one_token(one: &KeyUri, other: &KeyUri) -> Result<bool> {
    let (found, beside) = (Token::find(one)?, Token::find(other)?);
    Ok(one.module == other.module && found.slot == beside.slot)
}

/// The tokens behind a module, with the keys that can be seen without a PIN.
pub fn list(module: &Path) -> Result<Vec<TokenContents>> {
    let loaded = load(module)?;
    let listed = |(slot, info): (Slot, TokenInfo)| {
        let uri = KeyUri {
            token: Some(info.label().to_owned()),
            serial: Some(info.serial_number().to_owned()),
            module: Some(module.to_owned()),
            ..KeyUri::default()
        };
        let token = Token { module: loaded.clone(), slot, label: info.label().to_owned() };
        let (keys, problem) = match token.keys(&uri) {
            Ok(keys) => (keys, None),
            Err(e) => (Vec::new(), Some(e.to_string())),
        };
        let model = format!("{} {}", info.manufacturer_id(), info.model());
        TokenContents { token: uri, model, keys, problem }
    };
    Ok(tokens(&loaded, module)?.into_iter().map(listed).collect())
}

/// The public keys that the URI fits and that can be seen without a PIN. They stand for private keys that
/// were made in the token, and do not prove that these are there.
pub fn public_keys(uri: &KeyUri) -> Result<Vec<PublicKey>> {
    let token = Token::find(uri)?;
    let session = token.session()?;
    let mut keys = Vec::new();
    for object in token.objects(&session, ObjectClass::PUBLIC_KEY, uri)? {
        // What cannot be used is not what was looked for.
        keys.extend(token.attributes(&session, object)?.public_key().ok().flatten());
    }
    Ok(keys)
}
