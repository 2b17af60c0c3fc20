//! The text form of names (RFC 4514).

use super::{Field, NameError, find_field};

/// RFC 4514, 2.4; control characters too, so that a name cannot garble a terminal.
pub(super) fn escape(value: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        let edge_space = c == ' ' && (i == 0 || i == last);
        if edge_space
            || (c == '#' && i == 0)
            || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
        {
            out.push('\\');
            out.push(c);
        } else if c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "\\{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Splits an RFC 4514 string; the result is in the order of the encoding (last part first).
pub(super) fn parse_rfc4514(text: &str) -> Result<Vec<(&'static Field, String)>, NameError> {
    let fail = |reason| NameError::Syntax { text: text.to_owned(), reason };
    let mut parts = Vec::new();
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let mut key = String::new();
        loop {
            match chars.next() {
                Some('=') => break,
                Some(c) => key.push(c),
                None => return Err(fail("a part has no '='")),
            }
        }
        let field = find_field(key.trim())?;
        parts.push((field, parse_value(&mut chars).map_err(fail)?));
        if chars.next_if_eq(&',').is_some() && chars.peek().is_none() {
            return Err(fail("nothing follows the last comma"));
        }
    }
    parts.reverse();
    Ok(parts)
}

/// Reads a value up to an unescaped comma, which it leaves. White space around it does not count.
fn parse_value(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<String, &'static str> {
    let mut bytes = Vec::new();
    let mut kept = 0;
    while chars.next_if_eq(&' ').is_some() {}
    if chars.peek() == Some(&'#') {
        return Err("a value in hexadecimal ('#…') cannot be written");
    }
    while let Some(c) = chars.next_if(|c| *c != ',') {
        let mut buffer = [0; 4];
        match c {
            '\\' => {
                let escaped = chars.next().ok_or("a backslash ends it")?;
                match (escaped.to_digit(16), chars.peek().and_then(|c| c.to_digit(16))) {
                    (Some(high), Some(low)) => {
                        chars.next();
                        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    }
                    _ => bytes.extend(escaped.encode_utf8(&mut buffer).bytes()),
                }
                kept = bytes.len();
            }
            '+' => return Err("several attributes in one part ('+') cannot be written"),
            '"' | ';' | '<' | '>' => return Err("one of \" ; < > is not escaped with a backslash"),
            _ => {
                bytes.extend(c.encode_utf8(&mut buffer).bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).map_err(|_| "its escaped bytes are not UTF-8")
}
