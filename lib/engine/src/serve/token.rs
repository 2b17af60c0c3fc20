//! A bearer token of the API, or a client certificate in place of one: what it lets its bearer do, and with what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::ServeError;
use crate::cert::Certificate;
use crate::crypto::{fill_random, hex, sha256, unhex};
use crate::secret::Password;

/// How every token begins: programs that look for lost secrets know it by this.
const START: &str = "c8y-pki-token-";

/// Most characters of a name.
const MAX_NAME: usize = 64;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenRole {
    /// To have certificates made.
    Issue,
    /// To see devices, orders, CAs, lists and numbers.
    Read,
    /// To revoke certificates.
    Revoke,
}

impl TokenRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Issue, Self::Read, Self::Revoke];

    /// Its name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Read => "read",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for TokenRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TokenRole {
    type Err = ServeError;

    fn from_str(text: &str) -> Result<Self, ServeError> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| ServeError::TokenRole(text.to_owned()))
    }
}

/// What is kept of a token. The token itself is not. A client certificate in place of one has all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its name, which no other token has.
    pub name: String,
    /// What it is good for.
    pub roles: Vec<TokenRole>,
    /// Names of the CAs that it is for; all of them if none is named.
    pub cas: Vec<String>,
    /// Names of the orders that it is for; if none is named all of them, and devices in no order.
    pub orders: Vec<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it ends, if it does.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// The client certificate that is shown in place of a token, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    /// The SHA-256 of the token or of that certificate. A token has 256 random bits, so nobody finds it by trying, and a slow hash would add nothing.
    sha256: Digest,
}

/// A digest, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Digest([u8; 32]);

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a SHA-256 has 64 hex digits")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        hex(&digest.0)
    }
}

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub roles: Vec<TokenRole>,
    /// Names of the CAs that it is for; all of them if none is named.
    pub cas: Vec<String>,
    /// Names of the orders that it is for; if none is named all of them, and devices in no order.
    pub orders: Vec<String>,
    /// When it ends, if it does.
    pub expires: Option<OffsetDateTime>,
    /// The client certificate that is to be shown in place of a token.
    pub certificate: Option<Certificate>,
}

impl Token {
    /// Makes a token, unless a certificate is to be shown, and what is kept of it.
    pub(super) fn make(
        new: NewToken,
        now: OffsetDateTime,
    ) -> Result<(Self, Option<Password>), ServeError> {
        let NewToken { name, mut roles, cas, orders, expires, certificate } = new;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
            return Err(ServeError::TokenName(name));
        }
        roles.sort_unstable();
        roles.dedup();
        let secret = match &certificate {
            Some(_) => None,
            None => Some(random_token()?),
        };
        let shown = match (&certificate, &secret) {
            (Some(certificate), _) => certificate.der(),
            (None, secret) => secret.as_ref().map_or(&[][..], |token| token.expose().as_bytes()),
        };
        let sha256 = Digest(sha256(shown));
        let created = now.replace_nanosecond(0).unwrap_or(now);
        let end = certificate.as_ref().map(|certificate| certificate.not_after);
        let expires = expires.into_iter().chain(end).min();
        let expires = expires.map(|at| at.replace_nanosecond(0).unwrap_or(at));
        let certificate = certificate.map(|certificate| certificate.pem());
        Ok((Self { name, roles, cas, orders, created, expires, certificate, sha256 }, secret))
    }

    /// The SHA-256 of the client certificate that is shown in place of a token, in hex.
    pub fn certificate_sha256(&self) -> Option<String> {
        self.certificate.as_ref().map(|_| hex(&self.sha256.0))
    }

    /// The certificate, if it can be read.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let pem = self.certificate.as_ref()?;
        Certificate::all_from_pem_or_der(pem.as_bytes()).ok()?.pop()
    }

    /// What is shown: `token` or `certificate`.
    pub(super) fn by(&self) -> &'static str {
        if self.certificate.is_some() { "certificate" } else { "token" }
    }

    /// Whether it is the token that this digest is of. Digests are compared: how many of their first bytes are the
    /// same says nothing of the token.
    pub(super) fn is_token(&self, digest: &[u8; 32]) -> bool {
        self.certificate.is_none() && self.is_of(digest)
    }

    /// Whether it is the certificate that this digest is of.
    pub(super) fn is_certificate(&self, digest: &[u8; 32]) -> bool {
        self.certificate.is_some() && self.is_of(digest)
    }

    fn is_of(&self, digest: &[u8; 32]) -> bool {
        self.sha256.0.iter().zip(digest).fold(0, |other, (a, b)| other | (a ^ b)) == 0
    }

    /// Whether it has come to its end.
    pub(super) fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Whether it is good for that.
    pub(super) fn may(&self, role: TokenRole) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it is for a CA of that name.
    pub(super) fn is_for_ca(&self, name: &str) -> bool {
        self.cas.is_empty() || self.cas.iter().any(|ca| ca == name)
    }

    /// Whether it is for an order of that name; none is for devices that are in no order.
    pub(super) fn is_for_order(&self, name: Option<&str>) -> bool {
        let same = |own: &String| name.is_some_and(|name| own.eq_ignore_ascii_case(name));
        self.orders.is_empty() || self.orders.iter().any(same)
    }

    /// Whether it is not for everything.
    pub(super) fn is_limited(&self) -> bool {
        !self.cas.is_empty() || !self.orders.is_empty()
    }
}

