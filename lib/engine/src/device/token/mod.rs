//! A device's token: asked for over MQTT or HTTPS, decoded, renewed (platform: "Topics", "Token over
//! HTTPS").
//!
//! [`over_mqtt`] takes a session, in which the platform has to have accepted a certificate;
//! [`over_https`] takes the same files. [`watch`] asks again at half of each token's life. A token is a
//! [`Password`](crate::secret::Password): it is in no error, log or `Debug`.

mod claims;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

pub use claims::{Claims, MOST, Token};

use super::connection::{Backoff, ConnectionError, Prospect};
use super::credentials::Credentials;
use super::link::{Identity, LinkError, Target, Tls};
use super::mqtt::{MqttError, Qos, Session, Transport};
use super::smartrest::message::Downstream;
use super::smartrest::{SmartRestError, TOKEN, TOKEN_REQUEST};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::net::{after, sleep_until};
use crate::platform::{self, Login, PlatformError, Settings};

/// Renewals are never closer than this, whatever a token says.
const SHORTEST: Duration = Duration::from_secs(1);

/// Refusals in a row after which a watch gives up; overload looks like one.
const REFUSALS: u32 = 4;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No connection.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The platform does not answer.
    #[error("no token came on {TOKEN} within {seconds} seconds")]
    NoToken {
        /// The time that it had.
        seconds: u64,
    },
    /// Something else than a message 71.
    #[error("what came on {TOKEN} is no token: {0}")]
    Message(#[source] SmartRestError),
    /// Something else than a JSON Web Token.
    #[error("the token is no JSON Web Token: {problem}")]
    NotJwt {
        /// Why not; never what it is.
        problem: &'static str,
    },
    /// The MQTT Service does not let the device subscribe for tokens.
    #[error(
        "the MQTT Service refuses {TOKEN}: tokens come over SmartREST, which has to be on there"
    )]
    NoSmartRest,
    /// HTTPS.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl TokenError {
    /// The same of a connection to the MQTT Service, where SmartREST may be off (platform: "MQTT Service").
    #[must_use]
    pub fn at_service(self) -> Self {
        match self {
            Self::Connection(ConnectionError::Mqtt(MqttError::NotSubscribed { .. })) => {
                Self::NoSmartRest
            }
            other => other,
        }
    }
}

impl Failure for TokenError {
    fn fault(&self) -> Fault {
        match self {
            Self::Connection(e) => e.fault(),
            Self::Platform(e) => e.fault(),
            Self::NoSmartRest => Fault::Refusal,
            Self::NoToken { .. } => Fault::Lost,
            Self::Message(_) | Self::NotJwt { .. } => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Connection(e) => e.hint(),
            // Here no proxy is taken, and no truststore but the device's.
            Self::Platform(PlatformError::Connect { .. }) => Some(
                Hint::give("is the port right?", Setting::HttpsPort)
                    .then("is there a firewall in between? For this host no proxy is used"),
            ),
            Self::Platform(PlatformError::Untrusted { fault, host })
                if fault.fault() == Fault::Untrusted =>
            {
                let task = Task::FetchServer { address: Some(host.to_string()) };
                Some(
                    Hint::give("the device's truststore has to have its CA", Setting::Truststore)
                        .then(Hint::run("see what is presented", task)),
                )
            }
            // It takes the certificate into account, or the truststore: `device check` looks at both.
            Self::Platform(PlatformError::Tls { .. }) => Some(LinkError::check()),
            Self::Platform(e) => e.hint(),
            Self::NoToken { .. } => Some(
                Hint::say("only devices that connect with a certificate get tokens")
                    .then(Hint::give("try it over HTTPS", Setting::Https)),
            ),
            Self::NoSmartRest => {
                Some(Hint::give("ask over HTTPS", Setting::Https).then(
                    "or over port 8883, or have the feature mqtt-service.smartrest switched on",
                ))
            }
            Self::Message(_) | Self::NotJwt { .. } => {
                Some("is the host that of a tenant, and not of another MQTT broker?".into())
            }
        }
    }
}

impl From<MqttError> for TokenError {
    fn from(e: MqttError) -> Self {
        Self::Connection(e.into())
    }
}

/// Asks for a token in a session of the device. Other messages that come meanwhile are dropped.
pub fn over_mqtt<T: Transport>(
    session: &mut Session<T>,
    timeout: Duration,
) -> Result<Token, TokenError> {
    session.subscribe(&[(TOKEN, Qos::AtLeastOnce)])?;
    session.publish(TOKEN_REQUEST, b"", Qos::AtLeastOnce)?;
    let end = after(timeout);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let Some(message) = session.receive(left)? else {
            return Err(TokenError::NoToken { seconds: timeout.as_secs() });
        };
        if message.topic != TOKEN {
            continue;
        }
        let rows = Downstream::read(&message.payload).map_err(TokenError::Message)?;
        if let Some(token) = rows.into_iter().find_map(|row| match row {
            Downstream::Token(token) => Some(token),
            _ => None,
        }) {
            return Token::parse(&token);
        }
    }
}

/// Asks for a token over HTTPS, with the device's certificate and its truststore.
pub fn over_https(
    target: &Target,
    credentials: &Credentials,
    timeout: Duration,
) -> Result<Token, TokenError> {
    let failed = |e: LinkError| TokenError::Connection(e.into());
    let tls = Tls::new(&target.host, Identity::Certificate(credentials)).map_err(failed)?;
    let settings =
        Settings { timeout, attempts: 1, ..Settings::new(target.to_string(), Login::Certificate) };
    let token = platform::blocking::token(&settings, tls.config, &credentials.chain)?;
    Token::parse(&token)
}

/// What a watch has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Renewal<'a> {
    /// A token, good from now on.
    Token(&'a Token),
    /// An attempt has failed; the last token is good until it expires.
    Failed {
        /// Why.
        error: &'a TokenError,
        /// The pause before the next attempt.
        pause: Duration,
    },
}

/// Asks for a token, again at half of each one's life, until it is to stop; `tell` can end it with an
/// error, too. What fails is tried again, as of a [`Connection`](super::connection::Connection).
pub fn watch<E: From<TokenError>>(
    mut fetch: impl FnMut() -> Result<Token, TokenError>,
    mut tell: impl FnMut(Renewal<'_>) -> Result<(), E>,
    stop: &AtomicBool,
) -> Result<(), E> {
    let mut backoff = Backoff::default();
    let mut refused = 0;
    loop {
        let pause = match fetch() {
            Ok(token) => {
                tell(Renewal::Token(&token))?;
                backoff.reset();
                refused = 0;
                token.claims.renew_after().max(SHORTEST)
            }
            Err(error) => {
                refused = match Prospect::of(&error) {
                    Prospect::Temporary => refused,
                    Prospect::Doubtful => refused + 1,
                    Prospect::Hopeless => REFUSALS,
                };
                if refused >= REFUSALS {
                    return Err(error.into());
                }
                let pause = backoff.pause();
                tell(Renewal::Failed { error: &error, pause })?;
                pause
            }
        };
        if !sleep_until(after(pause), stop) {
            return Ok(());
        }
    }
}
