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