fn random_token() -> Result<Password, ServeError> {
    let mut random = [0; 32];
    fill_random(&mut random)?;
    Ok(Password::new(format!("{START}{}", hex(&random))))
}

impl fmt::Display for Token {
    /// In a sentence, and in the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(cas: &[&str], orders: &[&str]) -> Token {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let new = NewToken {
            name: "station".to_owned(),
            roles: vec![TokenRole::Read, TokenRole::Issue, TokenRole::Read],
            cas: own(cas),
            orders: own(orders),
            expires: Some(OffsetDateTime::UNIX_EPOCH),
            certificate: None,
        };
        Token::make(new, OffsetDateTime::UNIX_EPOCH).unwrap().0
    }

    #[test]
    fn a_token_is_for_what_it_names() {
        let all = token(&[], &[]);
        assert!(all.is_for_ca("line") && all.is_for_order(None) && !all.is_limited());
        let limited = token(&["line"], &["acme"]);
        assert!(limited.is_for_ca("line") && !limited.is_for_ca("root"));
        assert!(limited.is_for_order(Some("ACME")) && !limited.is_for_order(Some("b")));
        assert!(!limited.is_for_order(None) && limited.is_limited());
        assert_eq!(all.roles, [TokenRole::Issue, TokenRole::Read]);
        assert!(all.has_ended(OffsetDateTime::UNIX_EPOCH) && !all.may(TokenRole::Revoke));
    }

    #[test]
    fn what_is_kept_knows_its_token_and_does_not_tell_it() {
        let new = NewToken {
            name: "a".to_owned(),
            roles: vec![TokenRole::Read],
            cas: vec![],
            orders: vec![],
            expires: None,
            certificate: None,
        };
        let (kept, secret) = Token::make(new, OffsetDateTime::UNIX_EPOCH).unwrap();
        let secret = secret.unwrap();
        assert_eq!(secret.expose().len(), START.len() + 64);
        assert!(kept.is_token(&sha256(secret.expose().as_bytes())));
        assert!(!kept.is_certificate(&sha256(secret.expose().as_bytes())));
        assert!(!kept.is_token(&sha256(b"another")));
        let written = serde_json::to_string(&kept).unwrap();
        assert!(!written.contains(&secret.expose()[START.len()..]));
        assert_eq!(serde_json::from_str::<Token>(&written).unwrap(), kept);
        assert!(serde_json::from_str::<Token>(&written.replace("\"sha256\":\"", "$0zz")).is_err());
    }
}
