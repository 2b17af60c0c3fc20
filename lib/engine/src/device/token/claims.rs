//! What a token says of itself: a JSON Web Token, decoded and not verified (RFC 7519; RFC 7515, 7.1).
//!
//! Only the platform has the key, so nothing here may be trusted: it is for people, and to know when to
//! ask again. Refused: what is not three parts of base64url without padding (RFC 7515, 2), a header or
//! claims that are no JSON object, no signature, more than [`MOST`] bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::error::TokenError;
use crate::secret::Password;

/// Largest token that is read, in bytes: the platform's are about a thousand.
pub const MOST: usize = 16_384;

/// Life of a token that does not say it (platform: "default 1 hour").
const LIFE: Duration = Duration::hours(1);

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claims {
    /// `iss`: who issued it.
    pub issuer: Option<String>,
    /// `sub`: whom it is for; the device.
    pub subject: Option<String>,
    /// `ten`: the tenant.
    pub tenant: Option<String>,
    /// `iat`: when it was issued.
    #[serde(with = "time::serde::rfc3339::option")]
    pub issued: Option<OffsetDateTime>,
    /// `exp`: until when it is good.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// All others, as they are; and those above that are not of their type.
    pub other: Map<String, Value>,
}

impl Claims {
    /// How long it lives, by its issuer's clock; an hour if it does not say so.
    pub fn life(&self) -> Duration {
        let not_before = self.other.get("nbf").and_then(date);
        match (self.issued.or(not_before), self.expires) {
            (Some(from), Some(to)) => (to - from).max(Duration::ZERO),
            _ => LIFE,
        }
    }

    /// When to ask for the next one, after this one has come: at half its life (platform: "after half of
    /// the token's life").
    pub fn renew_after(&self) -> std::time::Duration {
        (self.life() / 2_i32).unsigned_abs()
    }

    fn of(mut all: Map<String, Value>) -> Self {
        let mut text = |name: &str| match all.get(name) {
            Some(Value::String(_)) => match all.remove(name) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let (issuer, subject, tenant) = (text("iss"), text("sub"), text("ten"));
        let mut time = |name: &str| {
            let found = all.get(name).and_then(date);
            found.inspect(|_| {
                all.remove(name);
            })
        };
        let (issued, expires) = (time("iat"), time("exp"));
        Self { issuer, subject, tenant, issued, expires, other: all }
    }
}

/// A NumericDate (RFC 7519, 2): seconds since 1970, maybe with a fraction, which is left out.
fn date(value: &Value) -> Option<OffsetDateTime> {
    /// Nine-digit years and the like are no dates, and nothing could show them.
    const LAST: i64 = 253_402_300_799;
    #[allow(clippy::cast_possible_truncation, reason = "a float saturates, and is held to bounds")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
    (0..=LAST).contains(&seconds).then(|| OffsetDateTime::from_unix_timestamp(seconds).ok())?
}

/// A token, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    secret: Password,
    /// What it says of itself.
    pub claims: Claims,
}

impl Token {
    /// Decodes a token. Its signature is not checked: only the platform can.
    ///
    /// Errors: [`TokenError::NotJwt`], which does not show it.
    pub fn parse(token: &Password) -> Result<Self, TokenError> {
        let text = token.expose();
        if text.len() > MOST {
            return Err(TokenError::NotJwt { problem: "it is longer than 16384 bytes" });
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(TokenError::NotJwt { problem: "it does not consist of three parts" });
        };
        let broken = |problem| move |()| TokenError::NotJwt { problem };
        object(header).map_err(broken("its first part is no JSON object in base64url"))?;
        let claims =
            object(claims).map_err(broken("its second part is no JSON object in base64url"))?;
        match URL_SAFE_NO_PAD.decode(signature) {
            Ok(bytes) if !bytes.is_empty() => {}
            _ => return Err(TokenError::NotJwt { problem: "it has no signature in base64url" }),
        }
        Ok(Self { secret: token.clone(), claims: Claims::of(claims) })
    }

    /// The token itself, for a header `Authorization: Bearer`.
    pub fn secret(&self) -> &Password {
        &self.secret
    }
}

