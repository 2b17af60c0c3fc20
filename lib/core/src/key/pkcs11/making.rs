//! New keys in tokens, through `cryptoki`.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::Session;

use super::token::{Result, Token, boxed};
use super::{KeyUri, Pkcs11Error, TokenKey};
use crate::crypto::{KeyAlgorithm, KeyType, fill_random};
use crate::secret::Password;

/// Bytes of the id that a new key gets.
const ID_LENGTH: usize = 16;
/// The public exponent of a new RSA key: 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// A token with a place for a new key.
struct Place {
    token: Token,
    session: Session,
    label: String,
}

/// Logs in, and sees that no private key has the new one's label or id.
fn place(uri: &KeyUri, pin: &Password) -> Result<Place> {
    let label = uri.object.clone().filter(|label| !label.is_empty());
    let label = label.ok_or_else(|| Pkcs11Error::NoLabel(boxed(uri)))?;
    let token = Token::find(uri)?;
    let session = token.module.open_rw_session(token.slot);
    let session = session.map_err(token.failed("opening a session"))?;
    token.log_in(&session, pin)?;
    let same_label = KeyUri { object: Some(label.clone()), ..KeyUri::default() };
    let same_id = KeyUri { id: uri.id.clone(), ..KeyUri::default() };
    let taken = |of: &KeyUri| -> Result<bool> {
        Ok(!token.objects(&session, ObjectClass::PRIVATE_KEY, of)?.is_empty())
    };
    let what = if taken(&same_label)? {
        format!("label {label:?}")
    } else if uri.id.is_some() && taken(&same_id)? {
        "same id".to_owned()
    } else {
        return Ok(Place { token, session, label });
    };
    Err(Pkcs11Error::KeyExists { what, token: token.label })
}

impl TokenKey {
    /// Whether [`TokenKey::generate`] would find the token, its PIN right and a place for the key.
    pub fn check_new(uri: &KeyUri, key_type: KeyType, pin: &Password) -> Result<()> {
        let Place { token, .. } = place(uri, pin)?;
        match making(key_type) {
            Some(_) => Ok(()),
            None => Err(Pkcs11Error::CannotMake { key_type, token: token.label }),
        }
    }

    /// Makes a key pair in the token: private, sensitive, and it cannot be taken out. Its label is
    /// the URI's `object`, which no private key may have yet; its id that of the URI, or random.
    pub fn generate(uri: &KeyUri, key_type: KeyType, pin: &Password) -> Result<Self> {
        let Place { token, session, label } = place(uri, pin)?;
        let unknown = Pkcs11Error::CannotMake { key_type, token: token.label.clone() };
        let Some((mechanism, kind)) = making(key_type) else { return Err(unknown) };
        let mut id = uri.id.clone().unwrap_or_else(|| vec![0; ID_LENGTH]);
        if uri.id.is_none() {
            fill_random(&mut id)?;
        }
        let name = [Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(id)];
        let public = [&kind[..], &name, &[Attribute::Verify(true)]].concat();
        let kept = [
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        let private = [&name[..], &kept].concat();
        let (_, key) = match session.generate_key_pair(&mechanism, &public, &private) {
            Err(Error::Pkcs11(
                RvError::MechanismInvalid
                | RvError::CurveNotSupported
                | RvError::DomainParamsInvalid
                | RvError::KeySizeRange,
                _,
            )) => return Err(unknown),
            other => other.map_err(token.failed("making a key"))?,
        };
        Self::of(token, session, key, uri, &[])
    }
}

/// How a token makes a key of a type, and what has to be said of the public half.
fn making(key_type: KeyType) -> Option<(Mechanism<'static>, Vec<Attribute>)> {
    let rsa = |bits: u16| {
        // The system's `unsigned long`: 32 bits on some, 64 on others.
        let size = Attribute::ModulusBits(std::ffi::c_ulong::from(bits).into());
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
        KeyType::Ed25519 | KeyType::MlDsa(_) => None,
    }
}
