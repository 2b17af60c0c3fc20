//! Is a computer's clock right? A pure rule over what is known besides it.
//!
//! Certificates and revocation lists carry times, and what is made with a wrong clock hurts later: a list
//! that begins in three years hides all that come before that. So now is held to the last entry of the
//! audit log, to the lists that were made last, and to the tenant's `Date` where there is one.
//!
//! - Behind one of them by more than [`SLACK`]: the clock is wrong, or that one was made with a wrong clock.
//! - More than [`SILENCE`] after the last entry: the clock may be ahead, or nobody has worked here for
//!   long. A tenant whose `Date` agrees settles it.
//! - Apart from the tenant's `Date` by more than [`SLACK`], in whichever direction: the clock is wrong.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::failure::{Failure, Fault, Hint, Permission};

/// How far two clocks may be apart: 10 minutes. Ours; stations without a time server drift by seconds a
/// day, and profiles begin certificates an hour early.
pub const SLACK: Duration = Duration::minutes(10);

/// How long nothing may have been recorded: 30 days, for which a revocation list is made by default. Ours.
pub const SILENCE: Duration = Duration::days(30);

/// What is known of the time besides a computer's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// When the audit log's last row was written.
    pub audited: Option<OffsetDateTime>,
    /// The last lists: whose, and when each was made (thisUpdate).
    pub lists: Vec<(String, OffsetDateTime)>,
    /// What the tenant's clock says now (the `Date` of its answer).
    pub tenant: Option<OffsetDateTime>,
}

/// Why a clock is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// It is behind something that has happened.
    #[error(
        "this computer's clock says {}, and {what} is of {}: this clock is behind, or the other one was \
         ahead", rfc3339(*now), rfc3339(*than)
    )]
    Behind {
        /// What the clock says.
        now: OffsetDateTime,
        /// What it is behind: `the registry's last entry`, `the last revocation list of …`.
        what: String,
        /// The time of that.
        than: OffsetDateTime,
    },
    /// It is long after the last entry.
    #[error(
        "the registry's last entry is of {}, this computer's clock says {}: the clock may be ahead",
        rfc3339(*last), rfc3339(*now)
    )]
    Ahead {
        /// What the clock says.
        now: OffsetDateTime,
        /// The last entry.
        last: OffsetDateTime,
    },
    /// The tenant's clock says something else.
    #[error("this computer's clock says {}, and the tenant's says {}", rfc3339(*now), rfc3339(*tenant))]
    Tenant {
        /// What the clock says.
        now: OffsetDateTime,
        /// What the tenant's says.
        tenant: OffsetDateTime,
    },
}

impl ClockError {
    /// Whether a person can be asked: nothing contradicts the clock.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Ahead { .. })
    }

    /// What the clock says, and the time that speaks against it.
    pub fn times(&self) -> (OffsetDateTime, OffsetDateTime) {
        match self {
            Self::Behind { now, than: other, .. }
            | Self::Ahead { now, last: other }
            | Self::Tenant { now, tenant: other } => (*now, *other),
        }
    }
}

impl Failure for ClockError {
    fn fault(&self) -> Fault {
        Fault::Environment
    }

    fn hint(&self) -> Option<Hint> {
        let allow = |what| Hint::permit(what, Permission::ClockIsRight);
        Some(match self {
            Self::Behind { .. } | Self::Tenant { .. } => {
                Hint::say("set this computer's clock").then(allow(
                    "if it is right, run it again and say so, which the audit log keeps",
                ))
            }
            Self::Ahead { .. } => Hint::say("check this computer's clock and set it").then(allow(
                "if it is right, and nothing was recorded for that long, run it again and say so, which the audit \
                 log keeps",
            )),
        })
    }
}

/// Holds a clock to what is known besides it.
///
/// Errors: the first thing that speaks against it; the tenant's clock comes first, since it runs.
pub fn check(now: OffsetDateTime, evidence: &Evidence) -> Result<(), ClockError> {
    if let Some(tenant) = evidence.tenant
        && (now - tenant).abs() > SLACK
    {
        return Err(ClockError::Tenant { now, tenant });
    }
    let entry = evidence.audited.map(|at| ("the registry's last entry".to_owned(), at));
    let lists = evidence.lists.iter();
    let lists = lists.map(|(ca, at)| (format!("the last revocation list of {ca}"), *at));
    let latest = entry.into_iter().chain(lists).max_by_key(|(_, at)| *at);
    if let Some((what, than)) = latest
        && than - now > SLACK
    {
        return Err(ClockError::Behind { now, what, than });
    }
    match evidence.audited {
        Some(last) if now - last > SILENCE && evidence.tenant.is_none() => {
            Err(ClockError::Ahead { now, last })
        }
        _ => Ok(()),
    }
}

#[doc(hidden)]
pub fn rfc3339(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Means;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-01 12:00:00 UTC);

    fn audited(at: OffsetDateTime) -> Evidence {
        Evidence { audited: Some(at), ..Evidence::default() }
    }

    #[test]
    fn without_evidence_a_clock_is_believed() {
        assert_eq!(check(NOW, &Evidence::default()), Ok(()));
    }

    #[test]
    fn behind_begins_after_ten_minutes() {
        assert_eq!(check(NOW, &audited(NOW + SLACK)), Ok(()));
        let error = check(NOW, &audited(NOW + SLACK + Duration::SECOND)).unwrap_err();
        assert!(matches!(error, ClockError::Behind { .. }), "{error}");
        assert!(!error.is_question());
        let hint = error.hint().unwrap();
        assert!(hint.to_string().contains("clock"), "{hint}");
        assert_eq!(hint.means(), [&Means::Permit(Permission::ClockIsRight)]);
    }

    #[test]
    fn the_latest_list_counts_and_is_named() {
        let list = |ca: &str, days| (ca.to_owned(), NOW + Duration::days(days));
        let lists = vec![list("a", 1), list("b", 1000), list("c", -3)];
        let evidence = Evidence { lists, ..audited(NOW) };
        let error = check(NOW, &evidence).unwrap_err().to_string();
        assert!(error.contains("the last revocation list of b is of 2029-07-28"), "{error}");
    }

    #[test]
    fn far_ahead_begins_after_thirty_days_and_is_a_question() {
        assert_eq!(check(NOW, &audited(NOW - SILENCE)), Ok(()));
        let error = check(NOW, &audited(NOW - SILENCE - Duration::SECOND)).unwrap_err();
        assert!(error.is_question(), "{error}");
        assert_eq!(error.times(), (NOW, NOW - SILENCE - Duration::SECOND));
        // A list is no sign of work: only entries tell of it.
        let lists = vec![("a".to_owned(), NOW - Duration::days(90))];
        assert_eq!(check(NOW, &Evidence { lists, ..Evidence::default() }), Ok(()));
    }

    #[test]
    fn a_tenant_settles_it_in_either_direction() {
        let long_ago = audited(NOW - Duration::days(400));
        let tenant = |at| Evidence { tenant: Some(at), ..long_ago.clone() };
        assert_eq!(check(NOW, &tenant(NOW - SLACK)), Ok(()));
        for off in [SLACK + Duration::SECOND, -SLACK - Duration::SECOND] {
            let error = check(NOW, &tenant(NOW + off)).unwrap_err();
            assert!(matches!(error, ClockError::Tenant { .. }), "{error}");
        }
        // It does not make undone what has happened.
        let evidence = Evidence { tenant: Some(NOW), ..audited(NOW + Duration::days(1)) };
        assert!(matches!(check(NOW, &evidence), Err(ClockError::Behind { .. })));
    }
}
