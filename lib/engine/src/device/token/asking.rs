//! Asking for a token, over MQTT or HTTPS.

use std::time::{Duration, Instant};

use super::super::credentials::Credentials;
use super::super::link::{Identity, LinkError, Target, Tls};
use super::super::mqtt::{Qos, Session, Transport};
use super::super::smartrest::message::Downstream;
use super::super::smartrest::{TOKEN, TOKEN_REQUEST};
use super::claims::Token;
use super::error::TokenError;
use crate::net::after;
use crate::platform::{self, Login, Settings};

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
