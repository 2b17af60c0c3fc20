//! Numbers that a spreadsheet has rounded.

/// Whether a text is a number as spreadsheets show those that are too long for them, `8,96529E+19`: of its
/// digits only the first are left.
pub fn is_rounded(cell: &str) -> bool {
    let Some((mantissa, exponent)) = cell.trim().split_once("E+") else { return false };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (first, rest) = match mantissa.split_once([',', '.']) {
        Some((first, rest)) => (first, Some(rest)),
        None => (mantissa, None),
    };
    first.len() == 1 && all_digits(first) && rest.is_none_or(all_digits) && all_digits(exponent)
}

/// What is to be done about a rounded number.
pub const ROUNDED: &str = "its digits are lost in the file: in the spreadsheet, format the column as text, \
     enter or import the values again, and export it once more";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_numbers_are_known_in_each_language() {
        for text in ["8,96529E+19", "8.96529E+19", "1E+05", " 8,96529E+19 ", "-1,5E+10"] {
            assert!(is_rounded(text), "{text}");
        }
        for text in [
            "",
            "E+1",
            "12E456",
            "1E5",
            "8,96529",
            "89652900000000000000",
            "A1,2E+3",
            "1,2E+",
            "12,5E+3",
        ] {
            assert!(!is_rounded(text), "{text}");
        }
    }
}
