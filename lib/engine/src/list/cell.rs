//! What spreadsheets make of a cell: texts dressed as formulas, and numbers that are rounded.

use std::borrow::Cow;

/// The text of a cell: Excel writes `="000123"` to keep a text from becoming a number.
pub(crate) fn plain(cell: &str) -> Cow<'_, str> {
    let dressed = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    match dressed {
        Some(text) if text.contains('"') => Cow::Owned(text.replace("\"\"", "\"")),
        Some(text) => Cow::Borrowed(text),
        None => Cow::Borrowed(cell),
    }
}

/// Most digits that a number of a spreadsheet has (IEEE 754 double, as Excel shows it).
const EXACT: f64 = 1e15;

/// The shortest exponent of a number with more digits.
const LONG: usize = 15;

/// Longer numbers are shown as they come.
const MOST_DIGITS: usize = 40;

/// A number of more digits than a spreadsheet keeps, handed on so that it is known for one (`1.2345E+015`): no
/// spreadsheet writes a zero in front of such an exponent. Another number is none.
pub(super) fn long_number(number: f64) -> Option<String> {
    let text = (number.abs() >= EXACT).then(|| format!("{number:E}"))?;
    let (digits, exponent) = text.split_once('E')?;
    Some(format!("{digits}E+0{exponent}"))
}

/// Such a number with all of its digits, as far as they are known, and how many these are.
pub(super) fn digits_of_long(text: &str) -> Option<(String, usize)> {
    let (mantissa, exponent) = text.split_once("E+0")?;
    let exponent: usize = exponent.parse().ok()?;
    let number = (LONG..MOST_DIGITS).contains(&exponent).then_some(exponent + 1)?;
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let known: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    Some((format!("{sign}{known:0<number$}"), number))
}

/// The letters that a spreadsheet gives a column, which is counted from 0.
pub(super) fn letters(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        // Less than 26.
        letters.push(b'A' + u8::try_from(column % 26).unwrap_or_default());
        column /= 26;
        if column == 0 {
            break;
        }
        column -= 1;
    }
    letters.into_iter().rev().map(char::from).collect()
}

/// What Excel shows in place of a formula's value, in English and in German: it exports them as texts.
const ERRORS: [&str; 11] = [
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#BEZUG!", "#NV", "#WERT!",
    "#ZAHL!",
];

/// Whether a cell holds the error of a formula.
pub(super) fn is_error(cell: &str) -> bool {
    ERRORS.contains(&cell.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_have_their_digits_again() {
        let digits = |number: f64| digits_of_long(&long_number(number).unwrap()).unwrap();
        assert_eq!(digits(1234567890123456.0), ("1234567890123456".to_owned(), 16));
        assert_eq!(digits(1e15), ("1000000000000000".to_owned(), 16));
        assert_eq!(digits(-8.94902000012345e19), ("-89490200001234500000".to_owned(), 20));
        assert_eq!(long_number(999_999_999_999_999.0), None);
        // Texts of other programs.
        for text in ["8.94902E+18", "1E+05", "gw-1", "1E+0x"] {
            assert_eq!(digits_of_long(text), None, "{text}");
        }
        assert!(crate::client_id::is_rounded(&long_number(1e15).unwrap()));
    }

    #[test]
    fn columns_have_the_letters_of_spreadsheets() {
        let of = [0, 25, 26, 51, 701, 702].map(letters);
        assert_eq!(of, ["A", "Z", "AA", "AZ", "ZZ", "AAA"]);
    }

    #[test]
    fn texts_lose_the_dress_of_a_formula() {
        for (cell, text) in [
            ("=\"000123\"", "000123"),
            ("=\"a\"\"b\"", "a\"b"),
            ("000123", "000123"),
            ("=000123", "=000123"),
            ("=\"", "=\""),
        ] {
            assert_eq!(plain(cell), text, "{cell}");
        }
    }
}
