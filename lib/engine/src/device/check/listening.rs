//! A session that is listened to: no error may come while it is silent for a second.
//!
//! Nobody has to wait for that. What comes meanwhile lies in the connection, so it is enough to look at it when the
//! silence would be over: what came is heard then, and the silence begins anew.

use std::time::{Duration, Instant};

use super::super::diagnosis::Symptom;
use super::super::link::{Deadline, Link};
use super::super::mqtt::{Message, Session};
use super::super::smartrest::{self, ERRORS, OPERATIONS};
use super::{Ended, StepName, Verdict, Why, failed, no_session};
use crate::net::after;

/// Operations after which the check does not wait for silence any longer.
const MOST_OPERATIONS: usize = 100;

/// When it is looked at first: the answer to what was sent last has mostly come then, so that a whole silence is
/// needed only once.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// A session after its last step but one.
pub(super) struct Open {
    session: Session<Link>,
    operations: usize,
    /// How long it has to stay silent.
    silence: Duration,
    /// When it was noticed last that something had come.
    heard: Instant,
    /// When it is to be looked at again.
    due: Instant,
    /// When it ends, whatever comes.
    longest: Deadline,
}

impl Open {
    pub(super) fn new(session: Session<Link>, silence: Duration, longest: Deadline) -> Self {
        let heard = Instant::now();
        let due = after(FIRST_LOOK.min(silence));
        Self { session, operations: 0, silence, heard, due, longest }
    }

    /// When it is to be looked at again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Looks at what has come, and says what was heard when the silence was long enough; none if it has to be
    /// looked at again.
    pub(super) fn look(&mut self) -> Ended<Option<String>> {
        let came =
            self.session.take_in(self.longest).map_err(|e| no_session(StepName::Receive, &e))?;
        let now = Instant::now();
        while let Some(message) = self.receive(Duration::ZERO)? {
            if self.is_enough(&message)? {
                return Ok(Some(self.said()));
            }
        }
        if came {
            self.heard = now;
        }
        let silent = now.saturating_duration_since(self.heard);
        if (!came && silent >= self.silence) || self.longest.is_over() {
            return Ok(Some(self.said()));
        }
        self.due = self.heard + self.silence;
        Ok(None)
    }

    /// Waits for the silence, and says what was heard.
    pub(super) fn wait(&mut self) -> Ended<String> {
        while let Some(message) = self.receive(self.silence.min(self.longest.left()))? {
            if self.is_enough(&message)? {
                break;
            }
        }
        Ok(self.said())
    }

    /// Says goodbye. What there is to say it to may be gone: nothing depends on it any more.
    pub(super) fn leave(self) {
        let _ = self.session.disconnect();
    }

    fn receive(&mut self, wait: Duration) -> Ended<Option<Message>> {
        self.session.receive(wait).map_err(|e| no_session(StepName::Receive, &e))
    }

    /// Whether no more has to be heard after a message.
    fn is_enough(&mut self, message: &Message) -> Ended<bool> {
        if message.topic == ERRORS {
            let text = text_of(&message.payload);
            // The message was sent twice, so it may say that the device exists.
            if !text.lines().any(smartrest::tells_an_error) {
                return Ok(false);
            }
            let detail = format!("{ERRORS} says {text:?}");
            let why = Why::Symptom(Symptom::ErrorMessage);
            return Err(failed(StepName::Receive, detail, Verdict::Refused, why));
        }
        self.operations += 1;
        Ok(self.operations == MOST_OPERATIONS)
    }

    fn said(&self) -> String {
        let silent = format!("no error on {ERRORS}");
        match self.operations {
            0 => silent,
            n => format!("{silent}; messages on {OPERATIONS}: {n}"),
        }
    }
}

/// What a server says, for people: cut off where it gets long.
fn text_of(payload: &[u8]) -> String {
    const MOST: usize = 300;
    String::from_utf8_lossy(payload).trim_end().chars().take(MOST).collect()
}
