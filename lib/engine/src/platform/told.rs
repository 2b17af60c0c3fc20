//! What is told of requests to those who ask for it (`tracing`). Neither bodies nor header fields are told.

use std::time::Duration;

use super::scrub::{without_secret, words};
use super::transport::Answer;
use super::{Login, PlatformError, Request};

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
                _ => words(&answer.body, login).map(|said| said.to_string()).unwrap_or_default(),
            };
            tracing::info!(
                target: "c8y_pki::request",
                %method, path, host, status = u64::from(answer.status), ms, attempt = u64::from(attempt),
                bytes = answer.body.len() as u64, said,
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
