//! The tokens and client certificates of the API: a file of the PKI directory, also where the registry is in a database. It is read anew for
//! each request, so that a token that was removed is good for nothing at once.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::client;
use super::error::ServeError;
use super::token::{NewToken, Token};
use crate::crypto::sha256;
use crate::failure::Underlying;
use crate::files::{self, Access, Existing, Lock, Stamp};
use crate::pki::Pki;
use crate::secret::Password;

/// Its name.
const FILE: &str = "service-tokens.json";

/// The form of the file.
const VERSION: u32 = 1;

/// What the file has.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    tokens: Vec<Token>,
}

/// Makes a token and keeps what tells it. The token itself is returned, once; none if a client certificate is to be
/// shown in place of it.
///
/// Errors: [`ServeError::TokenExists`], [`ServeError::TokenName`]; no such CA or order; a certificate that is good for no
/// client.
pub fn add_token(
    pki: &Pki,
    new: NewToken,
    now: OffsetDateTime,
) -> Result<(Token, Option<Password>), ServeError> {
    for ca in &new.cas {
        pki.ca(ca)?;
    }
    for name in &new.orders {
        pki.registry().order_named(name)?;
    }
    if let Some(certificate) = &new.certificate {
        client::check(pki, certificate, now)?;
    }
    let _lock = Lock::wait(&pki.lock_path())?;
    let mut all = tokens(pki)?;
    if all.iter().any(|token| token.name == new.name) {
        return Err(ServeError::TokenExists(new.name));
    }
    if let Some(certificate) = &new.certificate
        && let Some(other) = certificate_of(&all, certificate.der())
    {
        return Err(ServeError::ClientExists(other.name.clone()));
    }
    let (token, secret) = Token::make(new, now)?;
    // First the log: there is no token that it does not know.
    pki.registry().note_token("added", &token.name, token.certificate_sha256(), now)?;
    all.push(token.clone());
    write(pki, all)?;
    Ok((token, secret))
}

/// Forgets a token: it is good for nothing from now on.
///
/// Errors: [`ServeError::NoToken`].
pub fn remove_token(pki: &Pki, name: &str, now: OffsetDateTime) -> Result<(), ServeError> {
    let _lock = Lock::wait(&pki.lock_path())?;
    let mut all = tokens(pki)?;
    let before = all.len();
    all.retain(|token| token.name != name);
    if all.len() == before {
        return Err(ServeError::NoToken(name.to_owned()));
    }
    write(pki, all)?;
    Ok(pki.registry().note_token("removed", name, None, now)?)
}

/// What is kept of all tokens, in the order in which they were made.
pub fn tokens(pki: &Pki) -> Result<Vec<Token>, ServeError> {
    let path = path(pki);
    let bytes = match files::read_small(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let unread = |problem: Underlying| ServeError::TokenFile { path: path.clone(), problem };
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|e| unread(Underlying::of(e)))?;
    match kept.version {
        VERSION => Ok(kept.tokens),
        _ => Err(unread("its version is not known".into())),
    }
}

/// What is kept of the token that somebody shows.
pub(super) fn token_of(pki: &Pki, shown: &str) -> Result<Option<Token>, ServeError> {
    let digest = sha256(shown.as_bytes());
    Ok(tokens(pki)?.into_iter().find(|token| token.is_token(&digest)))
}

/// Which of them is this client certificate.
pub(super) fn certificate_of<'t>(all: &'t [Token], der: &[u8]) -> Option<&'t Token> {
    let digest = sha256(der);
    all.iter().find(|token| token.is_certificate(&digest))
}

/// A stamp of the file, which is another one when it has changed.
pub(super) fn stamp(pki: &Pki) -> Option<Stamp> {
    Stamp::of(&path(pki))
}

fn write(pki: &Pki, tokens: Vec<Token>) -> Result<(), ServeError> {
    let kept = Kept { version: VERSION, tokens };
    let text = serde_json::to_string_pretty(&kept).unwrap_or_default() + "\n";
    Ok(files::write(&path(pki), text.as_bytes(), Access::Private, Existing::Replace)?)
}

fn path(pki: &Pki) -> PathBuf {
    pki.dir().join(FILE)
}
