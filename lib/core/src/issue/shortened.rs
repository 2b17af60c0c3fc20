//! A validity that nobody asked for, and that ends with its issuer's.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::Validity;

use crate::cert::Certificate;

/// That it was shortened; `Display` is the rest of a sentence that begins with `the`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortened {
    /// The usual number of days.
    pub days: i64,
    /// The issuer's name.
    pub issuer: String,
    /// Its end.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl Shortened {
    /// Whether the `usual` validity is: not if a number of days was `asked` for, which is refused or shortened as was
    /// asked.
    pub fn of(asked: Option<u32>, usual: &Validity, issuer: &Certificate) -> Option<Self> {
        let until = issuer.not_after;
        let is_shortened = asked.is_none() && usual.most_before(until).is_some();
        is_shortened.then(|| Self { days: usual.days(), issuer: issuer.subject.to_string(), until })
    }
}

impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "usual validity of {} is shortened: its issuer {} ends on {}",
            crate::shown::count(self.days, "day"),
            self.issuer,
            self.until.date()
        )
    }
}
