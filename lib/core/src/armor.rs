//! What stands around PEM and DER when they come from other programs: text in UTF-16 or Latin-1, line
//! ends written as `\n` (JSON, C strings, environment variables), line ends behind DER.
//!
//! Text outside of PEM blocks does not count (RFC 7468, section 2).

use std::borrow::Cow;

use crate::ber::Reader;

const BEGIN: &str = "-----BEGIN ";

/// A PEM text as the parser reads it: UTF-8, one line a line. Whatever else it is, is returned as it is.
pub fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.first() == Some(&0x30) && std::str::from_utf8(bytes).is_err() {
        return Cow::Borrowed(bytes);
    }
    let text = match utf16(bytes) {
        Some(text) => Cow::Owned(text.into_bytes()),
        None if contains(bytes, BEGIN) && std::str::from_utf8(bytes).is_err() => {
            // Base64 and labels are ASCII; what the rest says does not matter.
            Cow::Owned(bytes.iter().map(|b| if b.is_ascii() { *b } else { b'?' }).collect())
        }
        None => Cow::Borrowed(bytes),
    };
    match std::str::from_utf8(&text).ok().filter(|text| is_escaped(text)) {
        Some(escaped) => Cow::Owned(unescaped(escaped).into_bytes()),
        None => text,
    }
}

/// Text in UTF-16 that begins with a byte order mark, or bytes without the one of UTF-8: for what is ASCII and
/// no PEM. Whatever is not ASCII then, such as the bytes of a signature, is returned as it is.
pub fn ascii(bytes: &[u8]) -> Cow<'_, [u8]> {
    if let Some(rest) = bytes.strip_prefix("\u{feff}".as_bytes()) {
        return Cow::Borrowed(rest);
    }
    let has_mark = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    match has_mark.then(|| utf16(bytes)).flatten().filter(|text| text.is_ascii()) {
        Some(text) => Cow::Owned(text.into_bytes()),
        None => Cow::Borrowed(bytes),
    }
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

/// Text in UTF-16, with a byte order mark or with a PEM block in it.
fn utf16(bytes: &[u8]) -> Option<String> {
    let wide =
        |order: fn(u16) -> [u8; 2]| -> Vec<u8> { BEGIN.encode_utf16().flat_map(order).collect() };
    // Each unit begins at an even place: of the other order the same bytes stand one further.
    let has = |needle: Vec<u8>| bytes.windows(needle.len()).step_by(2).any(|w| w == needle);
    let little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        // Only what is half zeros is looked at closer.
        _ if !contains(bytes, "-\0-") => return None,
        _ if has(wide(u16::to_le_bytes)) => true,
        _ if has(wide(u16::to_be_bytes)) => false,
        _ => return None,
    };
    let units = bytes.chunks_exact(2).map(|pair| match little {
        true => u16::from_le_bytes([pair[0], pair[1]]),
        false => u16::from_be_bytes([pair[0], pair[1]]),
    });
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(text.filter(|c| *c != '\u{feff}').collect())
}

/// Whether a block begins with a line end that is written out, or ends within quotes.
fn is_escaped(text: &str) -> bool {
    text.match_indices(BEGIN).any(|(at, _)| {
        let label = &text[at + BEGIN.len()..];
        let after = label.find("-----").map(|end| &label[end + 5..]);
        after.is_some_and(|rest| rest.starts_with("\\n") || rest.starts_with("\\r"))
    })
}

/// The blocks of an escaped text, and nothing else of it.
fn unescaped(text: &str) -> String {
    let lines = text.replace("\\r", "").replace("\\n", "\n");
    let (mut out, mut rest) = (String::with_capacity(lines.len()), lines.as_str());
    while let Some(at) = rest.find(BEGIN) {
        let (block, after) = match rest[at..].find("-----END ") {
            Some(end) => {
                let end = at + end + "-----END ".len();
                let close = rest[end..].find("-----").map_or(rest.len(), |close| end + close + 5);
                (&rest[at..close], &rest[close..])
            }
            // Without its end: the reader says so.
            None => (&rest[at..], ""),
        };
        for line in block.lines() {
            let kept = line.chars().filter(|c| !matches!(c, '"' | '\'' | '\\' | ','));
            let kept: String = kept.collect();
            // A header (RFC 1421) has its commas.
            let kept =
                if line.contains(": ") { line.trim_matches(['"', ' ', '\\']) } else { kept.trim() };
            // After headers an empty line counts, else the parser would look for some before it.
            if !kept.is_empty() || block.contains(": ") {
                out.push_str(kept);
                out.push('\n');
            }
        }
        rest = after;
    }
    out
}

/// DER without the line ends, blanks and zeros behind it; whatever else it is, is returned as it is.
pub fn der(bytes: &[u8]) -> &[u8] {
    let mut file = Reader::new(bytes);
    match file.raw("it") {
        Ok(first) if file.rest_is_blank() => first,
        _ => bytes,
    }
}

/// The first element of DER that OpenSSL has written its trust settings behind (`TRUSTED CERTIFICATE`).
pub fn first(bytes: &[u8]) -> &[u8] {
    Reader::new(bytes).raw("it").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN X-----\nAAAA\nBBBB\n-----END X-----\n";

    fn read(bytes: &[u8]) -> String {
        String::from_utf8(plain(bytes).into_owned()).unwrap()
    }

    #[test]
    fn utf16_of_both_orders_is_read() {
        let text = format!("Gerät\r\n{PEM}");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&[&[0xff, 0xfe], &little[..]].concat()), text);
        assert_eq!(read(&[&[0xfe, 0xff], &big[..]].concat()), text);
        assert_eq!(read(&little), text);
        assert_eq!(read(&big), text);
    }

    #[test]
    fn line_ends_that_are_written_out_become_line_ends() {
        let escaped = PEM.replace('\n', "\\n");
        for text in [
            escaped.clone(),
            format!("{{\"certificate\":\"{escaped}\",\"n\":1}}"),
            PEM.replace('\n', "\\r\\n"),
            PEM.lines().map(|line| format!("  \"{line}\\n\"\n")).collect(),
            PEM.lines().map(|line| format!("{line}\\n\\\n")).collect(),
            PEM.lines().map(|line| format!("\"{line}\\n\" \\\n")).collect(),
        ] {
            assert_eq!(read(text.as_bytes()), PEM, "{text}");
        }
    }

    #[test]
    fn other_octets_stay_as_they_are() {
        for bytes in [&b""[..], PEM.as_bytes(), &[0x30, 0x03, 0xff, 0xfe, 0x80]] {
            assert_eq!(&*plain(bytes), bytes);
        }
        assert_eq!(read(&[b"Ger\xe4t\n", PEM.as_bytes()].concat()), format!("Ger?t\n{PEM}"));
        assert_eq!(der(&[0x30, 1, 5, b'\r', b'\n']), [0x30, 1, 5]);
        assert_eq!(der(&[0x30, 1, 5, 7]), [0x30, 1, 5, 7]);
    }
}
