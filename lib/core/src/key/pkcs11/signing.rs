//! Keys in tokens through `cryptoki`: finding them, and signing with them.

use std::fmt;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::sessions::Sessions;
use super::token::{Attributes, Result, Token, boxed};
use super::{KeyUri, Pkcs11Error, Unusable};
use crate::crypto::{
    CryptoError, Hash, KeyAlgorithm, PublicKey, SignatureAlgorithm, ecdsa_to_der, fill_random,
};
use crate::failure::Underlying;
use crate::key::signer::Signer;
use crate::secret::Password;

/// A private key in a token. It stays there; what signs is the token.
pub struct TokenKey {
    token: Token,
    key: ObjectHandle,
    uri: KeyUri,
    public: PublicKey,
    sessions: Sessions,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({}, {})", self.uri, self.public.algorithm())
    }
}

impl TokenKey {
    /// Logs in with the user's PIN and takes the one private key that the URI fits. It signs once, so
    /// that the public key is known to be its own.
    pub fn open(uri: &KeyUri, pin: &Password) -> Result<Self> {
        Self::open_for(uri, pin, &[])
    }

    /// As [`TokenKey::open`], with public keys of which one may be its own: that of a certificate, for an EC key
    /// whose public half is not in the token. What it signs shows which one it is.
    pub fn open_for(uri: &KeyUri, pin: &Password, known: &[&PublicKey]) -> Result<Self> {
        let token = Token::find(uri)?;
        let session = token.session()?;
        token.log_in(&session, pin)?;
        let mut found = token.objects(&session, ObjectClass::PRIVATE_KEY, uri)?;
        let name = || token.label.clone();
        match (found.pop(), found.len()) {
            (Some(key), 0) => Self::of(token, session, key, uri, known),
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

    pub(super) fn of(
        token: Token,
        session: Session,
        key: ObjectHandle,
        uri: &KeyUri,
        known: &[&PublicKey],
    ) -> Result<Self> {
        let own = token.attributes(&session, key)?;
        let (label, name) = (own.label.clone(), token.label.clone());
        let unusable = |reason: Unusable| Pkcs11Error::UnusableKey {
            label: label.clone(),
            token: name.clone(),
            reason,
        };
        if own.always_authenticate {
            return Err(unusable(Unusable::PinForEach));
        }
        let told = match own.public_key().map_err(|e| unusable(e.into()))? {
            Some(public) => Some(public),
            None => public_beside(&token, &session, &own)?.map_err(unusable)?,
        };
        // RSA keys tell their public half themselves.
        let is_ec = |key: &&PublicKey| !matches!(key.algorithm(), KeyAlgorithm::Rsa { .. });
        let mut candidates = match &told {
            Some(public) => vec![public],
            None => known.iter().copied().filter(is_ec).collect(),
        };
        candidates.retain(|public| told.is_some() || public.check_strength().is_ok());
        let Some(first) = candidates.first() else {
            return Err(unusable(Unusable::NoPublicKey));
        };
        first.check_strength().map_err(|e| unusable(e.into()))?;
        // With what tells it from other keys, also those that will come. Not with the token's serial
        // number: a key lives on in a copy of its token.
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let uri = KeyUri {
            token: some(&token.label),
            object: some(&own.label),
            id: Some(own.id).filter(|id| !id.is_empty()),
            ..uri.clone()
        };
        let (public, sessions) = ((*first).clone(), Sessions::new(session));
        let mut made = Self { token, key, uri, public, sessions };
        let mut message = [0; 32];
        fill_random(&mut message)?;
        let signature = made.raw(Hash::Sha256, &message)?;
        let fits = |public: &&&PublicKey| public.verify_sha256(&message, &signature).is_ok();
        match candidates.iter().find(fits) {
            Some(public) => {
                made.public = (*public).clone();
                Ok(made)
            }
            None if told.is_some() => Err(unusable(Unusable::OtherPublicKey)),
            None => Err(unusable(Unusable::NoPublicKey)),
        }
    }

    /// The URI by which it is found again.
    pub fn uri(&self) -> &KeyUri {
        &self.uri
    }

    /// Lets the token sign the hash of a message.
    fn raw(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>> {
        let digest = hash.digest(message);
        let is_rsa = matches!(self.public.algorithm(), KeyAlgorithm::Rsa { .. });
        let (mechanism, input) = match is_rsa {
            true => (Mechanism::RsaPkcs, hash.digest_info(&digest)),
            false => (Mechanism::Ecdsa, digest),
        };
        let sign = |session: &Session| session.sign(&mechanism, self.key, &input);
        let signature = self.sessions.with(&self.token, "signing", sign)?;
        match is_rsa {
            true => Ok(signature),
            false => Ok(ecdsa_to_der(&signature)?),
        }
    }

    /// The signature, if the token made one and it is right.
    fn verified(
        &self,
        signature: Result<Vec<u8>>,
        verify: impl FnOnce(&[u8]) -> std::result::Result<(), CryptoError>,
    ) -> std::result::Result<Vec<u8>, CryptoError> {
        let signature = signature.map_err(|e| CryptoError::Token(Underlying::of(e)))?;
        verify(&signature).map_err(|_| {
            let token = &self.token.label;
            let words = format!("the token {token:?} gave a signature that is wrong");
            CryptoError::Token(words.into())
        })?;
        Ok(signature)
    }
}

/// The public half of an EC key, which does not say it itself: it is in the token beside it, with the
/// same id or, without one, the same label. None if it is not there; the reason if it cannot be told.
fn public_beside(
    token: &Token,
    session: &Session,
    own: &Attributes,
) -> Result<std::result::Result<Option<PublicKey>, Unusable>> {
    let beside = match own.id.is_empty() {
        true => KeyUri { object: Some(own.label.clone()), ..KeyUri::default() },
        false => KeyUri { id: Some(own.id.clone()), ..KeyUri::default() },
    };
    let mut found: Vec<(String, PublicKey)> = Vec::new();
    for object in token.objects(session, ObjectClass::PUBLIC_KEY, &beside)? {
        let attributes = token.attributes(session, object)?;
        match attributes.public_key() {
            Ok(Some(key)) => found.push((attributes.label, key)),
            Ok(None) => {}
            Err(e) => return Ok(Err(e.into())),
        }
    }
    if found.iter().any(|(_, key)| *key != found[0].1) {
        found.retain(|(label, _)| *label == own.label);
    }
    let (first, others) = match found.split_first() {
        Some(((_, first), others)) => (first.clone(), others),
        None => return Ok(Ok(None)),
    };
    match others.iter().all(|(_, key)| *key == first) {
        true => Ok(Ok(Some(first))),
        false => Ok(Err(Unusable::SeveralPublicKeys)),
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
        let verify = |signature: &[u8]| self.public.verify(algorithm, message, signature);
        self.verified(self.raw(hash, message), verify)
    }

    fn sign_sha256(&self, message: &[u8]) -> std::result::Result<Vec<u8>, CryptoError> {
        let verify = |signature: &[u8]| self.public.verify_sha256(message, signature);
        self.verified(self.raw(Hash::Sha256, message), verify)
    }
}
