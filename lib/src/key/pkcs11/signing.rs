//! Keys in tokens through `cryptoki`: making them, and signing with them.

use std::fmt;
use std::sync::Mutex;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::token::{Result, Token, boxed, locked};
use super::{KeyUri, Pkcs11Error};
use crate::crypto::{
    CryptoError, Hash, KeyAlgorithm, KeyType, PublicKey, SignatureAlgorithm, ecdsa_to_der,
    fill_random,
};
use crate::key::signer::Signer;
use crate::secret::Password;

/// Octets of the id that a new key gets.
const ID_LENGTH: usize = 16;
/// The public exponent of a new RSA key: 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

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
            false => ecdsa_to_der(&signature),
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
