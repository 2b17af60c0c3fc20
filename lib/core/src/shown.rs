//! Text that came from outside, before people see it: the words of a server, the subject of a certificate,
//! a cell of a CSV, the name of a file.
//!
//! A terminal obeys control characters, and bidirectional ones turn a line around; a line end in a server's
//! words would begin a line that looks like ours. They are shown as Rust writes them (`\u{1b}`, `\n`), in
//! terminals, CSV and HTML alike. What is only for machines (JSON) keeps its value.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// So many bytes of a text from outside stand in a message. Ours: several lines of a terminal.
pub const MOST: usize = 1000;

/// More than what says how much was left out: a text that was cut is not cut again.
const TAIL: usize = 40;

/// Whether a character does something to a terminal or a page, or cannot be seen: control characters (C0,
/// DEL, C1), those of format (bidirectional, zero-width, tags) and separators of lines and paragraphs.
pub fn is_hidden(c: char) -> bool {
    // The general categories Cf, Zl and Zp of Unicode, but for Arabic and Kaithi signs that are seen; and
    // U+FFF0–FFF8, U+E0000–E0FFF, which are kept for such.
    let format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    let noncharacter = u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    c.is_control() || format || noncharacter
}

fn escape(out: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

fn with(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    let is_odd = |c: char| is_hidden(c) && !keep(c);
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_odd(c) {
            // Writing to memory does not fail.
            let _ = escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text as one line in which nothing is hidden.
pub fn one_line(text: &str) -> Cow<'_, str> {
    with(text, |_| false)
}

/// Lines of our own, with line ends and tabs as they are and all else that is hidden made visible.
pub fn lines(text: &str) -> Cow<'_, str> {
    with(text, |c| matches!(c, '\n' | '\t'))
}

/// JSON with the same value, in which nothing hidden stands: in its strings there are escapes for that.
pub fn json(text: &str) -> Cow<'_, str> {
    // serde_json escapes C0 itself; outside of strings JSON has line ends and tabs only.
    let is_odd = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t' | '\r');
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !is_odd(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// `1 device`, `2 devices`: a number with the things that it counts.
pub fn count(number: impl std::fmt::Display, one: &str) -> String {
    let number = number.to_string();
    let end = if number == "1" { "" } else { "s" };
    format!("{number} {one}{end}")
}

/// `1 of 1 device has`, `1 of 2 devices has`, `2 of 2 devices have`: a part of them, with its verb.
pub fn part(number: u64, all: u64, one: &str, (has, have): (&str, &str)) -> String {
    format!("{number} of {} {}", count(all, one), if number == 1 { has } else { have })
}

/// A cell of a CSV for people, who open it in a spreadsheet. One that would be read as a formula gets a `'`
/// in front (OWASP, "CSV Injection"): it begins with `=`, `+`, `-`, `@`, a tab or a carriage return. So do
/// cells that have such a `'` already, so that [`of_cell`] gives back what was written.
pub fn cell(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// What was written as that [`cell`].
pub fn of_cell(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The first [`MOST`] bytes of a text, and how many follow.
fn cut(text: &str) -> (&str, usize) {
    if text.len() <= MOST + TAIL {
        return (text, 0);
    }
    let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    (&text[..end], text.len() - end)
}

/// A text that came from outside. What is shown of it is one line, in which nothing is hidden, of [`MOST`]
/// bytes at most: there is no other way to show it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Foreign(String);

impl Foreign {
    /// Takes it as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes its beginning, where nobody needs more: [`MOST`] bytes and how many there were.
    pub fn beginning(text: &str) -> Self {
        match cut(text) {
            (start, 0) => Self::new(start),
            (start, more) => Self(format!("{start}… and {more} more bytes")),
        }
    }

    /// As it came: for comparing and for machines.
    pub fn as_received(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, more) = cut(&self.0);
        f.write_str(&one_line(start))?;
        if more > 0 { write!(f, "… and {more} more bytes") } else { Ok(()) }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl serde::Serialize for Foreign {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_hidden_is_shown() {
        let odd = "a\u{1b}[31m\u{7}\u{7f}\u{85}\u{9b}\u{202e}\u{2066}\u{61c}\u{200b}\u{feff}\u{2028}\u{e0041}";
        let shown = "a\\u{1b}[31m\\u{7}\\u{7f}\\u{85}\\u{9b}\\u{202e}\\u{2066}\\u{61c}\\u{200b}\\u{feff}\
                     \\u{2028}\\u{e0041}";
        assert_eq!(one_line(odd), shown);
        assert_eq!(one_line("a\r\n\terror: b"), "a\\r\\n\\terror: b");
        assert_eq!(lines("a\n\tb\r\n"), "a\n\tb\\r\n");
        for plain in ["", "Münster, 東京, שלום, سلام, 👍🏽", "a 'b' \"c\" \\d"] {
            assert!(matches!(one_line(plain), Cow::Borrowed(same) if same == plain));
        }
        assert_eq!(Foreign::new(odd).to_string(), shown);
        assert_eq!(format!("{:?}", Foreign::new("\n")), "\"\\n\"");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = Foreign::new("ü".repeat(40_000_000));
        let shown = long.to_string();
        assert!(shown.starts_with("üü") && shown.len() < MOST + 50, "{}", shown.len());
        assert!(shown.ends_with("ü… and 79999000 more bytes"), "{shown}");
        assert_eq!(Foreign::new("x".repeat(MOST)).to_string().len(), MOST);
        assert_eq!(Foreign::beginning(long.as_received()).to_string(), shown);
    }

    #[test]
    fn one_is_one_thing() {
        assert_eq!(
            [0, 1, 2, 11].map(|n| count(n, "device")),
            ["0 devices", "1 device", "2 devices", "11 devices"]
        );
        let has = ("has", "have");
        assert_eq!(part(1, 1, "device", has), "1 of 1 device has");
        assert_eq!(part(1, 2, "device", has), "1 of 2 devices has");
        assert_eq!(part(2, 2, "device", has), "2 of 2 devices have");
    }

    #[test]
    fn formulas_are_cells() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        for text in ["", "a=b", "'quoted'", " =1", "CN=-1"] {
            assert_eq!(cell(text), text);
        }
    }

    proptest! {
        #[test]
        fn json_keeps_its_value(text in any::<String>()) {
            let value = serde_json::json!({ &text: [&text] });
            let shown = json(&value.to_string()).into_owned();
            prop_assert!(!shown.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }

        #[test]
        fn a_cell_is_read_as_it_was_written(text in "'{0,3}[=+@\\-\t\ra]{0,3}.{0,5}") {
            let written = cell(&text);
            prop_assert!(!written.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(of_cell(&written), text.as_str());
        }
    }
}
