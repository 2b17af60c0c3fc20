//! Text for people from the library's values.

mod cert;
mod store;

pub(crate) use cert::items;
pub(crate) use store::listing;

use c8y_pki::shown::one_line;
use time::OffsetDateTime;
use time::macros::format_description;

/// Columns of equal width, two spaces apart; the header only if there is one.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
    let all: Vec<Vec<String>> =
        if header.is_empty() { rows } else { [vec![header], rows].concat() };
    // A line end in a cell would be a row that nobody wrote.
    let all: Vec<Vec<String>> =
        all.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &all {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `2027-11-22 09:08:17 UTC`.
pub(crate) fn date(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}

/// `2027-11-22`.
pub(crate) fn day(at: OffsetDateTime) -> String {
    at.date().to_string()
}

/// Days until then, rounded: a certificate of 365 days has 365 left when it was made a second ago.
pub(crate) fn days_until(at: OffsetDateTime) -> i64 {
    const DAY: i64 = 86_400;
    ((at - OffsetDateTime::now_utc()).whole_seconds() + DAY / 2).div_euclid(DAY)
}

/// How far away the end is: `in 365 days`, `3 days ago`.
pub(crate) fn until(at: OffsetDateTime) -> String {
    match days_until(at) {
        0 => "within a day".to_owned(),
        1 => "in 1 day".to_owned(),
        -1 => "1 day ago".to_owned(),
        d if d > 0 => format!("in {d} days"),
        d => format!("{} days ago", -d),
    }
}

/// What servers and certificates say may hold anything, line ends too: as one line with nothing hidden in it.
pub(crate) fn printable(text: &str) -> String {
    one_line(text).into_owned()
}

/// A line whose values may hold anything; `text` may end with its line end.
pub(crate) fn as_line(text: &str) -> String {
    format!("{}\n", one_line(text.strip_suffix('\n').unwrap_or(text)))
}

/// `1 device`, `2 devices`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {what}{end}")
}

/// Hex in upper case with colons, as keytool and browsers show fingerprints.
pub(crate) fn colons(hex: &str) -> String {
    let upper = hex.to_uppercase();
    let pairs: Vec<String> =
        upper.as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    pairs.join(":")
}
