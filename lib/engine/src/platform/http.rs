//! A client of one tenant: who asks, what is asked again, and what an answer means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::transport::{Answer, Transport};
use super::{Login, PlatformError, Repeat, Request, Settings, scrub, told};
use crate::failure::{Failure, Fault, Underlying};
use crate::net::{Pauses, pause_until};

/// Pauses of our own making.
const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(200), longest: Duration::from_secs(20) };

/// The longest that a server can make us wait with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Attempts while the server has not been reached once: a wrong port should be told soon.
const ATTEMPTS_TO_REACH: u32 = 3;

/// Why a request is about to be sent again.
#[derive(Debug)]
pub struct Retry<'a> {
    /// What went wrong.
    pub error: &'a PlatformError,
    /// The pause before the next attempt.
    pub pause: Duration,
    /// The attempt that failed, from 1.
    pub attempt: u32,
}

impl Retry<'_> {
    /// What went wrong, in short.
    pub fn reason(&self) -> String {
        self.error.in_short()
    }
}

type OnRetry = Box<dyn Fn(&Retry<'_>) + Send + Sync>;

/// A client of one tenant.
pub struct Client {
    transport: Transport,
    login: Login,
    pub(super) tenant: OnceLock<String>,
    attempts: u32,
    reached: AtomicBool,
    /// What the server's clock said last, and when that was.
    told_time: Mutex<Option<(OffsetDateTime, Instant)>>,
    on_retry: OnRetry,
    pub(super) stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.transport.host)
    }
}

impl Client {
    /// Gets everything ready; nothing is sent yet.
    ///
    /// Errors: an address, a proxy or roots that cannot be used; a user of another tenant.
    pub fn new(settings: &Settings) -> Result<Self, PlatformError> {
        Self::over(Transport::new(settings)?, settings)
    }

    /// The same with another TLS: that of a device.
    pub(super) fn over(transport: Transport, settings: &Settings) -> Result<Self, PlatformError> {
        let tenant = OnceLock::new();
        settings.check_tenant()?;
        if let Some(id) = &settings.tenant {
            let _ = tenant.set(id.clone());
        }
        Ok(Self {
            transport,
            login: settings.login.clone(),
            tenant,
            attempts: settings.attempts.max(1),
            reached: AtomicBool::new(false),
            told_time: Mutex::default(),
            on_retry: Box::new(|_| {}),
            stop: Arc::default(),
        })
    }

    /// Tells of requests that are about to be sent again.
    #[must_use]
    pub fn on_retry(mut self, tell: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        self.on_retry = Box::new(tell);
        self
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

    /// What the server's clock says now, by the `Date` of its last answer (RFC 9110, 6.6.1); none before
    /// the first answer. Nothing is asked for it.
    pub fn time(&self) -> Option<OffsetDateTime> {
        let told = self.told_time.lock().unwrap_or_else(PoisonError::into_inner);
        told.map(|(time, at)| time + at.elapsed())
    }

    /// Who asks, for messages.
    pub fn subject(&self) -> String {
        self.login.subject()
    }

    /// The name of the user who asks; empty for the owner of a token or a certificate.
    pub(super) fn user(&self) -> String {
        match &self.login {
            Login::Basic { user, .. } => user.clone(),
            Login::Token(_) | Login::Certificate => String::new(),
        }
    }

    /// Sends a request and reads its JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<T, PlatformError> {
        let answer = self.send(request).await?;
        self.read(request, &answer)
    }

