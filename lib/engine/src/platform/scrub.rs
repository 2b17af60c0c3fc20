//! What a server says loses the secret that was sent with the request: in what is told of it, and in errors.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Login, lenient};
use crate::secret::Password;
use crate::shown::{Foreign, one_line};

/// A text of somebody else without the secret that went out, should it come back.
pub(super) fn without_secret(login: &Login, text: String) -> String {
    let secrets = secrets(login);
    secrets.iter().filter(|secret| !secret.expose().is_empty()).fold(text, |text, secret| {
        // What was made one line, or is quoted, shows it in its own way.
        let text = text.replace(secret.expose(), "***");
        let text = text.replace(&*one_line(secret.expose()), "***");
        text.replace(&secret.expose().escape_debug().to_string(), "***")
    })
}

/// What of a login is secret, the longest first: of a password also what the header field made of it (RFC 7617).
fn secrets(login: &Login) -> Vec<Password> {
    match login {
        Login::Basic { user, password } => {
            let both = Password::new(format!("{user}:{}", password.expose()));
            let field = Password::new(STANDARD.encode(both.expose()));
            let unpadded = Password::new(field.expose().trim_end_matches('='));
            vec![field, unpadded, password.clone()]
        }
        Login::Token(token) => vec![token.clone()],
        Login::Certificate => Vec::new(),
    }
}

/// The platform's own words: `message`, else `error`. They lose the secret before they are cut or made visible,
/// since a part of it, or its escaped form, would not be known again.
pub(super) fn words(body: &[u8], login: &Login) -> Option<Foreign> {
    #[derive(Deserialize)]
    struct Words {
        #[serde(default, deserialize_with = "lenient::text")]
        message: Option<String>,
        #[serde(default, deserialize_with = "lenient::text")]
        error: Option<String>,
    }
    let Words { message, error } = serde_json::from_slice(body).ok()?;
    Some(Foreign::beginning(&without_secret(login, message.or(error)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_comes_back_is_not_told() {
        let login = |password: &str| Login::user(Some("t1"), "jo", Password::new(password));
        let said = |login: &Login, message: &str| {
            let body = serde_json::json!({ "message": message }).to_string();
            words(body.as_bytes(), login).unwrap().to_string()
        };
        let secret = login("s3cret");
        assert_eq!(without_secret(&secret, "no: jo s3cret".to_owned()), "no: jo ***");
        assert_eq!(without_secret(&login(""), "no".to_owned()), "no");
        assert_eq!(said(&secret, "no: jo s3cret"), "no: jo ***");
        // The header field, with its padding and without: base64 of `t1/jo:s3cret!`.
        assert_eq!(said(&login("s3cret!"), "no: Basic dDEvam86czNjcmV0IQ=="), "no: Basic ***");
        assert_eq!(said(&login("s3cret!"), "no: Basic dDEvam86czNjcmV0IQ"), "no: Basic ***");
        // Across the place where a long text is cut.
        let long = format!("{}s3cret{}", "x".repeat(997), "y".repeat(100));
        assert!(!said(&secret, &long).contains("s3"), "{}", said(&secret, &long));
        // With characters that are shown escaped, also in what was made visible before.
        let odd = login("s3\u{7}cret");
        assert_eq!(said(&odd, "no: s3\u{7}cret"), "no: ***");
        assert_eq!(without_secret(&odd, "no: s3\\u{7}cret".to_owned()), "no: ***");
        // As a JSON reader quotes it.
        let quoted = login("s3\"cr\\et");
        assert_eq!(without_secret(&quoted, format!("string {:?}", "s3\"cr\\et")), "string \"***\"");
        let token = Login::Token(Password::new("ey.token"));
        assert_eq!(said(&token, "no: Bearer ey.token"), "no: Bearer ***");
    }

    #[test]
    fn the_platforms_words_are_shown_with_what_is_hidden_in_them() {
        let body = br#"{"error":"security/Forbidden","message":"Access \u001b[31mdenied"}"#;
        assert_eq!(
            words(body, &Login::Certificate).unwrap().to_string(),
            "Access \\u{1b}[31mdenied"
        );
        assert_eq!(
            words(br#"{"error":"security/Forbidden","message":[]}"#, &Login::Certificate)
                .unwrap()
                .to_string(),
            "security/Forbidden"
        );
        assert_eq!(words(b"<html>", &Login::Certificate), None);
        let long = format!("{{\"message\":\"{}\"}}", "x".repeat(1_000_000));
        let long = words(long.as_bytes(), &Login::Certificate).unwrap();
        assert!(long.to_string().ends_with("x… and 999000 more bytes"), "{long}");
    }
}
