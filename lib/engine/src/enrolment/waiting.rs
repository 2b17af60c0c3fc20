//! A device asks again and again until an administrator has registered it (platform: "The platform's own CA").
//!
//! Each question with a wrong one-time password counts, and too many of them block the registration. So
//! only an answer that says "not registered" is waited for; any other refusal ends it.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::cert::Certificate;
use crate::device::connection::Backoff;
use crate::failure::{Failure, Fault};
use crate::net::sleep_until;
use crate::platform::blocking::Client;
use crate::platform::{PlatformError, est};

/// How the platform begins its answer to a device that is not registered *(field)*.
const NOT_REGISTERED: &str = "No newDeviceRequest found";

/// The first pause, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What an answer means to a device that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nobody has registered it yet, or the platform was not reached: ask again.
    Wait,
    /// The answer was lost, and the one-time password may be used up by it: ask once more.
    Lost,
    /// No, and asking again would not change it.
    No,
}

impl Meaning {
    /// What an error means.
    pub fn of(error: &PlatformError) -> Self {
        match error {
            // The platform says the same of a device that it does not know yet, in other words.
            PlatformError::OneTimePassword { message, .. } => match message {
                Some(said) if !said.to_string().starts_with(NOT_REGISTERED) => Self::No,
                _ => Self::Wait,
            },
            // It was this side that ended it.
            PlatformError::Stopped { .. } => Self::No,
            e => match e.fault() {
                Fault::Lost => Self::Lost,
                fault if fault.may_pass() => Self::Wait,
                _ => Self::No,
            },
        }
    }
}

/// How waiting has ended.
#[derive(Debug)]
pub enum Waited {
    /// The device is let in: its certificate, then its issuers as far as they were sent.
    Enrolled(Vec<Certificate>),
    /// The time is over; this was the last answer.
    Late(PlatformError),
    /// The caller has stopped it.
    Stopped,
}

/// Asks until the device is let in, `end` has come, or `stop` is set; each failure that is waited for is
/// told, with the pause before the next question.
///
/// Errors: a refusal that waiting does not change; a lost answer, after which the platform does not know the
/// device any more.
pub fn enrol(
    client: &Client,
    csr_der: &[u8],
    end: Instant,
    stop: &AtomicBool,
    mut tell: impl FnMut(&PlatformError, Duration),
) -> Result<Waited, PlatformError> {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut lost: Option<PlatformError> = None;
    loop {
        let error = match client.wait(est::enroll(client, csr_der)) {
            Ok(certificates) => return Ok(Waited::Enrolled(certificates)),
            Err(e) => e,
        };
        match (Meaning::of(&error), lost.take()) {
            (Meaning::No, _) => return Err(error),
            // It took effect, and what it gave is nowhere.
            (Meaning::Wait, Some(lost)) if !error.fault().may_pass() => return Err(lost),
            (Meaning::Wait, before) => lost = before,
            (Meaning::Lost, _) => {}
        }
        let pause = backoff.pause();
        if Instant::now() + pause >= end {
            return Ok(Waited::Late(error));
        }
        tell(&error, pause);
        if matches!(error, PlatformError::EnrolmentLost { .. }) {
            lost = Some(error);
        }
        if !sleep_until(Instant::now() + pause, stop) {
            return Ok(Waited::Stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: Option<&str>) -> Meaning {
        let (host, device) = ("h".to_owned(), "gw".to_owned());
        let message = message.map(Into::into);
        Meaning::of(&PlatformError::OneTimePassword { host, device, message })
    }

    #[test]
    fn only_a_device_that_is_not_registered_waits() {
        let not_yet = "No newDeviceRequest found for this ID. It may already be registered, check the \
                       audit logs for details.";
        assert_eq!(refused(Some(not_yet)), Meaning::Wait);
        assert_eq!(refused(None), Meaning::Wait);
        assert_eq!(refused(Some("Invalid credentials!")), Meaning::No);
        assert_eq!(Meaning::of(&PlatformError::AuthorityOff), Meaning::No);
        let away = PlatformError::Unavailable {
            host: "h".to_owned(),
            status: 503,
            attempts: 1,
            wait: None,
        };
        assert_eq!(Meaning::of(&away), Meaning::Wait);
        let lost = PlatformError::EnrolmentLost { device: "gw".to_owned(), reason: "cut".into() };
        assert_eq!(Meaning::of(&lost), Meaning::Lost);
    }
}
