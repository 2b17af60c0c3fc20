//! A device that is to come.

use serde_json::Value;
use time::OffsetDateTime;

use crate::secret::Password;

/// So many wrong one-time passwords block a registration. The platform does not say how many.
const MOST_FAILURES: u32 = 10;

/// How far a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Waiting,
    Pending,
    Accepted,
    Blocked,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING_FOR_CONNECTION",
            Self::Pending => "PENDING_ACCEPTANCE",
            Self::Accepted => "ACCEPTED",
            Self::Blocked => "BLOCKED",
        }
    }
}

/// A device that is to come.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) status: Status,
    /// With which it may enrol.
    pub(crate) one_time: Option<Password>,
    pub(crate) failures: u32,
    pub(crate) since: OffsetDateTime,
    pub(crate) details: Value,
}

impl Pending {
    /// One that may enrol.
    pub(crate) fn to_enrol(one_time: Password, since: OffsetDateTime) -> Self {
        let one_time = Some(one_time);
        Self { status: Status::Accepted, one_time, failures: 0, since, details: Value::Null }
    }

    pub(crate) fn may_enrol(&self) -> bool {
        self.one_time.is_some() && self.status != Status::Blocked
    }

    /// Whether that is its one-time password; a wrong one is counted.
    pub(crate) fn matches(&mut self, password: &Password) -> bool {
        let right = self.may_enrol() && self.one_time.as_ref() == Some(password);
        self.failures += u32::from(!right);
        if self.failures >= MOST_FAILURES {
            self.status = Status::Blocked;
        }
        right
    }
}
