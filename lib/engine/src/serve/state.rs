//! What all requests share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use time::OffsetDateTime;

use super::answer::{Refusal, failed};
use super::counts::Counts;
use super::identity::Presented;
use super::passwords::Passwords;
use super::strangers::Strangers;
use super::usual::Usual;
use crate::pki::{Ca, CaKey, Pki};

/// What all requests share.
pub(super) struct Shared {
    pub(super) pki: Pki,
    pub(super) key: CaKey,
    pub(super) usual: Usual,
    /// Whether the page for the person at the line is there.
    pub(super) page: bool,
    pub(super) passwords: RwLock<Passwords>,
    pub(super) presented: Arc<Presented>,
    /// Addresses that have shown tokens that are none.
    pub(super) strangers: Strangers,
    pub(super) counts: Counts,
    clock: fn() -> OffsetDateTime,
    /// When the service started: the clock was believed then.
    start: (OffsetDateTime, Instant),
}

impl Shared {
    pub(super) fn new(
        (pki, key): (Pki, CaKey),
        (usual, page): (Usual, bool),
        passwords: Passwords,
        presented: Arc<Presented>,
        clock: fn() -> OffsetDateTime,
    ) -> Self {
        let start = (clock(), Instant::now());
        let passwords = RwLock::new(passwords);
        let (strangers, counts) = (Strangers::default(), Counts::default());
        Self { pki, key, usual, page, passwords, presented, strangers, counts, clock, start }
    }

    /// What the clock says.
    pub(super) fn now(&self) -> OffsetDateTime {
        (self.clock)()
    }

    /// When the service started.
    pub(super) fn started(&self) -> OffsetDateTime {
        self.start.0
    }

    /// What the clock should say, by the time that has passed since the start.
    pub(super) fn believed(&self) -> OffsetDateTime {
        self.start.0 + self.start.1.elapsed()
    }

    /// The CA, as it is now: it may have got another name.
    pub(super) fn ca(&self) -> Result<Ca, Refusal> {
        self.pki.ca_now(&self.key).map_err(|e| failed(&e))
    }

    /// Whether the one-time password of a device in the file is this one.
    pub(super) fn has_password(&self, id: &str, password: &str) -> bool {
        self.passwords.read().unwrap_or_else(PoisonError::into_inner).opens(id, password)
    }

    pub(super) fn replace_passwords(&self, passwords: Passwords) {
        *self.passwords.write().unwrap_or_else(PoisonError::into_inner) = passwords;
    }

    /// Refuses with 503 if the clock is not believed.
    pub(super) fn check_clock(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        self.pki.check_clock(now, self.believed()).map_err(|e| failed(&e))
    }

    /// Refuses with 503 if the service could not sign now.
    pub(super) fn check_ready(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        self.pki.check_able(&self.key, now, self.believed()).map_err(|e| failed(&e))?;
        match self.presented.until() {
            until if now <= until => Ok(()),
            _ => Err(super::answer::busy("the certificate of the service has ended")),
        }
    }
}
