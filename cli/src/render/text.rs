//! Tables, dates, and text from outside on one line.

use c8y_pki_core::shown::one_line;
use time::OffsetDateTime;
use time::macros::format_description;

/// Columns whose cells may be cut where a table is wider than the terminal: prose and whole names. All others hold
/// what is typed or compared, and are never cut.
const MAY_BE_CUT: [&str; 6] = ["SUBJECT", "DESCRIPTION", "DETAIL", "CUSTOMER", "ISSUER", "REASON"];

/// The least that is left of a cell that is cut.
const LEAST: usize = 12;

/// Columns of equal width, two spaces apart; the header only if there is one. At a terminal it is as wide as that, if
/// something can be cut.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    table_within(header, rows, width())
}

/// The width of the terminal that standard output goes to.
fn width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

fn table_within(header: &[&str], rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let titles: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
    let all: Vec<Vec<String>> =
        if header.is_empty() { rows } else { [vec![titles], rows].concat() };
    // A line end in a cell would be a row that nobody wrote.
    let all: Vec<Vec<String>> =
        all.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let mut columns = Columns::default();
    all.iter().for_each(|row| columns.measure(row));
    if let Some(width) = width {
        columns.narrow(header, width);
    }
    all.iter().map(|row| columns.line(row)).collect()
}

/// The widths of columns: all rows are measured, and then written one by one.
#[derive(Default)]
pub(crate) struct Columns(Vec<usize>);

impl Columns {
    pub(crate) fn measure(&mut self, row: &[impl AsRef<str>]) {
        self.0.resize(self.0.len().max(row.len()), 0);
        for (width, cell) in self.0.iter_mut().zip(row) {
            *width = (*width).max(cell.as_ref().chars().count());
        }
    }

    /// Takes from the widest columns that may be cut, until a line fits or nothing is left to take.
    fn narrow(&mut self, header: &[&str], width: usize) {
        let cut = |at: &usize| header.get(*at).is_some_and(|name| MAY_BE_CUT.contains(name));
        let total =
            |widths: &[usize]| widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        while total(&self.0) > width {
            let widest = (0..self.0.len()).filter(cut).max_by_key(|at| self.0[*at]);
            match widest {
                Some(at) if self.0[at] > LEAST => self.0[at] -= 1,
                _ => return,
            }
        }
    }

    /// A row as a line; what is longer than its column ends with `…`.
    pub(crate) fn line(&self, row: &[impl AsRef<str>]) -> String {
        let cells = row.iter().zip(&self.0).map(|(cell, width)| {
            let (cell, width) = (cell.as_ref(), *width);
            if cell.chars().count() <= width {
                return format!("{cell:<width$}");
            }
            let start: String = cell.chars().take(width.saturating_sub(1)).collect();
            format!("{start}…")
        });
        let mut line = cells.collect::<Vec<_>>().join("  ");
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
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

/// A word for a POSIX shell.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// A line whose values may hold anything; `text` may end with its line end.
pub(crate) fn as_line(text: &str) -> String {
    format!("{}\n", one_line(text.strip_suffix('\n').unwrap_or(text)))
}

/// Hex in upper case with colons, as keytool and browsers show fingerprints.
pub(crate) fn colons(hex: &str) -> String {
    let upper = hex.to_uppercase();
    let pairs: Vec<String> =
        upper.as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_ids_stay_whole() {
        let id = "gw-".to_owned() + &"7".repeat(40);
        let rows = vec![vec![id.clone(), "CN=A long name of a certificate,O=Example".to_owned()]];
        let text = table_within(&["ID", "SUBJECT"], rows.clone(), Some(60));
        assert!(text.contains(&id) && text.contains("CN=A long n"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 60) && text.contains('…'),
            "{text}"
        );
        // Where nothing more can be cut, the terminal wraps.
        let text = table_within(&["ID", "SUBJECT"], rows.clone(), Some(20));
        assert!(text.contains(&id), "{text}");
        let text = table_within(&["ID", "SUBJECT"], rows, None);
        assert!(text.contains(",O=Example"), "{text}");
    }
}
