//! Sessions with a token: each thread has one while it signs, and there are no more than that.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;

use super::token::{Result, Token};

/// Open sessions. While there is one, the process stays logged in.
pub(super) struct Sessions {
    state: Mutex<State>,
    /// One has come back, or was closed.
    freed: Condvar,
}

struct State {
    idle: Vec<Session>,
    /// How many are in use.
    out: usize,
}

impl Sessions {
    pub(super) fn new(first: Session) -> Self {
        let state = Mutex::new(State { idle: vec![first], out: 0 });
        Self { state, freed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in a session that nobody else uses meanwhile. One that failed is closed: what it
    /// was in the middle of is not known.
    pub(super) fn with<T>(
        &self,
        token: &Token,
        what: &'static str,
        work: impl FnOnce(&Session) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        let session = self.take(token)?;
        let done = work(&session);
        let mut state = self.lock();
        state.out -= 1;
        // The last one stays: without it the login would end.
        if done.is_ok() || state.idle.is_empty() && state.out == 0 {
            state.idle.push(session);
        } else {
            drop(session);
        }
        drop(state);
        self.freed.notify_one();
        done.map_err(token.failed(what))
    }

    /// An idle session, a new one, or the next that comes back where the token has no more.
    fn take(&self, token: &Token) -> Result<Session> {
        let mut state = self.lock();
        loop {
            let found = match state.idle.pop() {
                Some(session) => Ok(session),
                None => token.module.open_ro_session(token.slot),
            };
            match found {
                Ok(session) => {
                    state.out += 1;
                    return Ok(session);
                }
                Err(Error::Pkcs11(RvError::SessionCount, _)) if state.out > 0 => {
                    state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Err(e) => return Err(token.failed("opening a session")(e)),
            }
        }
    }
}
