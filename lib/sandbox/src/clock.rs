//! The time, and how the platform writes it.
//!
//! The one module of the library that looks at the clock: a server has nobody to be told the time by.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Now.
#[expect(clippy::disallowed_methods, reason = "a server has a clock")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// `2026-08-14T10:00:00.000Z`.
pub(super) fn iso(at: OffsetDateTime) -> String {
    const FORM: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(UtcOffset::UTC).format(FORM).unwrap_or_default()
}

/// A time in ISO 8601 with an offset.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_form() {
        let at = parse("2026-08-14T12:00:00.25+02:00").unwrap();
        assert_eq!(iso(at), "2026-08-14T10:00:00.250Z");
        assert_eq!(parse("2026-08-14"), None);
    }
}
