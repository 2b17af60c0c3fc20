//! Tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 (RFC 7515, A.1) under a key that lives
//! as long as the sandbox. Refused: another algorithm, another key, a token that has expired.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cert::Serial;
use crate::crypto::{CryptoError, MacHash, fill_random, hex};
use crate::secret::{Password, SecretBytes};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The key of all tokens.
pub(super) struct Tokens {
    key: SecretBytes,
    /// How long a token is good, in seconds.
    life: i64,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) tenant: String,
    pub(super) subject: String,
    pub(super) device: bool,
}

impl Tokens {
    /// Tokens that are good for so many seconds.
    pub(super) fn new(life: u32) -> Result<Self, CryptoError> {
        let mut key = [0; 32];
        fill_random(&mut key)?;
        Ok(Self { key: SecretBytes::new(key), life: life.into() })
    }

    /// A token for a user or a device of a tenant.
    pub(super) fn issue(
        &self,
        host: &str,
        tenant: &str,
        subject: &str,
        device: bool,
        now: OffsetDateTime,
    ) -> Password {
        let issued = now.unix_timestamp();
        // It only tells two tokens apart: without chance they are told apart by their times.
        let id = Serial::random().map(|id| id.to_string()).unwrap_or_default();
        let claims = json!({
            "iss": host, "aud": host, "sub": subject, "ten": tenant, "jti": id,
            "tci": hex(&MacHash::Sha256.hmac(self.key.expose(), id.as_bytes())[..8]),
            "iat": issued, "nbf": issued, "exp": issued + self.life, "dev": device,
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let tag = MacHash::Sha256.hmac(self.key.expose(), signed.as_bytes());
        Password::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }

    /// Whom a token is for, or why it is not good.
    pub(super) fn check(&self, token: &str, now: OffsetDateTime) -> Result<Bearer, &'static str> {
        let (signed, tag) = token.rsplit_once('.').ok_or("the token is no JWT")?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| "the token is no JWT")?;
        if !MacHash::Sha256.hmac_matches(self.key.expose(), signed.as_bytes(), &tag) {
            return Err("the token was not issued here");
        }
        let claims = claims(signed).ok_or("the token is no JWT")?;
        if claims["exp"].as_i64().is_none_or(|end| end <= now.unix_timestamp()) {
            return Err("the token has expired");
        }
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let device = claims["dev"].as_bool().unwrap_or_default();
        Ok(Bearer { tenant: text("ten"), subject: text("sub"), device })
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
        let tokens = Tokens::new(3600).unwrap();
        let token = tokens.issue("localhost", "t1001", "gw-1", true, now);
        let text = token.expose();
        let bearer = tokens.check(text, now + Duration::minutes(59)).unwrap();
        let wanted =
            Bearer { tenant: "t1001".to_owned(), subject: "gw-1".to_owned(), device: true };
        assert_eq!(bearer, wanted);
        assert_eq!(claimed(text).as_deref(), Some("t1001/gw-1"));
        assert_eq!(tokens.check(text, now + Duration::hours(1)), Err("the token has expired"));
        let other = Tokens::new(3600).unwrap();
        assert_eq!(other.check(text, now), Err("the token was not issued here"));
        let unsigned = format!("{}.", text.rsplit_once('.').unwrap().0);
        assert_eq!(tokens.check(&unsigned, now), Err("the token was not issued here"));
        assert_eq!(tokens.check("x", now), Err("the token is no JWT"));
    }
}
