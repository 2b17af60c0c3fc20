//! Rows as text, and text as rows.

use super::error::SmartRestError;

/// Writes rows, each with its end.
///
/// Errors: [`SmartRestError::NoNumber`], [`SmartRestError::Backslash`].
pub fn write<R, V>(rows: &[R]) -> Result<String, SmartRestError>
where
    R: AsRef<[V]>,
    V: AsRef<str>,
{
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let row = row.as_ref();
        if row.first().is_none_or(|number| number.as_ref().is_empty()) {
            return Err(SmartRestError::NoNumber { row: index + 1 });
        }
        for (position, value) in row.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            push_value(&mut text, value.as_ref())?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn push_value(text: &mut String, value: &str) -> Result<(), SmartRestError> {
    if !needs_quotes(value) {
        text.push_str(value);
        return Ok(());
    }
    if value.ends_with('\\') {
        return Err(SmartRestError::Backslash { value: value.to_owned() });
    }
    text.push('"');
    text.push_str(&value.replace('"', "\\\""));
    text.push('"');
    Ok(())
}

pub(super) fn needs_quotes(value: &str) -> bool {
    value.contains(['"', ',', '\r', '\n', '\t']) || value.trim() != value
}

/// Reads rows. Blank lines are none, and a row may end with CR LF or with the text.
///
/// Errors: [`SmartRestError::Unclosed`], [`SmartRestError::StrayQuote`],
/// [`SmartRestError::AfterQuote`], [`SmartRestError::NoNumber`].
pub fn parse(text: &str) -> Result<Vec<Vec<String>>, SmartRestError> {
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let number = rows.len() + 1;
        let (row, after) = parse_row(rest, number)?;
        rest = after;
        match row.as_slice() {
            // A quoted empty value is not a blank line.
            [only] if only.is_empty() => {}
            [first, ..] if first.is_empty() => {
                return Err(SmartRestError::NoNumber { row: number });
            }
            _ => rows.push(row),
        }
    }
    Ok(rows)
}

/// The first row, and the text behind its end.
fn parse_row(text: &str, row: usize) -> Result<(Vec<String>, &str), SmartRestError> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => parse_quoted(quoted, row)?,
            None => parse_plain(rest, row)?,
        };
        values.push(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                let after = after.strip_prefix('\r').unwrap_or(after);
                return Ok((values, after.strip_prefix('\n').unwrap_or(after)));
            }
        }
    }
}

/// A value up to its separator, which stays.
fn parse_plain(text: &str, row: usize) -> Result<(String, &str), SmartRestError> {
    let end = text.find([',', '\n']).unwrap_or(text.len());
    let (mut value, mut after) = text.split_at(end);
    if value.contains('"') {
        return Err(SmartRestError::StrayQuote { row });
    }
    if !after.starts_with(',')
        && let Some(without) = value.strip_suffix('\r')
    {
        after = &text[without.len()..];
        value = without;
    }
    Ok((value.to_owned(), after))
}

/// A value behind its opening quote, up to the separator behind its closing one.
fn parse_quoted(text: &str, row: usize) -> Result<(String, &str), SmartRestError> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                chars.next();
            }
            '"' => {
                let after = &text[at + 1..];
                return match after.chars().next() {
                    None | Some(',' | '\n') => Ok((value, after)),
                    Some('\r') if matches!(after, "\r") || after.starts_with("\r\n") => {
                        Ok((value, after))
                    }
                    Some(found) => Err(SmartRestError::AfterQuote { row, found }),
                };
            }
            c => value.push(c),
        }
    }
    Err(SmartRestError::Unclosed { row })
}