    /// The JSON of an answer.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        request: &Request,
        answer: &Answer,
    ) -> Result<T, PlatformError> {
        serde_json::from_slice(&answer.body).map_err(|e| {
            let words = match answer.body.is_empty() {
                true => "the answer is empty".to_owned(),
                false if !answer.content_type.contains("json") => {
                    format!("it sends {}", self.kind_of(answer))
                }
                false => {
                    // What was read instead stands in it.
                    let e = scrub::without_secret(&self.login, e.to_string());
                    format!("its JSON is not what was expected ({e})")
                }
            };
            self.strange(request, Underlying::worded(words, e))
        })
    }

    /// Sends a request, again where that is right, until the platform says yes (2xx) or no.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, PlatformError> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(request, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(pause) = self.pause(request, &error, attempt) else { return Err(error) };
            told::retry(request, attempt, pause);
            (self.on_retry)(&Retry { error: &error, pause, attempt });
            if !pause_until(Instant::now() + pause, &self.stop).await {
                let host = self.transport.host.clone();
                return Err(PlatformError::Stopped { host, waited_for: Box::new(error) });
            }
            attempt += 1;
        }
    }

    /// Sends it once, and notes that there is an answer, and what time it is there.
    async fn attempt(&self, request: &Request, attempt: u32) -> Result<Answer, PlatformError> {
        let begun = Instant::now();
        let sent = self.transport.send(request, &self.login).await;
        told::request(request, &self.transport.host, &self.login, attempt, begun.elapsed(), &sent);
        let answer = sent?;
        self.reached.store(true, Ordering::Relaxed);
        if let Some(date) = answer.date {
            let told = Some((OffsetDateTime::from(date), Instant::now()));
            *self.told_time.lock().unwrap_or_else(PoisonError::into_inner) = told;
        }
        self.judge(request, answer, attempt)
    }

    /// The pause before the request is sent again; none if it is not to be.
    fn pause(&self, request: &Request, error: &PlatformError, attempt: u32) -> Option<Duration> {
        let unreached = !self.reached.load(Ordering::Relaxed);
        let most = if unreached { self.attempts.min(ATTEMPTS_TO_REACH) } else { self.attempts };
        let again = match error.fault() {
            Fault::Unreached | Fault::Busy => true,
            Fault::Lost => request.repeat == Repeat::Always,
            Fault::Input
            | Fault::Untrusted
            | Fault::Environment
            | Fault::Closed
            | Fault::Stranger
            | Fault::Unclear
            | Fault::Refusal => false,
        };
        let asked = match error {
            PlatformError::Unavailable { wait, .. } => wait.map(Duration::from_secs),
            _ => None,
        };
        // Our own pause on top keeps apart those whom the server told the same.
        let pause = asked.unwrap_or_default() + PAUSES.after(attempt);
        (again && attempt < most && pause <= LONGEST_WAIT).then_some(pause)
    }

    /// Makes an error of an answer that is a no.
    fn judge(
        &self,
        request: &Request,
        answer: Answer,
        attempts: u32,
    ) -> Result<Answer, PlatformError> {
        let (method, path) = (request.method, request.path.clone());
        let host = self.transport.host.clone();
        let said = || scrub::words(&answer.body, &self.login);
        Err(match answer.status {
            // A page is no answer of the platform's, also where nothing is read of it.
            200..=299 if answer.content_type.starts_with("text/html") => {
                return Err(self.strange(request, format!("it sends {}", self.kind_of(&answer))));
            }
            200..=299 => return Ok(answer),
            300..=399 => {
                let to = answer.location.unwrap_or_else(|| "elsewhere".to_owned());
                let to = scrub::without_secret(&self.login, to);
                return Err(self.strange(request, format!("it sends us to {to}")));
            }
            401 => PlatformError::Unauthorized { host, login: self.login.shown(), message: said() },
            status @ (429 | 502..=504) => {
                let wait = answer.retry_after.map(|t| t.as_secs()).filter(|s| *s > 0);
                PlatformError::Unavailable { host, status, attempts, wait }
            }
            status => match said() {
                None if !answer.content_type.contains("json") && !answer.body.is_empty() => {
                    let problem = format!("{status} with {}", self.kind_of(&answer));
                    return Err(self.strange(request, problem));
                }
                said if status == 403 => PlatformError::Forbidden {
                    login: self.login.subject(),
                    method,
                    path,
                    message: said.unwrap_or_else(|| "forbidden".into()),
                    role: request.role,
                },
                said => PlatformError::Refused {
                    method,
                    path,
                    status,
                    message: said.unwrap_or_else(|| "it does not say why".into()),
                },
            },
        })
    }

    /// The type of an answer's body, as it is told.
    fn kind_of(&self, answer: &Answer) -> String {
        match answer.content_type.is_empty() {
            true => "a body of no type".to_owned(),
            false => scrub::without_secret(&self.login, answer.content_type.clone()),
        }
    }

    pub(super) fn strange(
        &self,
        request: &Request,
        problem: impl Into<Underlying>,
    ) -> PlatformError {
        self.transport.strange(request, problem)
    }
}