fn object(part: &str) -> Result<Map<String, Value>, ()> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(drop)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    fn token(claims: &str) -> Password {
        let parts = [r#"{"alg":"RS256"}"#, claims, "signature"];
        Password::new(parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."))
    }

    #[test]
    fn claims_are_read_and_others_kept() {
        let text = json!({
            "iss": "acme.example.com", "sub": "gw-1", "ten": "t1", "iat": 1_795_000_000,
            "exp": 1_795_003_600.5, "aud": ["a", "b"], "jti": null,
        });
        let Token { claims, .. } = Token::parse(&token(&text.to_string())).unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("acme.example.com"));
        assert_eq!(
            (claims.subject.as_deref(), claims.tenant.as_deref()),
            (Some("gw-1"), Some("t1"))
        );
        assert_eq!(claims.issued, Some(datetime!(2026-11-18 11:06:40 UTC)));
        assert_eq!(claims.expires, Some(datetime!(2026-11-18 12:06:40 UTC)));
        assert_eq!(Value::Object(claims.other.clone()), json!({ "aud": ["a", "b"], "jti": null }));
        assert_eq!(claims.renew_after(), std::time::Duration::from_secs(1800));
    }

    #[test]
    fn claims_of_another_type_stay_what_they_are() {
        let text = json!({ "iss": 7, "exp": "soon", "iat": -1, "nbf": 1e300, "sub": null });
        let Token { claims, .. } = Token::parse(&token(&text.to_string())).unwrap();
        assert_eq!(Value::Object(claims.other.clone()), text);
        assert_eq!(claims.life(), Duration::hours(1));
        let backwards = json!({ "iat": 100, "exp": 50 });
        let backwards = Token::parse(&token(&backwards.to_string())).unwrap();
        assert_eq!(backwards.claims.renew_after(), std::time::Duration::ZERO);
        let not_before = Token::parse(&token(r#"{"nbf":100,"exp":700}"#)).unwrap();
        assert_eq!(not_before.claims.life(), Duration::minutes(10));
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        let good = token("{}").expose().to_owned();
        let long = token(&json!({ "x": "y".repeat(MOST) }).to_string()).expose().to_owned();
        for bad in [
            "",
            "..",
            "secret",
            "secret.secret",
            "secret.secret.secret",
            "secret.secret.secret.secret.secret",
            &format!("{good}="),
            &format!(" {good}"),
            &format!("{good}\n"),
            good.rsplit_once('.').unwrap().0,
            &format!("{}.", good.rsplit_once('.').unwrap().0),
            token("[]").expose(),
            token("{").expose(),
            &long,
        ] {
            let error = Token::parse(&Password::new(bad)).unwrap_err();
            assert!(matches!(error, TokenError::NotJwt { .. }), "{bad:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let secret = token(r#"{"sub":"gw-1"}"#);
        let parsed = Token::parse(&secret).unwrap();
        let shown = format!("{parsed:?}{}", serde_json::to_string(&parsed.claims).unwrap());
        assert!(shown.contains("gw-1"), "{shown}");
        for part in secret.expose().split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in any::<String>(), claims in any::<String>()) {
            let _ = Token::parse(&Password::new(text));
            if let Ok(token) = Token::parse(&token(&claims)) {
                token.claims.renew_after();
            }
        }

        #[test]
        fn nor_do_claims_of_any_kind(
            names in prop::collection::vec(
                prop_oneof!["(iss|sub|ten|iat|exp|nbf)", "[a-z]{1,3}"], 0..6
            ),
            numbers in prop::collection::vec(prop_oneof![
                any::<i64>().prop_map(|n| json!(n)),
                any::<f64>().prop_map(|n| json!(n)),
                any::<u64>().prop_map(|n| json!(n)),
                any::<String>().prop_map(|s| json!(s)),
            ], 6),
        ) {
            let all: Map<String, Value> = names.into_iter().zip(numbers).collect();
            let count = all.len();
            let Token { claims, .. } = Token::parse(&token(&Value::Object(all).to_string())).unwrap();
            let typed = [claims.issuer.is_some(), claims.subject.is_some(), claims.tenant.is_some(),
                claims.issued.is_some(), claims.expires.is_some()];
            prop_assert_eq!(typed.into_iter().filter(|is| *is).count() + claims.other.len(), count);
            claims.renew_after();
            prop_assert!(serde_json::to_string(&claims).is_ok());
        }
    }
}
