//! What was made for less time than its profile says, because its issuer ends.

use serde::Serialize;
use time::OffsetDateTime;

use crate::cert::Certificate;
use crate::issue::{Shortened, Validity};
use crate::profile::Profile;

/// A CA or the devices of this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShortenedOf {
    /// `ca` or `devices`, as in the steps.
    pub kind: &'static str,
    /// The CA that was made, or the CA of the devices.
    pub name: String,
    /// By what.
    #[serde(flatten)]
    pub shortened: Shortened,
}

impl ShortenedOf {
    /// A sentence.
    pub fn sentence(&self) -> String {
        let what = match self.kind {
            "ca" => format!("the CA {}", self.name),
            _ => format!("the devices of {}", self.name),
        };
        format!("{what}: the {}", self.shortened)
    }

    /// Whether something under that issuer is, for which `days` were asked for or nothing.
    pub(super) fn of(
        (kind, name): (&'static str, &str),
        (profile, days): (&Profile, Option<u32>),
        issuer: &Certificate,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let shortened = Shortened::of(days, &Validity::of(profile, now, None), issuer)?;
        Some(Self { kind, name: name.to_owned(), shortened })
    }
}
