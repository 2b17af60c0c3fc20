//! How long a certificate is valid, and that it does not outlive its issuer.

use time::{Duration, OffsetDateTime};

use super::{IssueError, check_signs_at, date};
use crate::cert::Certificate;
use crate::profile::{Kind, Profile};

/// A span of time, both ends included, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: OffsetDateTime,
    /// Last moment.
    pub not_after: OffsetDateTime,
    /// The moment from which days are counted.
    pub counted_from: OffsetDateTime,
}

impl Validity {
    /// `days` from `now` (the profile's number if none), begun earlier by the profile's amount. Those of a server are the
    /// whole of its validity: what its clients ask for is a limit of that.
    pub fn of(profile: &Profile, now: OffsetDateTime, days: Option<u32>) -> Self {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let not_before = now - Duration::minutes(profile.backdate_minutes.into());
        let counted_from = if profile.kind == Kind::Server { not_before } else { now };
        let days = Duration::days(days.unwrap_or(profile.validity_days).into());
        Self { not_before, not_after: counted_from + days, counted_from }
    }

    /// What an issuer with this certificate gives from `now` on: what is asked for, or less, as `beyond_issuer` says.
    ///
    /// Errors: it may not sign, or not now; more than it has is asked for.
    pub fn under(
        issuer: &Certificate,
        (profile, days): (&Profile, Option<u32>),
        beyond_issuer: BeyondIssuer,
        now: OffsetDateTime,
    ) -> Result<Self, IssueError> {
        check_signs_at(issuer, now)?;
        fit(issuer, Self::of(profile, now, days), beyond_issuer)
    }

    /// How many whole days it has.
    pub fn days(&self) -> i64 {
        (self.not_after - self.counted_from).whole_days()
    }

    /// How many whole days an issuer leaves that ends at `end`, if this would end later.
    pub fn most_before(&self, end: OffsetDateTime) -> Option<i64> {
        (self.not_after > end).then(|| (end - self.counted_from).whole_days().max(0))
    }
}

/// What to do with a validity that ends after the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeyondIssuer {
    /// Refuse it and say how long it could be.
    Refuse,
    /// Shorten it to the issuer's end.
    Shorten,
}

impl BeyondIssuer {
    /// A validity that nobody asked for gives way to the issuer's end; one that was asked for (`days`)
    /// only if that was asked for too.
    pub fn of(days: Option<u32>, shorten: bool) -> Self {
        if shorten || days.is_none() { Self::Shorten } else { Self::Refuse }
    }
}

/// A validity that an issuer with this certificate can give: `wanted`, or shortened, or refused.
pub fn fit(
    issuer: &Certificate,
    wanted: Validity,
    beyond_issuer: BeyondIssuer,
) -> Result<Validity, IssueError> {
    let end = issuer.not_after;
    let Some(longest) = wanted.most_before(end) else { return Ok(wanted) };
    if beyond_issuer == BeyondIssuer::Shorten {
        return Ok(Validity { not_after: end, ..wanted });
    }
    Err(IssueError::Outlives {
        issuer: issuer.subject.clone(),
        days: wanted.days(),
        not_after: date(wanted.not_after),
        issuer_not_after: date(end),
        longest,
    })
}
