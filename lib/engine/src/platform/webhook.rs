//! A message to an address of the user's own, with a signature: what `status` has found, for a chat or a monitoring
//! system. It is no call of the platform; it shares the client's TLS, proxy and time limits.
//!
//! The body is signed with HMAC-SHA256 (RFC 2104) under a secret that both sides have; the time is in the body, so that
//! an old message cannot be sent again unnoticed. Redirects are not followed: the message goes to the address that was
//! named, or nowhere.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use super::transport::{Answer, Transport};
use super::{Body, Login, PlatformError, Request, Settings};
use crate::crypto::{hex, hmac_sha256};
use crate::failure::{Failure, Fault, Hint};
use crate::net::{Pauses, pause_until};
use crate::secret::Password;
use crate::shown::Foreign;

/// The header field with the signature: `sha256=` and the HMAC of the body's bytes in hex.
pub const SIGNATURE: &str = "X-C8y-Pki-Signature-256";

/// Fewest characters of the secret.
pub const MIN_SECRET: usize = 16;

/// Pauses before it is sent again.
const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(20) };

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Not an address that can be used.
    #[error("the address of the webhook cannot be used: {0}")]
    BadUrl(&'static str),
    /// A secret that can be guessed.
    #[error("the secret of the webhook has {0} characters: at least {MIN_SECRET} are needed")]
    ShortSecret(usize),
    /// The receiver sends us elsewhere.
    #[error(
        "the webhook at {host} was not delivered: it sends us to {to}, and redirects are not followed"
    )]
    Redirect {
        /// Host and port.
        host: String,
        /// Where to.
        to: Foreign,
    },
    /// The receiver says no, or cannot take it.
    #[error("the webhook at {host} was not delivered: it answers {status} (attempts: {attempts})")]
    Answered {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The receiver was not reached.
    #[error("the webhook at {host} was not delivered: {source} (attempts: {attempts})")]
    Unreached {
        /// Host and port.
        host: String,
        /// Why not.
        source: Box<PlatformError>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection was lost after the message went out: whether it arrived is not known.
    #[error(
        "the webhook at {host} was not delivered: the connection broke before it answered (attempts: {attempts})"
    )]
    Broken {
        /// Host and port.
        host: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// What all requests need cannot be set up.
    #[error(transparent)]
    Setting(#[from] PlatformError),
}

impl Failure for WebhookError {
    fn fault(&self) -> Fault {
        match self {
            Self::BadUrl(_) | Self::ShortSecret(_) => Fault::Input,
            Self::Redirect { .. }
            | Self::Answered { .. }
            | Self::Unreached { .. }
            | Self::Broken { .. } => Fault::Environment,
            Self::Setting(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::BadUrl(_) => Some("give an address that begins with https://".into()),
            Self::ShortSecret(_) => Some("make one: `openssl rand -hex 32`".into()),
            Self::Redirect { .. } => Some("give the address to which it sends".into()),
            Self::Answered { status: 401 | 403, .. } => {
                Some("the receiver may have another secret, or want another address".into())
            }
            Self::Answered { .. } | Self::Broken { .. } => None,
            Self::Unreached { source, .. } => source.hint(),
            Self::Setting(e) => e.hint(),
        }
    }
}

/// An attempt after which there is another one.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    /// What went wrong.
    pub error: &'a WebhookError,
    /// The pause before the next attempt.
    pub pause: Duration,
    /// The attempt that failed, from 1.
    pub attempt: u32,
}

/// Where messages go, and what signs them.
#[derive(Debug)]
pub struct Webhook {
    transport: Transport,
    path: String,
    secret: Password,
    attempts: u32,
    stop: Arc<AtomicBool>,
}

impl Webhook {
    /// Gets everything ready; nothing is sent yet. Of the settings count time, attempts, proxy and roots.
    ///
    /// Errors: an address that is none, or not https; a secret that is too short.
    pub fn new(url: &str, secret: Password, settings: &Settings) -> Result<Self, WebhookError> {
        let length = secret.expose().chars().count();
        if length < MIN_SECRET {
            return Err(WebhookError::ShortSecret(length));
        }
        let url = Url::parse(url.trim()).map_err(|_| WebhookError::BadUrl("it is no URL"))?;
        if url.scheme() != "https" {
            return Err(WebhookError::BadUrl("it has to be https"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(WebhookError::BadUrl("user, password and # do not belong into it"));
        }
        let host = url.host_str().ok_or(WebhookError::BadUrl("it names no host"))?;
        let host = match url.port() {
            Some(port) => format!("https://{host}:{port}"),
            None => format!("https://{host}"),
        };
        let settings =
            Settings { host, login: Login::Certificate, tenant: None, ..settings.clone() };
        let transport = Transport::new(&settings)?.with_query(url.query());
        let (path, attempts) = (url.path().to_owned(), settings.attempts.max(1));
        Ok(Self { transport, path, secret, attempts, stop: Arc::default() })
    }

    /// Gives up waiting to try again once the flag is set.
    #[must_use]
    pub fn stop_when(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// Host and port, for messages.
    pub fn host(&self) -> &str {
        &self.transport.host
    }

    /// Sends a message, again if the receiver is not reached or cannot take it now, and waits for the end; how often it
    /// was tried. `on_retry` is told of each repetition.
    pub fn deliver(&self, body: &Value, on_retry: &dyn Fn(Again<'_>)) -> Result<u32, WebhookError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(PlatformError::Runtime)?;
        runtime.block_on(self.send(body, on_retry))
    }

    async fn send(&self, body: &Value, on_retry: &dyn Fn(Again<'_>)) -> Result<u32, WebhookError> {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        let tag = hmac_sha256(self.secret.expose().as_bytes(), &bytes);
        let request = Request::to_others(&self.path, Body::Json(body.clone()))
            .header(SIGNATURE, format!("sha256={}", hex(&tag)));
        let mut attempt = 1;
        loop {
            let answer = self.transport.send(&request, &Login::Certificate).await;
            let Some((error, may_pass)) = self.judge(answer, attempt) else { return Ok(attempt) };
            if !may_pass || attempt >= self.attempts {
                return Err(error);
            }
            let pause = PAUSES.after(attempt);
            on_retry(Again { error: &error, pause, attempt });
            if !pause_until(Instant::now() + pause, &self.stop).await {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// What an answer comes to: none if it was delivered; else why not, and whether it may go well later.
    fn judge(
        &self,
        answer: Result<Answer, PlatformError>,
        attempts: u32,
    ) -> Option<(WebhookError, bool)> {
        let host = self.transport.host.clone();
        match answer {
            Ok(Answer { status: 200..=299, .. }) => None,
            Ok(Answer { status: 300..=399, location, .. }) => {
                Some((WebhookError::Redirect { host, to: origin(location.as_deref()) }, false))
            }
            Ok(Answer { status, .. }) => {
                let may_pass = matches!(status, 408 | 425 | 429 | 500..=599);
                Some((WebhookError::Answered { host, status, attempts }, may_pass))
            }
            // Its words name the path, which is a secret at many receivers.
            Err(PlatformError::Broken { .. }) => {
                Some((WebhookError::Broken { host, attempts }, true))
            }
            Err(e) => {
                let may_pass = e.fault().may_pass();
                Some((WebhookError::Unreached { host, source: Box::new(e), attempts }, may_pass))
            }
        }
    }
}

/// Scheme, host and port of an address: what follows is a secret at many receivers.
fn origin(location: Option<&str>) -> Foreign {
    let url = location.and_then(|location| Url::parse(location).ok());
    let origin = url.map(|url| url.origin()).filter(url::Origin::is_tuple);
    Foreign::new(origin.map_or_else(|| "another address".to_owned(), |o| o.ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(url: &str, secret: &str) -> Result<Webhook, WebhookError> {
        let settings = Settings::new("unused.example.com", Login::Certificate);
        Webhook::new(url, Password::new(secret), &settings)
    }

    #[test]
    fn addresses_that_would_leak_and_secrets_that_can_be_guessed_are_refused() {
        let secret = "0123456789abcdef";
        for bad in ["", "x", "http://a.example.com/", "https://u:p@a.example.com/", "https://a/#b"]
        {
            let error = hook(bad, secret).err().map(|e| e.fault());
            assert_eq!(error, Some(Fault::Input), "{bad}");
        }
        assert!(matches!(
            hook("https://a.example.com/x", "short"),
            Err(WebhookError::ShortSecret(5))
        ));
        let good = hook("https://a.example.com:8443/x/y?key=1", secret).unwrap();
        assert_eq!((good.host(), good.path.as_str()), ("a.example.com:8443", "/x/y"));
        let shown = format!("{good:?}");
        assert!(!shown.contains(secret), "{shown}");
    }
}
