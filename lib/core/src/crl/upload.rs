//! Revocations as the platform takes them in files.

use time::OffsetDateTime;

use super::reason::Revoked;

/// Most revocations in one file that the platform takes (platform: "Revocation").
pub const PLATFORM_ROWS: usize = 5000;

/// A revocation that is younger than this, at the time of an upload, is a fresh one.
const FRESH: time::Duration = time::Duration::days(1);

/// Revocations in the form in which the platform takes them: CSV files with the header
/// `SERIALNO,DATE`, serial numbers in hex, times as ISO 8601 in UTC with milliseconds, at most
/// [`PLATFORM_ROWS`] rows each. A certificate on hold is among them: also at the platform, so
/// leave it out if it is to return.
///
/// `upload` is the time of the upload. A revocation of the day before it, or of a later time by this
/// machine's clock, then has no date, which means "now" to the platform: what it makes of a date ahead of
/// its own clock is not certain (platform: "Revocation").
pub fn platform_csv(revoked: &[Revoked], upload: Option<OffsetDateTime>) -> Vec<String> {
    let row = |entry: &Revoked| {
        if upload.is_some_and(|upload| entry.at > upload - FRESH) {
            return format!("{},\n", entry.serial);
        }
        let at = entry.at.to_offset(time::UtcOffset::UTC);
        let (date, (hour, minute, second)) = (at.date(), at.to_hms());
        format!("{},{date}T{hour:02}:{minute:02}:{second:02}.000Z\n", entry.serial)
    };
    let file = |rows: &[Revoked]| {
        std::iter::once("SERIALNO,DATE\n".to_owned()).chain(rows.iter().map(row)).collect()
    };
    revoked.chunks(PLATFORM_ROWS).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Serial;
    use crate::crl::Reason;

    #[test]
    fn the_platforms_files_hold_5000_rows_at_most() {
        let at = OffsetDateTime::from_unix_timestamp(1_768_646_931).unwrap();
        let entry = |n: u16| Revoked {
            serial: Serial::from_octets(&[[0x4a, 0x00], n.to_be_bytes()].concat()),
            at,
            reason: Reason::KeyCompromise,
        };
        let all: Vec<Revoked> = (0..5001).map(entry).collect();
        let files = platform_csv(&all, None);
        let rows: Vec<usize> = files.iter().map(|f| f.lines().count() - 1).collect();
        assert_eq!(rows, [5000, 1]);
        assert!(files[0].starts_with("SERIALNO,DATE\n4a000000,2026-01-17T10:48:51.000Z\n"));
        assert_eq!(platform_csv(&[], None), Vec::<String>::new());
    }

    #[test]
    fn a_fresh_revocation_has_no_date() {
        let at = OffsetDateTime::from_unix_timestamp(1_768_646_931).unwrap();
        let serial = Serial::from_octets(&[0x4a]);
        let entry = Revoked { serial, at, reason: Reason::KeyCompromise };
        let row = |after: time::Duration| {
            let files = platform_csv(std::slice::from_ref(&entry), Some(at + after));
            files[0].lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(row(time::Duration::hours(23)), "4a,");
        assert_eq!(row(-time::Duration::days(3)), "4a,", "this machine's clock was ahead");
        assert_eq!(row(time::Duration::days(1)), "4a,2026-01-17T10:48:51.000Z");
    }
}
