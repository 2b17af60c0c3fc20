//! A token that is renewed before it ends.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::super::connection::{Backoff, Prospect};
use super::claims::Token;
use super::error::TokenError;
use crate::net::{after, sleep_until};

/// Renewals are never closer than this, whatever a token says.
const SHORTEST: Duration = Duration::from_secs(1);

/// Refusals in a row after which a watch gives up; overload looks like one.
const REFUSALS: u32 = 4;

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
/// error, too. What fails is tried again, as of a [`Connection`](crate::device::connection::Connection).
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
