//! Tokens: JSON Web Tokens (RFC 7519) signed with RS256 (RFC 7518, 3.3) under a key that lives as long as
//! the sandbox, and is made when the first token is asked for. The subject of a device is its user,
//! `device_<id>`. Refused: what was not signed here, a token that has expired.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::names::OF_DEVICE;
use crate::cert::Serial;
use crate::crypto::{KeyType, hex, sha256};
use crate::key::signer::Signer;
use crate::key::{KeyError, PrivateKey};
use crate::secret::Password;

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// The key of all tokens.
pub(super) struct Tokens {
    key: OnceLock<PrivateKey>,
    /// How long a token is good, in seconds.
    life: i64,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) tenant: String,
    /// The user.
    pub(super) subject: String,
}

impl Tokens {
    /// Tokens that are good for so many seconds.
    pub(super) fn new(life: u32) -> Self {
        Self { key: OnceLock::new(), life: life.into() }
    }

    fn key(&self) -> Result<&PrivateKey, KeyError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let made = PrivateKey::generate(KeyType::Rsa2048)?;
        Ok(self.key.get_or_init(|| made))
    }

    /// A token for a device of a tenant.
    pub(super) fn issue_to_device(
        &self,
        host: &str,
        tenant: &str,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<Password, KeyError> {
        self.issue(host, tenant, &format!("{OF_DEVICE}{id}"), now)
    }

    /// A token for a user of a tenant.
    pub(super) fn issue(
        &self,
        host: &str,
        tenant: &str,
        subject: &str,
        now: OffsetDateTime,
    ) -> Result<Password, KeyError> {
        let issued = now.unix_timestamp();
        // It only tells two tokens apart: without chance they are told apart by their times.
        let id = Serial::random().map(|id| id.to_string()).unwrap_or_default();
        let claims = json!({
            "iss": host, "aud": host, "sub": subject, "ten": tenant, "jti": id,
            "tci": hex(&sha256(id.as_bytes())[..8]), "tfa": false,
            "iat": issued, "nbf": issued, "exp": issued + self.life,
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key()?.sign_sha256(signed.as_bytes())?;
        Ok(Password::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    /// Whom a token is for, or why it is not good.
    pub(super) fn check(&self, token: &str, now: OffsetDateTime) -> Result<Bearer, &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("the token is no JWT")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the token is no JWT")?;
        let elsewhere = "the token was not issued here";
        let key = self.key.get().ok_or(elsewhere)?.public_key();
        key.verify_sha256(signed.as_bytes(), &signature).map_err(|_| elsewhere)?;
        let claims = claims(signed).ok_or("the token is no JWT")?;
        if claims["exp"].as_i64().is_none_or(|end| end <= now.unix_timestamp()) {
            return Err("the token has expired");
        }
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        Ok(Bearer { tenant: text("ten"), subject: text("sub") })
    }
}

/// The claims in `header.claims`.
fn claims(signed: &str) -> Option<Value> {
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Whom a token says that it is for; nothing is checked.
pub(super) fn claimed(token: &str) -> Option<String> {
    let claims = claims(token.rsplit_once('.')?.0)?;
    let text = |name: &str| claims[name].as_str();
    Some(format!("{}/{}", text("ten")?, text("sub")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Duration, macros::datetime};

    #[test]
    fn a_token_is_good_for_an_hour_and_only_here() {
        let now = datetime!(2026-01-02 03:04:05 UTC);
        let tokens = Tokens::new(3600);
        let token = tokens.issue_to_device("localhost", "t1001", "gw-1", now).unwrap();
        let text = token.expose();
        let bearer = tokens.check(text, now + Duration::minutes(59)).unwrap();
        let wanted = Bearer { tenant: "t1001".to_owned(), subject: "device_gw-1".to_owned() };
        assert_eq!(bearer, wanted);
        assert_eq!(claimed(text).as_deref(), Some("t1001/device_gw-1"));
        assert_eq!(tokens.check(text, now + Duration::hours(1)), Err("the token has expired"));
        let other = Tokens::new(3600);
        assert_eq!(other.check(text, now), Err("the token was not issued here"));
        other.issue("localhost", "t1001", "admin", now).unwrap();
        assert_eq!(other.check(text, now), Err("the token was not issued here"));
        let unsigned = format!("{}.", text.rsplit_once('.').unwrap().0);
        assert_eq!(tokens.check(&unsigned, now), Err("the token was not issued here"));
        assert_eq!(tokens.check("x", now), Err("the token is no JWT"));
    }
}
