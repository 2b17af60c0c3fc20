//! What is told of requests to those who ask for it (`tracing`). Neither bodies nor header fields are told,
//! and what a server says loses the secret that was sent with the request.

use std::time::Duration;

use serde::Deserialize;

use super::transport::Answer;
use super::{Login, PlatformError, Request, lenient};
use crate::shown::Foreign;

/// How a request ended that was sent once.
pub(super) fn request(
    request: &Request,
    host: &str,
    login: &Login,
    attempt: u32,
    took: Duration,
    sent: &Result<Answer, PlatformError>,
) {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (method, path) = (request.method, request.path.as_str());
    match sent {
        Ok(answer) => {
            let said = match answer.status {
                200..=299 => String::new(),
                _ => words(&answer.body).map(|said| said.to_string()).unwrap_or_default(),
            };
            tracing::info!(
                target: "c8y_pki::request",
                %method, path, host, status = u64::from(answer.status), ms, attempt = u64::from(attempt),
                bytes = answer.body.len() as u64, said = without_secret(login, said),
                "answered"
            );
        }
        Err(error) => tracing::info!(
            target: "c8y_pki::request",
            %method, path, host, ms, attempt = u64::from(attempt), error = without_secret(login, error.to_string()),
            "failed"
        ),
    }
}

/// That a request is sent again.
pub(super) fn retry(request: &Request, attempt: u32, pause: Duration) {
    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        target: "c8y_pki::retry",
        method = %request.method, path = request.path, attempt = u64::from(attempt), pause_ms,
        "sent again"
    );
}

/// A text of somebody else without the secret that went out, should it come back.
fn without_secret(login: &Login, text: String) -> String {
    let secret = match login {
        Login::Basic { password, .. } => password.expose(),
        Login::Token(token) => token.expose(),
        Login::Certificate => return text,
    };
    if secret.is_empty() { text } else { text.replace(secret, "***") }
}

/// The platform's own words: `message`, else `error`.
pub(super) fn words(body: &[u8]) -> Option<Foreign> {
    #[derive(Deserialize)]
    struct Words {
        #[serde(default, deserialize_with = "lenient::text")]
        message: Option<String>,
        #[serde(default, deserialize_with = "lenient::text")]
        error: Option<String>,
    }
    let Words { message, error } = serde_json::from_slice(body).ok()?;
    Some(Foreign::beginning(&message.or(error)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_comes_back_is_not_told() {
        let login = Login::user(None, "jo", crate::secret::Password::new("s3cret"));
        assert_eq!(without_secret(&login, "no: jo s3cret".to_owned()), "no: jo ***");
        let empty = Login::user(None, "jo", crate::secret::Password::new(""));
        assert_eq!(without_secret(&empty, "no".to_owned()), "no");
    }

    #[test]
    fn the_platforms_words_are_shown_with_what_is_hidden_in_them() {
        let body = br#"{"error":"security/Forbidden","message":"Access \u001b[31mdenied"}"#;
        assert_eq!(words(body).unwrap().to_string(), "Access \\u{1b}[31mdenied");
        assert_eq!(
            words(br#"{"error":"security/Forbidden","message":[]}"#).unwrap().to_string(),
            "security/Forbidden"
        );
        assert_eq!(words(b"<html>"), None);
        let long = format!("{{\"message\":\"{}\"}}", "x".repeat(1_000_000));
        let long = words(long.as_bytes()).unwrap();
        assert!(long.to_string().ends_with("x… and 999000 more bytes"), "{long}");
    }
}
